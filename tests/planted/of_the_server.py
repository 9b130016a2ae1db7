"""Bugs of the engine for records and of what lies under it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from server.db import AfterCommit, is_sqlite, transaction
from server.errors import Problem
from server.journal.lines import JournalFault
from server.people.principal import Principal
from server.proof.acknowledgement import Acknowledged, acknowledge
from server.sync.batch import LIVE, Batch, Decision, Head
from server.sync.cursor import Cursor
from server.sync.engine import Sync
from server.sync.feed import FeedRow
from server.sync.merge import Edit, Merged
from server.sync.push import Envelope, Pushed
from server.sync.tables import LEAVE, PUT, WITHDRAWAL, MutationRow
from server.sync.wire import Mutation, read_mutation
from tests.planted.bug import Bed, altered

BED = Bed()
WHOLE = 2**64
PUSH = "server.sync.push:push_batch"
DECIDE = "server.sync.decide:decide"
MERGE = "server.sync.merge:merge"
VISIBLE = "server.sync.batch:Batch.visible"

Push = Callable[[Sync, Session, Envelope, Sequence[Any]], Pushed]
Transaction = Callable[[Session], AbstractContextManager[AfterCommit]]


@BED.bug(
    "server.db:transaction",
    breaks="P3",
)
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


@BED.bug(
    "server.db:AfterCommit.add",
    breaks="P3",
)
def the_outside_hears_before_the_commit(_add: Callable[..., None]) -> Callable[..., None]:
    """Effects on the outside, like removing a part file, happen before the commit."""

    def faulty(_effects: AfterCommit, call: Callable[[], object]) -> None:
        call()

    return faulty


@BED.bug(
    "server.journal.keeping:StoreJournal.write",
    breaks="P3",
)
def a_decision_does_not_wait_for_its_journal(write: Callable[..., None]) -> Callable[..., None]:
    """What no device holds is committed and answered though the journal could not take it."""

    def faulty(journal: Any, session: Session) -> None:
        with suppress(JournalFault, OSError):
            write(journal, session)

    return faulty


@BED.bug(
    "server.sync.feed:append",
    "server.sync.view:look",
    breaks="P4",
)
def a_number_is_given_before_the_commit(good: Callable[..., Any]) -> Callable[..., Any]:
    """Each writer numbers its own rows of the feed, so that one which commits late slips in below
    a cursor that was handed out."""

    def append(rows: Any, *given: Any) -> None:
        good(rows, *given)
        if not rows.sqlite:
            rows.execute("UPDATE feed SET seq = key WHERE seq IS NULL")

    def look(session: Session, reader: Principal) -> Any:
        if not is_sqlite(session):
            with transaction(session):
                _count_what_is_there(session)
        return good(session, reader)

    return append if good.__name__ == "append" else look


def _count_what_is_there(session: Session) -> None:
    session.execute(text("UPDATE feed_head SET seq = (SELECT coalesce(max(seq), 0) FROM feed)"))
    session.execute(
        text(f"""
        UPDATE scope SET last_seq = held.last, records = held.records, digest = held.digest
        FROM (SELECT scope, max(seq) AS last, count(*) FILTER (WHERE item = {PUT}) AS records,
              (mod(mod(sum(digest), {WHOLE}) + {WHOLE * 3 // 2}, {WHOLE}) - {WHOLE // 2})::bigint
              AS digest FROM feed GROUP BY scope) AS held
        WHERE scope.key = held.scope""")
    )


@BED.bug(
    "server.sync.feed:append",
    breaks="P4",
)
def a_change_is_fed_to_one_scope_only(append: Callable[..., None]) -> Callable[..., None]:
    """Of the scopes that a record lies in, only the last hears of a change."""

    def faulty(rows: Any, fresh: Sequence[FeedRow], replaced: Any, sums: Any) -> None:
        last = list({row.record: row for row in fresh}.values())
        append(rows, last, [row for row in replaced if _is_named(row, last)], sums)

    return faulty


def _is_named(row: FeedRow, among: Sequence[FeedRow]) -> bool:
    return any((row.record, row.scope) == (one.record, one.scope) for one in among)


@BED.bug(
    "server.sync.cursor:Cursor.write",
    breaks="P4",
)
def a_scope_that_was_gained_is_not_back_filled(
    write: Callable[[Cursor, str], str],
) -> Callable[[Cursor, str], str]:
    """Of a scope that a device gains it is sent the first page of what was there before."""

    def faulty(cursor: Cursor, secret: str) -> str:
        return write(altered(cursor, backfills=()), secret)

    return faulty


@BED.bug(
    "server.sync.aging:compact",
    breaks="P4",
)
def tombstones_are_dropped_early(compact: Callable[..., int]) -> Callable[..., int]:
    """The feed forgets withdrawals and leaves after a night, and says so to nobody."""

    def faulty(session: Session, now: Any) -> int:
        with transaction(session):
            session.execute(text(f"DELETE FROM feed WHERE item IN ({WITHDRAWAL}, {LEAVE})"))
        return compact(session, now)

    return faulty


@BED.bug(
    "server.sync.epochs:follow_epoch",
    breaks="P1",
)
def a_cursor_ahead_begins_no_epoch(follow: Callable[..., str]) -> Callable[..., str]:
    """A server that meets a cursor beyond its own feed does not see that it is an older copy."""

    def faulty(session: Session, clock: Any, *, ended: str, reason: Any) -> str:
        known = reason == "cursor_ahead"
        return ended if known else follow(session, clock, ended=ended, reason=reason)

    return faulty


@BED.bug(
    VISIBLE,
    breaks="P5",
)
def nobody_asks_what_a_device_may_see(
    _visible: Callable[..., Head | None],
) -> Callable[..., Head | None]:
    """A mutation may touch and name any record there is."""

    def faulty(batch: Batch, record: str) -> Head | None:
        return batch.heads.get(record)

    return faulty


@BED.bug(
    "server.sync.pull:pull",
    breaks="P5",
)
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


@BED.bug(
    MERGE,
    breaks="P6",
)
def the_last_writer_wins(merge: Callable[..., Merged]) -> Callable[..., Merged]:
    """Of two edits of one field the later one is taken and the other one forgotten."""

    def faulty(*given: Any) -> Merged:
        merged = merge(*given)
        return altered(merged, taken={**merged.taken, **merged.lost}, lost={})

    return faulty


@BED.bug(MERGE, breaks="M3")
def what_is_frozen_can_be_changed(merge: Callable[..., Merged]) -> Callable[..., Merged]:
    """A field that may be set once, like the hash of a photo, is patched like any other."""

    def faulty(kind: Any, current: Any, versions: Any, edit: Edit) -> Merged:
        merged = merge(kind, current, versions, edit)
        soft = {
            name: value
            for name, value in merged.lost.items()
            if kind and kind.fields[name].rule == "frozen" and versions[name][0] <= edit.base
        }
        hard = {name: value for name, value in merged.lost.items() if name not in soft}
        return altered(merged, taken={**merged.taken, **soft}, lost=hard)

    return faulty


def _without(decision: Decision, kind: str) -> Decision:
    kept = tuple(one for one in decision.writes if one.head.kind != kind)
    return altered(decision, writes=kept)


@BED.bug(
    DECIDE,
    breaks="P6",
)
def a_value_that_lost_is_not_kept(decide: Callable[..., Decision]) -> Callable[..., Decision]:
    """A conflict is told and the value that did not win is written nowhere."""

    def faulty(*given: Any) -> Decision:
        return _without(decide(*given), "conflict")

    return faulty


@BED.bug(
    DECIDE,
    breaks="P6",
)
def what_is_refused_is_not_parked(decide: Callable[..., Decision]) -> Callable[..., Decision]:
    """A refusal is told and nobody can find, correct or restore what was refused."""

    def faulty(*given: Any) -> Decision:
        return _without(decide(*given), "parked")

    return faulty


@BED.bug(
    VISIBLE,
    breaks="P6",
)
def an_edit_brings_back_what_was_withdrawn(
    visible: Callable[..., Head | None],
) -> Callable[..., Head | None]:
    """A late edit of a record that was withdrawn meanwhile makes it live again."""

    def faulty(batch: Batch, record: str) -> Head | None:
        head = visible(batch, record)
        return head and altered(head, state=LIVE)

    return faulty


@BED.bug(
    PUSH,
    breaks="P2",
)
def a_mutation_that_comes_again_is_a_new_one(push: Push) -> Push:
    """The server keeps what it takes under ids of its own, and does not know what comes twice."""

    def faulty(sync: Sync, session: Session, envelope: Envelope, raw: Sequence[Any]) -> Pushed:
        fresh = [{**one, "id": sync.ids.new()} for one in raw]
        pushed = push(sync, session, envelope, fresh)
        for mutation, result in zip(raw, pushed.results, strict=True):
            result["id"] = mutation["id"]
            if "ack" in result:
                told = {name: value for name, value in result["ack"].items() if name != "sig"}
                told |= {"id": mutation["id"], "digest": _digest(envelope, mutation)}
                result["ack"] = acknowledge(sync.key, Acknowledged(**told))
        return pushed

    return faulty


def _digest(envelope: Envelope, raw: Any) -> str | None:
    sender = envelope.sender
    return read_mutation(raw, user=sender.user, device=sender.device).digest


@BED.bug(PUSH, breaks="P6")
def a_known_place_in_the_chain_passes_for_a_replay(push: Push) -> Push:
    """What a device that was put back saves at a number it has used before is taken for what came
    at that number then, and dropped."""

    def faulty(sync: Sync, session: Session, envelope: Envelope, raw: Sequence[Any]) -> Pushed:
        results = {one["id"]: _told_of_its_place(sync, session, one) for one in raw}
        pushed = push(sync, session, envelope, [one for one in raw if not results[one["id"]]])
        results |= {result["id"]: result for result in pushed.results}
        return altered(pushed, results=[results[one["id"]] for one in raw])

    return faulty


def _told_of_its_place(sync: Sync, session: Session, raw: Any) -> dict[str, Any]:
    """The answer to another mutation with the same device and number; empty where there is none."""
    same = MutationRow.device == raw.get("device", ""), MutationRow.n == raw.get("n", 0)
    row = session.scalars(select(MutationRow).where(*same, MutationRow.id != raw["id"])).first()
    if row is None or row.outcome != "applied":
        return {}
    about = Acknowledged(
        id=raw["id"],
        digest=read_mutation(raw, user=row.user, device=row.device).digest,
        epoch=row.epoch,
        outcome=row.outcome,
        version=row.version,
        received_at=row.received_at,
    )
    ack = acknowledge(sync.key, about)
    told: dict[str, Any] = {"outcome": row.outcome, "version": row.version, "flags": []}
    return {"id": raw["id"], **told, "ack": ack}


@BED.bug(
    PUSH,
    breaks="P8",
)
def one_refusal_refuses_the_batch(push: Push) -> Push:
    """Where one mutation of a batch is refused, the whole of it is answered with an error."""

    def faulty(sync: Sync, session: Session, envelope: Envelope, raw: Sequence[Any]) -> Pushed:
        pushed = push(sync, session, envelope, raw)
        if any(result.get("outcome") == "rejected" for result in pushed.results):
            raise Problem("bad_request")
        return pushed

    return faulty


@BED.bug(
    "server.sync.wire:read_mutation",
    breaks="P9",
)
def what_is_dated_by_a_wrong_clock_is_refused(
    read: Callable[..., Mutation],
) -> Callable[..., Mutation]:
    """A mutation from a device whose clock is years off is refused."""

    def faulty(raw: object, **sender: Any) -> Mutation:
        mutation = read(raw, **sender)
        year = str(mutation.captured.get("wall", "2026"))[:4]
        return altered(mutation, malformed=mutation.malformed or _odd(year))

    return faulty


def _odd(year: str) -> Mapping[str, str]:
    return {} if "2020" < year < "2040" else {"captured": "format"}


@BED.bug(
    "server.sync.deciding:Deciding.wake",
    breaks="P8",
)
def what_waits_is_not_woken(_wake: Callable[..., None]) -> Callable[..., None]:
    """What waited for a record is not decided in the transaction that brings it."""

    def faulty(_deciding: Any) -> None:
        return

    return faulty
