"""The kind ``case_supplement`` (X9): what is added to a case that was submitted."""

from server.domain import shapes
from server.domain.cases.kinds import SEES_CASES
from server.domain.declaration import kind_from_schema
from server.domain.shapes import BOTH, Shape
from server.sync.kinds import RecordKind


class CaseSupplement(Shape):
    """X9: words beside a case, and the photos beneath them; never changed once they are sent."""

    case = shapes.reference(
        "案件", "Case", "cross_region_case", "counterfeit_report", "price_report",
        required=True, rule="frozen", writers=BOTH,
    )  # fmt: skip
    text = shapes.text(
        "补充说明", "Supplement", limit=4000, required=True, rule="frozen", writers=BOTH
    )
    flags = shapes.flags({})


def case_supplement_kind() -> RecordKind:
    """X9: from the rep, or from an office; it stands beside what was submitted."""
    return kind_from_schema(
        CaseSupplement,
        "case_supplement",
        zh="补充",
        en="Supplement",
        parent="case",
        office_roles=SEES_CASES,
        summary=("text",),
        label="text",
    )
