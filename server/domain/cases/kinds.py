"""The kind ``cross_region_case``."""

from server.casework.items import Waits
from server.casework.terms import open_item
from server.domain.cases import rules
from server.domain.cases.schemas import CrossRegionCase
from server.domain.declaration import kind_from_schema
from server.domain.review.rules import RETURNED, SUBMITTED, b1_items, b2_reasoned, is_decided
from server.people.principal import MANAGERS, Role
from server.policy import Policy
from server.sync.kinds import Change, Data, RecordKind


def cross_region_case_kind(policy: Policy) -> RecordKind:
    """X1 to X3: taken in by the market department once it is signed."""
    limits, terms = policy.cases, policy.terms
    steps = {
        rules.UNSIGNED: open_item(policy, terms.x3_unsigned, Role.REGION_MANAGER, "unsigned"),
        SUBMITTED: open_item(policy, terms.x4_intake, Role.MARKET_OFFICER, "intake"),
        RETURNED: open_item(policy, terms.supplement_wanted, Role.REP, "mend"),
    }

    def derive(change: Change, _parent: Data | None) -> Data:
        return rules.derive_case(change, policy)

    def fold(case: Data, children: tuple[Change, ...]) -> Data:
        return rules.fold_case(case, children, limits)

    def waits(change: Change) -> Waits:
        return b1_items(change, steps)

    return kind_from_schema(
        CrossRegionCase,
        "cross_region_case",
        zh="窜货查证",
        en="Cross-region case",
        place=rules.x1_place,
        office_roles=MANAGERS | {Role.MARKET_OFFICER, Role.MARKET_INSPECTOR},
        decide_roles=frozenset({Role.MARKET_OFFICER}),
        check=lambda change, _parent: b2_reasoned(change),
        derive=derive,
        fold=fold,
        waits=waits,
        is_closed=is_decided,
        summary=("affected_market", "accused", "found_at", "missing_tags", "flags"),
        label="accused",
    )
