"""Which cases are to be looked at again: told by what changed, and remembered until it was done.

A report of prices is followed like a case. What a look finds is not said here.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from server.clock import to_wire
from server.db import transaction
from server.domain.cases.queries import FOLLOWED, TRACE, cases_at_work, unanswered_cases
from server.domain.cases.tables import (
    LONGEST_FAILURE,
    LONGEST_NAME,
    CaseBasis,
    CaseLook,
    CasePlace,
)
from server.domain.goods.rules import batch_key
from server.domain.goods.tables import GoodsNews
from server.people.centres import RegionTree
from server.policy import Policy
from server.proof.encoding import canonical, sha256_hex
from server.sync.changes import changed_after, feed_head
from server.sync.queries import StoredRecord, find_records
from server.values import Value

PAGE = 500
"""Changes that one transaction takes in."""
PAGES = 50
"""Transactions of one round."""
FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
OF_A_DEALER = frozenset({"licence", "permit"})
"""Kinds beneath a customer that say something of the cases it is accused in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What has changed since a place, read before the writer's lock is taken."""

    since: int
    cases: frozenset[str]
    feed: int
    rules: str
    goods: tuple[int, ...] = ()


class Asked(Value, frozen=True):
    """A case that is to be looked at, and how often that had been asked when it was taken."""

    record: str
    asked: int


class Looked(Value, frozen=True):
    """What came of one look. Without a ``version`` the case needs none any more."""

    asked: Asked
    version: int | None = None
    basis: frozenset[str] = frozenset()
    failure: str | None = None
    """What stopped it."""


def customer_name(called: str) -> str:
    """A customer, by record or number, as ``CaseBasis`` names it, however it is written."""
    return f"customer:{batch_key(called)}"


def rules_now(policy: Policy, tree: RegionTree) -> str:
    """The name of the rules by which cases are looked at: another one for any other rules."""
    rules = {"policy": policy.version, "regions": dict(tree.paths), "kinds": sorted(FOLLOWED)}
    return sha256_hex(canonical(rules))


def note_changes(session: Session, rules: str, now: datetime) -> int:
    """Asks for a look at each case on which something new bears; how many pages of news that took.

    A place in the feed moves in the transaction that asks, so that a crash loses and repeats
    nothing.
    """
    for page in range(PAGES):
        news = _read_news(session, rules)
        if news is None:
            return page
        _take_in(session, news, now)
    return PAGES


def is_behind(session: Session, rules: str, now: datetime) -> bool:
    """Whether something that bears on a case has not been looked at."""
    return _read_news(session, rules) is not None or bool(due_looks(session, now, limit=1))


def _read_news(session: Session, rules: str) -> _News | None:
    """Read without a lock, so that a quiet round keeps nobody from writing."""
    place = session.get(CasePlace, 1)
    if place is None or place.rules != rules:  # all there are, whatever changed
        at = feed_head(session)
        cases = frozenset(cases_at_work(session))
        return _News(since=place.feed if place else -1, cases=cases, feed=at, rules=rules)
    changed, reached = changed_after(session, place.feed, limit=PAGE)
    goods = session.execute(select(GoodsNews.key, GoodsNews.name).limit(PAGE)).all()
    late = unanswered_cases(session, limit=PAGE)
    if reached == place.feed and not goods and not late:
        return None
    touched, names = _touched(session, changed)
    resting = _resting_on(session, {*names, *(row.name for row in goods)})
    return _News(
        since=place.feed,
        cases=frozenset({*touched, *resting, *late}),
        feed=reached,
        rules=rules,
        goods=tuple(row.key for row in goods),
    )


def _touched(session: Session, changed: Collection[str]) -> tuple[set[str], set[str]]:
    """Cases that changed, themselves or beneath, and names on which others may rest."""
    records = find_records(session, changed)
    own = {one.id: one.version for one in records.values() if one.kind in FOLLOWED}
    # What a trace says anew has changed its case, too, or was written by a look at it.
    telling = [one for one in records.values() if one.kind != TRACE]
    above = {one.parent for one in telling if one.parent} - own.keys()
    beneath = {one.id for one in find_records(session, above).values() if one.kind in FOLLOWED}
    seen = select(CaseLook.record, CaseLook.version).where(CaseLook.record.in_(sorted(own)))
    written = {row.record for row in session.execute(seen) if own[row.record] == row.version}
    beneath |= {one.parent for one in telling if one.parent in own}
    return (own.keys() - written) | beneath, set(_names(records.values()))


