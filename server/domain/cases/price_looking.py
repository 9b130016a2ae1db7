"""X15: what the company's tables say about a report of prices. Reads only."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from server.domain.cases.following import customer_name
from server.domain.cases.looking import Seen
from server.domain.cases.pricing import x15_compare, x15_products
from server.domain.goods.queries import find_products
from server.people.centres import RegionTree, same_centre
from server.policy import Policy
from server.sync.queries import StoredRecord, find_record


def see_prices(session: Session, policy: Policy, tree: RegionTree, report: StoredRecord) -> Seen:
    """The list prices of what a report names, and whose it is, as far as that is news."""
    named = set(x15_products([report.data]))
    products = find_products(session, named)
    seller = str(report.data.get("seller_customer", ""))
    inside = x15_inside(report.data, tree, find_record(session, seller), policy)
    found = {"compared": x15_compare(report.data, products), "inside_centre": inside}
    called = named | {product.code for product in products.values()}
    return Seen(
        findings={name: value for name, value in found.items() if report.data.get(name) != value},
        basis=frozenset({f"product:{name}" for name in called} | {customer_name(seller)}),
    )


def x15_inside(
    report: Mapping[str, Any], tree: RegionTree, seller: StoredRecord | None, policy: Policy
) -> bool | None:
    """X15: whether the seller's market and the affected one share a centre or an alliance.

    None where nobody knows the seller's market: then the market department decides.
    """
    named = tree.find(str(report.get("source_market", "")))
    source = (seller.region if seller else None) or named
    if source is None:
        return None
    limits = policy.cases
    return same_centre(
        tree,
        limits.alliances.values(),
        source,
        str(report["affected_market"]),
        level=limits.centre_level,
    )
