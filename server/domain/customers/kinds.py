"""The kind ``customer``."""

from server.domain.customers import rules
from server.domain.customers.schemas import Customer
from server.domain.declaration import kind_from_schema
from server.people.principal import MANAGERS, Role
from server.sync.kinds import RecordKind


def customer_kind() -> RecordKind:
    """K1: the file of a customer."""
    return kind_from_schema(
        Customer,
        "customer",
        zh="客户",
        en="Customer",
        place=rules.k1_place,
        check=rules.k1_within_reach,
        derive=rules.k1_owned,
        office_roles=MANAGERS | {Role.MARKET_OFFICER, Role.SALES_CLERK, Role.SERVICE_OFFICER},
        claims=(("name", "phone"), ("name", "address")),
        summary=("name", "customer_type", "address", "tier"),
        label="name",
    )
