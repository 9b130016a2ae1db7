"""The kinds ``customer``, ``licence`` and ``permit``."""

from zoneinfo import ZoneInfo

from server.casework.items import OpenItem, Waits
from server.domain.customers import rules
from server.domain.customers.schemas import Customer, Licence, Permit
from server.domain.declaration import kind_from_schema
from server.people.principal import MANAGERS, Role
from server.policy import Policy
from server.sync.kinds import Change, RecordKind

OFFICE_ROLES = MANAGERS | {Role.MARKET_OFFICER, Role.SALES_CLERK, Role.SERVICE_OFFICER}


def customer_kind() -> RecordKind:
    """K1: the file of a customer."""
    return kind_from_schema(
        Customer,
        "customer",
        zh="客户",
        en="Customer",
        place=rules.k1_place,
        reads=frozenset({"dealer"}),
        check=rules.check_customer,
        derive=rules.k1_owned,
        office_roles=OFFICE_ROLES,
        claims=(("name", "phone"), ("name", "address"), ("number",)),
        summary=("name", "customer_type", "address", "tier"),
        label="name",
    )


def licence_kind(policy: Policy) -> RecordKind:
    """K6: what a dealer may sell where; its renewal waits for the region manager."""
    limits = policy.licences

    def waits(change: Change) -> Waits:
        zone = ZoneInfo(policy.cases.zone)
        span = None if change.withdrawn else rules.k6_renewal_span(change.after, zone)
        if span is None:
            return ()
        since, term, warn = span
        return (OpenItem(Role.REGION_MANAGER, "renew", term, warn=warn, since=since),)

    return kind_from_schema(
        Licence,
        "licence",
        zh="经销授权",
        en="Licence",
        parent="dealer",
        create_roles=MANAGERS,
        office_roles=OFFICE_ROLES | {Role.LOGISTICS_OFFICER, Role.MARKET_INSPECTOR},
        check=rules.k6_check,
        derive=lambda change, _dealer: rules.k6_derive(change, limits),
        waits=waits,
        summary=("regions", "products", "start", "end", "renewal"),
        label="number",
    )


def permit_kind() -> RecordKind:
    """X12: made beforehand; shown where it covers a find."""
    return kind_from_schema(
        Permit,
        "permit",
        zh="跨区备案",
        en="Cross-region permit",
        parent="dealer",
        follow=rules.x12_place,
        office_roles=OFFICE_ROLES | {Role.LOGISTICS_OFFICER, Role.MARKET_INSPECTOR},
        check=rules.x12_check,
        summary=("market", "start", "end", "consent_by"),
        label="number",
    )
