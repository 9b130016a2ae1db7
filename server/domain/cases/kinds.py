"""The kind ``cross_region_case``."""

from server.domain.cases import course, rules
from server.domain.cases.machines import CROSS_REGION
from server.domain.cases.schemas import CrossRegionCase
from server.domain.declaration import kind_from_schema
from server.domain.numbers import say_number
from server.domain.review.steps import led_by
from server.people.principal import MANAGERS, Role
from server.policy import Policy
from server.sync.kinds import Change, Data, RecordKind

SEES_CASES = MANAGERS | {
    Role.MARKET_OFFICER,
    Role.MARKET_INSPECTOR,
    Role.SALES_DIRECTOR,
    Role.GENERAL_MANAGER,
}
FINDINGS = frozenset(
    {"traces", "sources", "derived_accused", "inside_centre", "check_points", "signed_by"}
)
"""B2: what the worker writes, or follows from that. An answer of logistics is a person's:
``traces_answered``; so is a signature, which changes ``signatures``."""


def cross_region_case_kind(policy: Policy) -> RecordKind:
    """X1 to X9: taken in once it is signed, answered by the accused, decided with reasons."""

    def derive(change: Change, _parent: Data | None) -> Data:
        return course.derive_case(change, policy)

    def fold(case: Data, children: tuple[Change, ...]) -> Data:
        return course.fold_case(case, children, policy)

    return kind_from_schema(
        CrossRegionCase,
        "cross_region_case",
        zh="窜货查证",
        en="Cross-region case",
        place=rules.x1_place,
        office_roles=SEES_CASES,
        check=lambda change, _parent: course.case_errors(change),
        derive=derive,
        fold=fold,
        **led_by(CROSS_REGION, policy),
        findings=FINDINGS,
        summary=("number", "affected_market", "accused", "found_at", "missing_tags", "flags"),
        label="accused",
        numbered=say_number,
    )
