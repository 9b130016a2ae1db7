"""The roles that somebody may hold, and nothing else."""

from enum import StrEnum


class Role(StrEnum):
    """The roles of DOMAIN *Who*; each name is what the wire and the policy use."""

    REP = "rep"
    REGION_MANAGER = "region_manager"
    SALES_MANAGER = "sales_manager"
    MARKET_OFFICER = "market_officer"
    MARKET_INSPECTOR = "market_inspector"
    LOGISTICS_OFFICER = "logistics_officer"
    SALES_CLERK = "sales_clerk"
    SERVICE_OFFICER = "service_officer"
    TECHNICAL_OFFICER = "technical_officer"
    SALES_DIRECTOR = "sales_director"
    GENERAL_MANAGER = "general_manager"
    FINANCE_OFFICER = "finance_officer"
    CASHIER = "cashier"
    WAREHOUSE_OFFICER = "warehouse_officer"
    ADMINISTRATOR = "administrator"