def _names(records: Iterable[StoredRecord]) -> Iterable[str]:
    for one in records:
        if one.kind == "customer":
            yield from (customer_name(str(called)) for called in (one.id, one.data.get("number")))
        elif one.kind in OF_A_DEALER:
            yield customer_name(str(one.parent))


def _resting_on(session: Session, names: Collection[str]) -> set[str]:
    if not names:
        return set()
    return set(session.scalars(select(CaseBasis.record).where(CaseBasis.name.in_(sorted(names)))))


def _take_in(session: Session, news: _News, now: datetime) -> None:
    with transaction(session):
        place = session.scalar(select(CasePlace).with_for_update())
        if (place.feed if place else -1) != news.since:
            return  # somebody else has taken it in meanwhile
        if place is None:
            place = CasePlace(id=1)
            session.add(place)
        place.feed, place.rules = news.feed, news.rules
        ask(session, news.cases, now)
        session.execute(delete(GoodsNews).where(GoodsNews.key.in_(news.goods)))


def ask(session: Session, cases: Collection[str], now: datetime) -> None:
    """Asks for a look at each of ``cases``, in the caller's transaction."""
    named = sorted(cases)
    told = {"asked": CaseLook.asked + 1, "due_at": func.coalesce(CaseLook.due_at, to_wire(now))}
    for start in range(0, len(named), PAGE):
        some = named[start : start + PAGE]
        known = set(session.scalars(select(CaseLook.record).where(CaseLook.record.in_(some))))
        fresh = [{"record": case} for case in some if case not in known]
        if fresh:
            session.execute(insert(CaseLook), fresh)
        session.execute(update(CaseLook).where(CaseLook.record.in_(some)).values(told))


def due_looks(session: Session, now: datetime, *, limit: int) -> list[Asked]:
    """The cases that are to be looked at now, the longest waiting first."""
    due = (
        select(CaseLook.record, CaseLook.asked)
        .where(CaseLook.due_at <= to_wire(now))
        .order_by(CaseLook.due_at)
        .limit(limit)
    )
    return [Asked(record=row.record, asked=row.asked) for row in session.execute(due)]


def settle_looks(session: Session, looked: Iterable[Looked], now: datetime) -> None:
    """Notes what came of looks; what was asked for again meanwhile stays asked for."""
    told = {one.asked.record: one for one in looked}
    if not told:
        return
    with transaction(session):
        mine = select(CaseLook).where(CaseLook.record.in_(sorted(told))).with_for_update()
        for row in session.scalars(mine):
            _settle(session, row, told[row.record], now)
        session.flush()
        _rest(session, [one for one in told.values() if one.failure is None])


def _settle(session: Session, row: CaseLook, one: Looked, now: datetime) -> None:
    if one.failure is not None:
        row.tries += 1
        row.failed_at, row.failure = row.failed_at or to_wire(now), one.failure[:LONGEST_FAILURE]
        row.due_at = to_wire(now + min(FIRST_WAIT * 2 ** min(row.tries, 20), LONGEST_WAIT))
        return
    row.tries, row.failed_at, row.failure = 0, None, None
    row.version = one.version or 0
    if row.asked == one.asked.asked:
        row.due_at = None
    if one.version is None and row.due_at is None:
        session.delete(row)


def _rest(session: Session, looked: Collection[Looked]) -> None:
    """Writes down on what the findings rest now, as far as that is something else than before."""
    stored: dict[str, set[str]] = {one.asked.record: set() for one in looked}
    for row in session.scalars(select(CaseBasis).where(CaseBasis.record.in_(sorted(stored)))):
        stored[row.record].add(row.name)
    wanted = {one.asked.record: _nameable(one.basis) for one in looked}
    fresh = {case: basis for case, basis in wanted.items() if basis != stored[case]}
    session.execute(delete(CaseBasis).where(CaseBasis.record.in_(sorted(fresh))))
    rows = [{"name": name, "record": case} for case, basis in fresh.items() for name in basis]
    if rows:
        session.execute(insert(CaseBasis), rows)


def _nameable(basis: Collection[str]) -> set[str]:
    """Without what is longer than any name in the company's tables, so that none will come."""
    return {name for name in basis if len(name) <= LONGEST_NAME}
