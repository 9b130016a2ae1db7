"""The kind ``rebuttal``."""

from server.domain.declaration import kind_from_schema
from server.domain.links import rules
from server.domain.links.schemas import Rebuttal
from server.people.principal import MANAGERS, Role
from server.sync.kinds import RecordKind


def rebuttal_kind() -> RecordKind:
    """X6: made by a link only, beneath the case that it answers."""
    return kind_from_schema(
        Rebuttal,
        "rebuttal",
        zh="申诉",
        en="Rebuttal",
        parent="case",
        create_roles=frozenset(),
        office_roles=MANAGERS | {Role.MARKET_OFFICER, Role.MARKET_INSPECTOR},
        derive=lambda change, _parent: rules.x6_derive(change),
        fold=rules.x6_fold,
        summary=("number", "photos", "verified", "flags"),
        label="number",
    )
