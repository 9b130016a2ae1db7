"""What the server's own work asks of market cases. Reads only."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from server.casework.tables import Item
from server.clock import from_wire
from server.domain.cases.tables import CaseLook
from server.domain.goods.rules import batch_key
from server.sync.queries import StoredRecord, find_records, history
from server.values import Value

CASE = "cross_region_case"
PRICE_REPORT = "price_report"
TRACE = "batch_trace"
FOLLOWED = frozenset({CASE, PRICE_REPORT})
"""Kinds that the worker holds against the company's tables."""


class Stuck(Value, frozen=True):
    """P8: a case or report that the worker could not look at, and tries again by itself."""

    record: str
    kind: str
    number: str
    since: datetime
    tries: int
    next_at: datetime
    failure: str


def stuck_looks(session: Session) -> list[Stuck]:
    """What could not be looked at, since longest first."""
    rows = session.scalars(
        select(CaseLook).where(CaseLook.failure.is_not(None)).order_by(CaseLook.failed_at)
    ).all()
    records = find_records(session, [row.record for row in rows])
    return [_stuck(row, records[row.record]) for row in rows if row.record in records]


def _stuck(row: CaseLook, record: StoredRecord) -> Stuck:
    return Stuck(
        record=row.record,
        kind=record.kind,
        number=str(record.data.get("number", "")),
        since=from_wire(str(row.failed_at)),
        tries=row.tries,
        next_at=from_wire(str(row.due_at)),
        failure=str(row.failure),
    )


def unanswered_cases(session: Session, *, limit: int) -> tuple[str, ...]:
    """X6: cases whose accused had time to answer, which is over, and that nobody looks at yet."""
    looks = select(CaseLook.record).where(
        CaseLook.record == Item.record, CaseLook.due_at.is_not(None)
    )
    late = select(Item.record).where(_is_over(), ~looks.exists()).limit(limit)
    return tuple(session.scalars(late))


def is_unanswered(session: Session, case: str) -> bool:
    """X6: whether the time of the accused to answer is over in ``case``, as a tick found."""
    return bool(session.scalar(select(func.count()).where(_is_over(), Item.record == case)))


def _is_over() -> ColumnElement[bool]:
    late = (Item.kind == CASE) & (Item.task == "rebuttal") & Item.missed_at.is_not(None)
    return late & Item.closed_at.is_(None)


def cases_at_work(session: Session) -> tuple[str, ...]:
    """Cases and reports that were submitted and wait for somebody of the office."""
    before = Item.task.in_(("unsigned", "mend"))
    at_work = Item.kind.in_(sorted(FOLLOWED)) & ~before & Item.closed_at.is_(None)
    return tuple(session.scalars(select(Item.record).where(at_work).distinct()))


def submitted_at(session: Session, cases: list[str]) -> Mapping[str, datetime]:
    """X5: when the last intake of each of ``cases`` began."""
    last = (
        select(Item.record, func.max(Item.opened_at))
        .where(Item.record.in_(cases), Item.task == "intake")
        .group_by(Item.record)
    )
    return {record: from_wire(at) for record, at in session.execute(last)}


def first_named(session: Session, case: str) -> Mapping[str, datetime]:
    """X5: since when a case names each of its batches, as they are sought."""
    since: dict[str, datetime] = {}
    for version in history(session, case):
        if "lines" in version.changed:
            lines = version.changed["lines"][1]
            named = {batch_key(line["batch"]) for line in lines if line.get("batch")}
            since = {batch: since.get(batch, from_wire(version.at)) for batch in named}
    return since
