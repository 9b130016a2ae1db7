"""Bugs of the client: what a device keeps, believes and says."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fieldstamp import _replica, _wire
from fieldstamp._answers import Result
from fieldstamp._blobs import Blobs
from fieldstamp._capture import Base, Intent
from fieldstamp._errors import OfflineError, StoreBusyError
from fieldstamp._outbox import Ready, Settled
from fieldstamp._pace import Wait
from fieldstamp._pages import Page, Resync
from fieldstamp._ports import Clock
from fieldstamp._session import Session
from fieldstamp._store import Store, Transaction
from tests.planted.bug import Bed, altered

BED = Bed()
APPLY = "fieldstamp._replica:apply_page"
SETTLE = "fieldstamp._outbox:settle"

Apply = Callable[[Transaction, Page], int]


@BED.bug(
    APPLY,
    breaks="P4",
)
def the_cursor_is_stored_before_the_page(apply: Apply) -> Apply:
    """A device that dies inside a page never asks for it again."""

    def faulty(transaction: Transaction, page: Page) -> int:
        transaction.keep("cursor", page.cursor)
        transaction.run("COMMIT")
        transaction.run("BEGIN IMMEDIATE")
        return apply(transaction, page)

    return faulty


@BED.bug(
    APPLY,
    breaks="P6",
)
def unsent_work_goes_with_the_record_that_left(apply: Apply) -> Apply:
    """What was typed and not sent yet is dropped when its record leaves the device."""

    def faulty(transaction: Transaction, page: Page) -> int:
        held = {row[0] for row in transaction.rows("SELECT id FROM record")}
        applied = apply(transaction, page)
        for record in held - {row[0] for row in transaction.rows("SELECT id FROM record")}:
            transaction.run(
                "DELETE FROM mutation WHERE record = ? AND state IN ('ready', 'waiting')", record
            )
        return applied

    return faulty


@BED.bug(
    "fieldstamp._capture:Sealer.save",
    breaks="P6",
)
def a_pull_moves_the_base_of_an_edit(save: Callable[..., list[int]]) -> Callable[..., list[int]]:
    """An edit is sealed with the version that is here when it is saved, not the one it saw."""

    def faulty(
        sealer: Any, transaction: Transaction, intents: Sequence[Intent], **more: Any
    ) -> list[int]:
        moved = [altered(intent, base=_newest(transaction, intent)) for intent in intents]
        return save(sealer, transaction, moved, **more)

    return faulty


def _newest(transaction: Transaction, intent: Intent) -> Base:
    known = _replica.find(transaction, intent.record)
    return Base(version=known.version, epoch=known.epoch) if known else intent.base


@BED.bug(
    "fieldstamp._session:Session.call",
    breaks="P2",
)
def a_push_without_an_answer_counts_as_done(call: Callable[..., Any]) -> Callable[..., Any]:
    """Where no answer comes to a push in time, its mutations are taken for applied."""

    def faulty(session: Session, method: str, path: str, body: Any = None) -> Any:
        try:
            return call(session, method, path, body)
        except OfflineError:
            if path == "/v1/sync/push":
                with session._store.write() as transaction:
                    transaction.run("UPDATE mutation SET state = 'applied' WHERE state = 'ready'")
            raise

    return faulty


@BED.bug(
    SETTLE,
    breaks="P2",
)
def the_first_answer_settles_the_whole_queue(
    settle: Callable[..., Settled],
) -> Callable[..., Settled]:
    """An answer to one batch of a long queue is taken for the answer to all of it."""

    def faulty(transaction: Transaction, *batch: Any, **answer: Any) -> Settled:
        settled = settle(transaction, *batch, **answer)
        transaction.run("UPDATE mutation SET state = 'applied' WHERE state = 'ready'")
        return settled

    return faulty


@BED.bug(
    SETTLE,
    breaks="P2",
)
def silence_about_a_mutation_counts_as_applied(
    settle: Callable[..., Settled],
) -> Callable[..., Settled]:
    """A mutation that the answer says nothing of is taken for applied."""

    def faulty(
        transaction: Transaction,
        batch: Sequence[Ready],
        results: Mapping[str, Result],
        **answer: Any,
    ) -> Settled:
        settled = settle(transaction, batch, results, **answer)
        for item in batch:
            if item.id not in results:
                transaction.run("UPDATE mutation SET state = 'applied' WHERE n = ?", item.n)
        return settled

    return faulty


@BED.bug(
    "fieldstamp._answers:is_acknowledged",
    breaks="P3",
)
def anybody_may_acknowledge(_is: Callable[..., bool]) -> Callable[..., bool]:
    """An outcome is believed without the server's signature on it."""

    def faulty(*_given: Any, **_more: Any) -> bool:
        return True

    return faulty


@BED.bug(
    "fieldstamp._outbox:ready",
    breaks="P8",
)
def what_waits_is_not_sent_again(
    ready: Callable[[Transaction], list[Ready]],
) -> Callable[[Transaction], list[Ready]]:
    """A mutation whose outcome is ``waiting`` is asked about no more."""

    def faulty(transaction: Transaction) -> list[Ready]:
        waiting = {
            row[0] for row in transaction.rows("SELECT n FROM mutation WHERE state = 'waiting'")
        }
        return [item for item in ready(transaction) if item.n not in waiting]

    return faulty


