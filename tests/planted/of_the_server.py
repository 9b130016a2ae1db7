"""Bugs of the engine for records and of what lies under it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from sqlalchemy.orm import Session

from server.db import AfterCommit, transaction
from server.errors import Problem
from server.people.principal import Principal
from server.proof.acknowledgement import Acknowledged, acknowledge
from server.rows import Rows
from server.sync.batch import LIVE, Batch, Decision, Head
from server.sync.cursor import Cursor
from server.sync.engine import Sync
from server.sync.feed import FeedRow
from server.sync.merge import Merged
from server.sync.push import Envelope, Pushed
from server.sync.tables import LEAVE, WITHDRAWAL
from tests.planted.bug import Bed, altered

BED = Bed()
PUSH = "server.sync.push:push_batch"
DECIDE = "server.sync.decide:decide"
MERGE = "server.sync.merge:merge"
VISIBLE = "server.sync.batch:Batch.visible"

Push = Callable[[Sync, Session, Envelope, Sequence[Any]], Pushed]
Transaction = Callable[[Session], AbstractContextManager[AfterCommit]]


@BED.bug("server.db:transaction", breaks="P3", caught_by=())
def a_commit_that_fails_is_answered_as_done(good: Transaction) -> Transaction:
    """The answer does not wait for the commit: where that fails, nothing is said of it."""

    @contextmanager
    def faulty(session: Session) -> Iterator[AfterCommit]:
        commit = session.commit

        def commit_or_not() -> None:
            try:
                commit()
            except Exception:
                session.rollback()

        session.commit = commit_or_not  # type: ignore[method-assign]
        try:
            with good(session) as effects:
                yield effects
        finally:
            del session.commit

    return faulty


@BED.bug("server.db:AfterCommit.add", breaks="P3", caught_by=())
def the_outside_hears_before_the_commit(_add: Callable[..., None]) -> Callable[..., None]:
    """Effects on the outside, like removing a part file, happen before the commit."""

    def faulty(_effects: AfterCommit, call: Callable[[], object]) -> None:
        call()

    return faulty


@BED.bug("server.journal.keeping:StoreJournal.write", breaks="P3", caught_by=())
def a_decision_does_not_wait_for_its_journal(write: Callable[..., None]) -> Callable[..., None]:
    """What no device holds is committed and answered though the journal could not take it."""

    def faulty(journal: Any, session: Session) -> None:
        with suppress(OSError):
            write(journal, session)

    return faulty


@BED.bug("server.sync.feed:append", breaks="P4", caught_by=())
def a_number_is_given_before_the_commit(append: Callable[..., None]) -> Callable[..., None]:
    """Each writer numbers its own rows of the feed, so that one which commits late slips in below
    a cursor that was handed out."""

    def faulty(rows: Rows, fresh: Sequence[FeedRow], replaced: Any, sums: Any) -> None:
        append(rows, fresh, replaced, sums)
        if rows.sqlite:
            return
        rows.execute("UPDATE feed SET seq = key WHERE seq IS NULL")

    return faulty


@BED.bug("server.sync.feed:append", breaks="P4", caught_by=())
def a_change_is_fed_to_one_scope_only(append: Callable[..., None]) -> Callable[..., None]:
    """Of the scopes that a record lies in, only the first hears of a change."""

    def faulty(rows: Rows, fresh: Sequence[FeedRow], replaced: Any, sums: Any) -> None:
        first = list({row.record: row for row in reversed(fresh)}.values())[::-1]
        append(rows, first, [row for row in replaced if _is_named(row, first)], sums)

    return faulty


def _is_named(row: FeedRow, among: Sequence[FeedRow]) -> bool:
    return any((row.record, row.scope) == (one.record, one.scope) for one in among)


@BED.bug("server.sync.cursor:Cursor.write", breaks="P4", caught_by=())
def a_scope_that_was_gained_is_not_back_filled(
    write: Callable[[Cursor, str], str],
) -> Callable[[Cursor, str], str]:
    """Of a scope that a device gains it is sent the first page of what was there before."""

    def faulty(cursor: Cursor, secret: str) -> str:
        return write(altered(cursor, backfills=()), secret)

    return faulty


@BED.bug("server.sync.aging:compact", breaks="P4", caught_by=())
def tombstones_are_dropped_early(compact: Callable[..., int]) -> Callable[..., int]:
    """The feed forgets withdrawals and leaves after a night, and says so to nobody."""

    def faulty(session: Session, now: Any) -> int:
        with transaction(session):
            Rows(session).execute(f"DELETE FROM feed WHERE item IN ({WITHDRAWAL}, {LEAVE})")
        return compact(session, now)

    return faulty


@BED.bug("server.sync.epochs:follow_epoch", breaks="P1", caught_by=())
def a_cursor_ahead_begins_no_epoch(_follow: Callable[..., str]) -> Callable[..., str]:
    """A server that meets a cursor beyond its own feed does not see that it is an older copy."""

    def faulty(_session: Session, _clock: Any, *, ended: str, reason: str) -> str:
        return ended

    return faulty


@BED.bug(VISIBLE, breaks="P5", caught_by=())
def nobody_asks_what_a_device_may_see(
    _visible: Callable[..., Head | None],
) -> Callable[..., Head | None]:
    """A mutation may touch and name any record there is."""

    def faulty(batch: Batch, record: str) -> Head | None:
        return batch.heads.get(record)

    return faulty


@BED.bug("server.sync.pull:pull", breaks="P5", caught_by=())
def scopes_are_read_from_the_cursor(pull: Callable[..., bytes]) -> Callable[..., bytes]:
    """A device goes on receiving what it might see when it began."""

    def faulty(
        sync: Sync, session: Session, reader: Principal, *, cursor: str | None, limit: int
    ) -> bytes:
        known = Cursor.read(sync.secret, cursor) if cursor else None
        if known is not None:
            reader = altered(reader)
            object.__setattr__(reader, "scopes", known.scopes)
        return pull(sync, session, reader, cursor=cursor, limit=limit)

    return faulty


@BED.bug(MERGE, breaks="P6", caught_by=())
def the_last_writer_wins(merge: Callable[..., Merged]) -> Callable[..., Merged]:
    """Of two edits of one field the later one is taken and the other one forgotten."""

    def faulty(*given: Any) -> Merged:
        merged = merge(*given)
        return altered(merged, taken={**merged.taken, **merged.lost}, lost={})

    return faulty


@BED.bug(MERGE, breaks="M3", caught_by=())
def what_is_frozen_can_be_changed(merge: Callable[..., Merged]) -> Callable[..., Merged]:
    """A field that may be set once, like the hash of a photo, is patched like any other."""

    def faulty(kind: Any, *given: Any) -> Merged:
        if kind is not None:
            soft = {
                name: altered(spec, rule="review") if spec.rule == "frozen" else spec
                for name, spec in kind.fields.items()
            }
            kind = altered(kind, fields=soft)
        return merge(kind, *given)

    return faulty


def _without(decision: Decision, kind: str) -> Decision:
    kept = tuple(one for one in decision.writes if one.head.kind != kind)
    return altered(decision, writes=kept)


@BED.bug(DECIDE, breaks="P6", caught_by=())
def a_value_that_lost_is_not_kept(decide: Callable[..., Decision]) -> Callable[..., Decision]:
    """A conflict is told and the value that did not win is written nowhere."""

    def faulty(*given: Any) -> Decision:
        return _without(decide(*given), "conflict")

    return faulty


@BED.bug(DECIDE, breaks="P6", caught_by=())
def what_is_refused_is_not_parked(decide: Callable[..., Decision]) -> Callable[..., Decision]:
    """A refusal is told and nobody can find, correct or restore what was refused."""

    def faulty(*given: Any) -> Decision:
        return _without(decide(*given), "parked")

    return faulty


@BED.bug(VISIBLE, breaks="P6", caught_by=())
def an_edit_brings_back_what_was_withdrawn(
    visible: Callable[..., Head | None],
) -> Callable[..., Head | None]:
    """A late edit of a record that was withdrawn meanwhile makes it live again."""

    def faulty(batch: Batch, record: str) -> Head | None:
        head = visible(batch, record)
        return head and altered(head, state=LIVE)

    return faulty


@BED.bug(PUSH, breaks="P2", caught_by=())
def a_mutation_that_comes_again_is_a_new_one(push: Push) -> Push:
    """The server keeps what it takes under ids of its own, and does not know what comes twice."""

    def faulty(sync: Sync, session: Session, envelope: Envelope, raw: Sequence[Any]) -> Pushed:
        fresh = [{**one, "id": sync.ids.new()} for one in raw]
        pushed = push(sync, session, envelope, fresh)
        for mutation, result in zip(raw, pushed.results, strict=True):
            result["id"] = mutation["id"]
            if "ack" in result:
                told = {name: value for name, value in result["ack"].items() if name != "sig"}
                told["id"] = mutation["id"]
                result["ack"] = acknowledge(sync.key, Acknowledged(**told))
        return pushed

    return faulty


@BED.bug(PUSH, breaks="P8", caught_by=())
def one_refusal_refuses_the_batch(push: Push) -> Push:
    """Where one mutation of a batch is refused, the whole of it is answered with an error."""

    def faulty(sync: Sync, session: Session, envelope: Envelope, raw: Sequence[Any]) -> Pushed:
        pushed = push(sync, session, envelope, raw)
        if any(result.get("outcome") == "rejected" for result in pushed.results):
            raise Problem("bad_request")
        return pushed

    return faulty


@BED.bug(PUSH, breaks="P9", caught_by=())
def a_batch_is_taken_in_the_order_of_its_clocks(push: Push) -> Push:
    """Mutations are decided in the order in which their devices say that they were made."""

    def faulty(sync: Sync, session: Session, envelope: Envelope, raw: Sequence[Any]) -> Pushed:
        places = sorted(range(len(raw)), key=lambda place: _wall(raw[place]))
        pushed = push(sync, session, envelope, [raw[place] for place in places])
        by_place = dict(zip(places, pushed.results, strict=True))
        return altered(pushed, results=[by_place[place] for place in range(len(raw))])

    return faulty


def _wall(mutation: Mapping[str, Any]) -> str:
    return str((mutation.get("captured") or {}).get("wall", ""))


@BED.bug("server.sync.deciding:Deciding.wake", breaks="P8", caught_by=())
def what_waits_is_not_woken(_wake: Callable[..., None]) -> Callable[..., None]:
    """What waited for a record is not decided in the transaction that brings it."""

    def faulty(_deciding: Any) -> None:
        return

    return faulty
