"""The kinds ``rebuttal`` and ``fault_supplement``: made by a link only."""

from server.domain.declaration import kind_from_schema
from server.domain.links import rules
from server.domain.links.schemas import FaultSupplement, Rebuttal
from server.domain.numbers import say_number
from server.people.principal import MANAGERS, Role
from server.sync.kinds import RecordKind

SEES_FAULTS = MANAGERS | {
    Role.SALES_CLERK, Role.SALES_DIRECTOR, Role.TECHNICAL_OFFICER, Role.SERVICE_OFFICER,
    Role.GENERAL_MANAGER,
}  # fmt: skip


def rebuttal_kind() -> RecordKind:
    """X6: beneath the case that it answers."""
    return kind_from_schema(
        Rebuttal,
        "rebuttal",
        zh="申诉",
        en="Rebuttal",
        parent="case",
        create_roles=frozenset(),
        office_roles=MANAGERS | {Role.MARKET_OFFICER, Role.MARKET_INSPECTOR},
        derive=lambda change, _parent: rules.x6_derive(change),
        fold=rules.fold_photos,
        summary=("number", "photos", "verified", "flags"),
        label="number",
        numbered=say_number,
    )


def fault_supplement_kind() -> RecordKind:
    """F6: beneath the fault that it shows."""
    return kind_from_schema(
        FaultSupplement,
        "fault_supplement",
        zh="质量问题补充",
        en="Supplement to a fault",
        parent="fault",
        create_roles=frozenset(),
        office_roles=SEES_FAULTS,
        derive=lambda change, _parent: rules.first_fields(change),
        fold=rules.fold_photos,
        summary=("number", "photos", "verified"),
        label="number",
        numbered=say_number,
    )