@BED.bug(
    "fieldstamp._standing:open_counts",
    breaks="P2",
)
def synced_is_said_while_photos_are_missing(
    counts: Callable[[Transaction], tuple[int, int, int]],
) -> Callable[[Transaction], tuple[int, int, int]]:
    """Photos that have not arrived do not count as something that is left to do."""

    def faulty(transaction: Transaction) -> tuple[int, int, int]:
        mutations, _uploads, size = counts(transaction)
        return mutations, 0, size

    return faulty


@BED.bug(
    "fieldstamp._outbox:reopen",
    breaks="P6",
)
def what_a_restored_server_forgot_is_not_sent_again(
    _reopen: Callable[..., int],
) -> Callable[..., int]:
    """After a new epoch the device believes in acknowledgements of the one before."""

    def faulty(_transaction: Transaction) -> int:
        return 0

    return faulty


@BED.bug(
    "fieldstamp._replica:begin_snapshot",
    breaks="P6",
)
def a_snapshot_empties_the_outbox(
    begin: Callable[[Transaction], None],
) -> Callable[[Transaction], None]:
    """Where everything is replaced, what was not sent yet is thrown away with the rest."""

    def faulty(transaction: Transaction) -> None:
        transaction.run(
            "UPDATE mutation SET state = 'rejected', laid = 0 WHERE state IN ('ready', 'waiting')"
        )
        begin(transaction)

    return faulty


@BED.bug(
    "fieldstamp._replica:mismatches",
    breaks="P7",
)
def a_digest_that_differs_is_not_looked_at(
    _mismatches: Callable[..., list[str]],
) -> Callable[..., list[str]]:
    """A device that holds something else than the server says goes on with it."""

    def faulty(_transaction: Transaction, _digest: Any) -> list[str]:
        return []

    return faulty


@BED.bug(
    "fieldstamp._replica:write_copy",
    breaks="P1",
)
def an_older_copy_replaces_a_newer_one(write: Callable[..., None]) -> Callable[..., None]:
    """The data of a page is taken whatever version the device has already."""

    def faulty(transaction: Transaction, **copy: Any) -> None:
        write(transaction, **copy | {"whatever_version": True})

    return faulty


@BED.bug(
    "fieldstamp._replica:erase",
    breaks="P5",
)
def a_revoked_device_keeps_what_it_holds(
    _erase: Callable[[Transaction], None],
) -> Callable[[Transaction], None]:
    """A device that is told to forget the company's records does not."""

    def faulty(_transaction: Transaction) -> None:
        return

    return faulty


@BED.bug(
    "fieldstamp._pages:read_page",
    breaks="P7",
)
def a_record_that_fails_its_check_is_used(
    read: Callable[[Any], Page | Resync],
) -> Callable[[Any], Page | Resync]:
    """A record whose data are not what their hash says is applied all the same."""

    def faulty(body: Any) -> Page | Resync:
        for item in body.get("items") or ():
            if "data" in item:
                item["hash"] = _wire.record_hash(item["data"])
        return read(body)

    return faulty


@BED.bug(
    "fieldstamp._blobs:Blobs.is_whole",
    breaks="M2",
)
def a_file_that_is_there_is_taken_for_whole(
    _is: Callable[[Blobs, str], bool],
) -> Callable[[Blobs, str], bool]:
    """What the disk gives back is sent without a look at its hash."""

    def faulty(blobs: Blobs, name: str) -> bool:
        return blobs.is_here(name)

    return faulty


@BED.bug(
    "fieldstamp._pace:left_s",
    breaks="P9",
)
def a_wait_is_measured_by_the_wall_clock(
    _left: Callable[..., float],
) -> Callable[..., float]:
    """A device whose clock is set back tries nothing for as long as it was set back."""

    def faulty(wait: Wait | None, clock: Clock) -> float:
        if wait is None:
            return 0
        passed_ms = clock.now().timestamp() * 1000 - wait.wall_ms
        return max(0.0, wait.delay_s - passed_ms / 1000)

    return faulty


@BED.bug("fieldstamp._store:Store.syncing", breaks="P8")
def the_lock_of_a_sync_is_never_freed(_syncing: Callable[..., Any]) -> Callable[..., Any]:
    """After the first sync the button does nothing until the program is started anew."""

    @contextmanager
    def faulty(store: Store) -> Iterator[None]:
        if not store._lock.take():
            raise StoreBusyError("another process is syncing this store")
        yield

    return faulty


@BED.bug(
    "fieldstamp._system:SystemDisk.publish",
    breaks="P6",
)
def the_name_of_a_saved_photo_is_not_flushed(
    _publish: Callable[..., None],
) -> Callable[..., None]:
    """A photo that was saved is gone after a power cut, and its record names it still."""

    def faulty(_disk: Any, part: Path, final: Path) -> None:
        part.replace(final)

    return faulty


@BED.bug(
    "fieldstamp._system:SystemDisk.write_new",
    breaks="P6",
)
def the_bytes_of_a_saved_photo_are_not_flushed(
    _write: Callable[..., None],
) -> Callable[..., None]:
    """A photo that was saved is empty after a power cut."""

    def faulty(_disk: Any, path: Path, content: bytes) -> None:
        path.write_bytes(content)

    return faulty


@BED.bug(
    "fieldstamp._store:Store.write",
    breaks="P6",
)
def what_was_saved_is_flushed_some_time_later(
    write: Callable[..., Any],
) -> Callable[..., Any]:
    """A save returns before it has reached the disk."""

    def faulty(store: Any) -> Any:
        store._connection.execute("PRAGMA synchronous = OFF")
        return write(store)

    return faulty
