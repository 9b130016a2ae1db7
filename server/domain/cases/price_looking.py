"""X15: what the company's tables say about open reports of prices, written as a device would."""

from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.casework.tables import Item
from server.domain.cases.actions import SERVER
from server.domain.cases.pricing import x15_compare, x15_products
from server.domain.goods.queries import find_products
from server.domain.review.actions import write_version
from server.people.centres import RegionTree, same_centre
from server.people.regions import load_tree
from server.policy import Policy
from server.sync.engine import Sync
from server.sync.push import Envelope, push_batch
from server.sync.queries import StoredRecord, find_records

KIND = "price_report"

log = structlog.get_logger()


def follow_prices(session: Session, sync: Sync, policy: Policy) -> int:
    """Tells open reports their list prices and whose they are, where that changed; how many.

    The tables are asked each time, so that a product or a customer that is entered later is seen.
    """
    reports = open_reports(session)
    if not reports:
        return 0
    products = find_products(session, x15_products(one.data for one in reports))
    sellers = find_records(session, [str(one.data.get("seller_customer")) for one in reports])
    tree, told = load_tree(session), 0
    for report in reports:
        inside = x15_inside(report.data, tree, sellers, policy)
        found = {"compared": x15_compare(report.data, products), "inside_centre": inside}
        if any(report.data.get(name) != value for name, value in found.items()):
            told += _tell(session, sync, report, found)
    return told


def open_reports(session: Session) -> list[StoredRecord]:
    """Reports that somebody must act on."""
    at_work = (Item.kind == KIND) & Item.closed_at.is_(None)
    found = find_records(session, session.scalars(select(Item.record).where(at_work).distinct()))
    return [one for one in found.values() if one.live]


def x15_inside(
    report: Mapping[str, Any],
    tree: RegionTree,
    sellers: Mapping[str, StoredRecord],
    policy: Policy,
) -> bool | None:
    """X15: whether the seller's market and the affected one share a centre or an alliance.

    None where nobody knows the seller's market: then the market department decides.
    """
    seller = sellers.get(str(report.get("seller_customer")))
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


def _tell(
    session: Session, sync: Sync, report: StoredRecord, found: Mapping[str, object | None]
) -> bool:
    """P8: one that fails is left for the next time and stands in nobody's way."""
    patch = {
        "id": sync.ids.new(),
        "action": "patch",
        "kind": KIND,
        "record": report.id,
        "base": report.version,
        "set": {name: value for name, value in found.items() if value is not None},
        "unset": [name for name, value in found.items() if value is None and name in report.data],
    }
    try:
        [result] = push_batch(
            sync, session, Envelope(sender=SERVER, writer="server"), [patch]
        ).results
        write_version(result)
    except Exception:
        session.rollback()
        log.exception("price_report_not_followed", record=report.id)
        return False
    return True
