"""One sync, one line per phase: hello and kinds, push, pull, uploads, pull, verify.

Speaks the protocol and leaves every rule about rows to ``_outbox``, ``_replica`` and ``_uploads``.
"Synced" is said only from what is stored, read in one moment at the end.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from fieldstamp import _answers, _outbox, _pace, _replica, _seal, _standing, _uploads, _wire
from fieldstamp._errors import (
    DeviceRevokedError,
    FieldstampError,
    LoginNeededError,
    OfflineError,
    PortalError,
    RefusedError,
    ServerBusyError,
    ServerFailedError,
    StoreError,
)
from fieldstamp._outbox import Ready, Settled
from fieldstamp._ports import Clock, Entropy
from fieldstamp._session import Session
from fieldstamp._store import Store, Transaction
from fieldstamp._system import uuid7
from fieldstamp._tus import Sender
from fieldstamp._values import Progress, SyncReport

_PAGE = 500
_HASHES = 100
_PATIENCE = 3
_MOST_FAILURES = 16
_PUSH_BYTES = 4 * 1024 * 1024
_ENVELOPE = 1024
_DAY_MS = 24 * 3600 * 1000
_POISON = frozenset({"bad_json", "bad_request", "validation", "too_large"})
_ENDS_ALL = (OfflineError, ServerBusyError, LoginNeededError, StoreError)


class _EpochChangedError(Exception):
    """The server was restored while this sync ran; it starts again with what is now unsent."""


@dataclass(slots=True)
class Tally:
    """What one sync counted so far."""

    outcomes: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    received: int = 0
    photos_sent: int = 0
    photos_verified: int = 0
    push_failures: int = 0
    whole: bool = False
    """The last pull reached the end of the feed."""
    mismatch: tuple[str, ...] = ()
    backoff_s: float = 0
    problems: list[FieldstampError] = field(default_factory=list)


class Syncer:
    """Carries what is saved to the server and what is new to the device, once."""

    def __init__(
        self,
        store: Store,
        session: Session,
        sender: Sender,
        *,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._store = store
        self._session = session
        self._sender = sender
        self._clock = clock
        self._entropy = entropy
        self._tally = Tally()

    def run(self, *, background: bool) -> Iterator[Progress]:
        """Syncs once. Whatever stops it stands in the report; nothing is lost by stopping."""
        self._tally = Tally()
        self._session.bytes_up = self._session.bytes_down = 0
        try:
            with self._store.syncing():
                if not self._must_wait(background=background):
                    yield from self._attempt()
        except StoreError as error:
            self._tally.problems.insert(0, error)

    def greet(self) -> None:
        """Learns what a device must know before anything can be saved offline."""
        for _ in self._greet():
            pass

    def _attempt(self) -> Iterator[Progress]:
        try:
            try:
                yield from self._phases()
            except _EpochChangedError:
                yield from self._phases()
        except _EpochChangedError:
            self._stop(ServerFailedError("the server starts a new epoch again and again"))
        except _ENDS_ALL as error:
            self._stop(error)
        self._conclude()

    def _phases(self) -> Iterator[Progress]:
        yield from self._lane(self._greet())
        if not self._has_heard():
            return
        yield from self._lane(self._push())
        yield from self._lane(self._pull())
        yield from self._lane(self._upload())
        yield from self._lane(self._pull_again())
        yield from self._lane(self._verify())

    def _lane(self, steps: Iterator[Progress]) -> Iterator[Progress]:
        """P8: what stops one phase does not stop the next, unless nothing can get through."""
        try:
            yield from steps
        except _ENDS_ALL:
            raise
        except FieldstampError as error:
            self._tally.problems.append(error)

    def _stop(self, error: FieldstampError) -> None:
        self._tally.problems.insert(0, error)

    def _greet(self) -> Iterator[Progress]:
        hello = _answers.read_hello(self._session.call("GET", "/v1/sync/hello"))
        self._session.hear_time(hello["server_time"])
        with self._store.write() as transaction:
            known = transaction.value("hello")
            transaction.keep("hello", hello)
            transaction.keep("paused", None)
            if known and known["epoch"] != hello["epoch"]:
                self._begin_epoch(transaction, hello["server_time"])
        self._learn_kinds()
        yield Progress(phase="hello")

    def _learn_kinds(self) -> None:
        with self._store.read() as transaction:
            tag = transaction.value("kinds_tag")
        headers = {"If-None-Match": tag} if tag else {}
        response = self._session.send("GET", "/v1/sync/kinds", headers=headers)
        if response.status == 304 and tag:
            return
        if response.status != 200:
            raise _answers.refusal(response)
        body = _answers.body_of(response)
        with self._store.write() as transaction:
            transaction.keep("kinds", body)
            transaction.keep("kinds_tag", response.headers.get("etag"))

    def _begin_epoch(self, transaction: Transaction, server_ms: int) -> None:
        """A restored server may have lost what it acknowledged: all of it is unsent again."""
        _outbox.reopen(transaction, server_ms=server_ms)
        _uploads.reopen(transaction, new_key=self._new_key)
        _replica.start_over(transaction)

    def _push(self) -> Iterator[Progress]:
        with self._store.read() as transaction:
            items = _outbox.in_sending_order(transaction, _outbox.ready(transaction))
        waiting: set[int] = set()
        first = [item for item in items if not item.aside]
        pushes = 0
        for batch, settled in self._push_all(first):
            waiting |= set(settled.waiting)
            pushes += 1
            yield Progress(phase="push", done=self._tally.sent, total=len(items), item=batch[0].id)
        again = [item for item in first if item.n in waiting] if pushes > 1 else []
        for batch, _ in self._push_all(again):
            yield Progress(phase="push", done=self._tally.sent, total=len(items), item=batch[0].id)
        for item in (item for item in items if item.aside):
            for _ in self._push_all([item]):
                yield Progress(phase="push", done=self._tally.sent, total=len(items), item=item.id)

    def _push_all(self, items: Sequence[Ready]) -> Iterator[tuple[list[Ready], Settled]]:
        most_bytes = self._limit("push_bytes", _PUSH_BYTES) - _ENVELOPE
        batches = deque(_outbox.batches(items, most=_outbox.LARGEST_BATCH, most_bytes=most_bytes))
        while batches:
            batch = batches.popleft()
            try:
                yield batch, self._push_one(batch)
            except (RefusedError, ServerFailedError) as error:
                batches.extendleft(reversed(self._split(batch, error)))

    def _push_one(self, batch: list[Ready]) -> Settled:
        with self._store.read() as transaction:
            sent_at = self._clock.now().isoformat(timespec="milliseconds")
            raw = _outbox.envelope(transaction, batch, sent_at=sent_at)
            key, known = _server_key(transaction), transaction.value("hello")
        answer = self._session.call("POST", "/v1/sync/push", raw)
        epoch, results = _answers.read_results(answer)
        if epoch != known["epoch"]:
            raise _EpochChangedError
        server_ms = _answers.milliseconds(str(answer.get("server_time")))
        with self._store.write() as transaction:
            settled = _outbox.settle(
                transaction,
                batch,
                results,
                epoch=epoch,
                key=key,
                server_ms=server_ms,
            )
            transaction.keep("push_failures", 0)
            if settled.forked:
                transaction.keep("forked", "store_copied")
        self._count(batch, settled, answer)
        return settled

    def _count(self, batch: list[Ready], settled: Settled, answer: _wire.JsonObject) -> None:
        self._tally.sent += len(batch)
        for outcome, count in settled.outcomes.items():
            self._tally.outcomes[outcome] = self._tally.outcomes.get(outcome, 0) + count
        wait = max(_answers.seconds(answer), settled.retry_after_s)
        self._tally.backoff_s = max(self._tally.backoff_s, wait)

    def _split(self, batch: list[Ready], error: FieldstampError) -> list[list[Ready]]:
        """P8: halves a batch that cannot be taken until the one item stands alone."""
        if isinstance(error, RefusedError) and error.code not in _POISON:
            raise error
        self._tally.push_failures += 1
        if self._tally.push_failures > _MOST_FAILURES:
            raise error
        if isinstance(error, ServerFailedError) and self._failed_before() < _PATIENCE:
            raise error
        if len(batch) > 1:
            half = len(batch) // 2
            return [batch[:half], batch[half:]]
        problem = {"code": error.code, "title": str(error), "action": error.action}
        with self._store.write() as transaction:
            _outbox.set_aside(transaction, batch[0], problem)
        return []

    def _failed_before(self) -> int:
        with self._store.write() as transaction:
            failures = int(transaction.value("push_failures") or 0) + 1
            transaction.keep("push_failures", failures)
        return failures

    def _pull(self) -> Iterator[Progress]:
        try:
            yield from self._pull_pages()
            if self._tally.mismatch and self._may_repair():
                yield from self._pull_pages()
        except DeviceRevokedError:
            with self._store.write() as transaction:
                _replica.erase(transaction)
            raise

    def _pull_pages(self) -> Iterator[Progress]:
        more = True
        self._tally.whole = False
        while more:
            page = self._pull_one()
            if page is None:
                continue
            more = page.more
            self._tally.whole = not more and not page.backfilling
            yield Progress(phase="pull", done=self._tally.received)

    def _pull_one(self) -> _answers.Page | None:
        with self._store.read() as transaction:
            cursor, hello = transaction.value("cursor"), transaction.value("hello")
        wanted = {"protocol": _wire.PROTOCOL, "schema": hello["schema"], "limit": _PAGE}
        answer = self._session.call("POST", "/v1/sync/pull", {**wanted, "cursor": cursor})
        page = _answers.read_page(answer)
        if isinstance(page, str):
            self._resync(page, cursor)
            return None
        if page.epoch != hello["epoch"]:
            raise _EpochChangedError
        if page.more and page.cursor == cursor:
            raise PortalError("the server sends the same page again and again")
        with self._store.write() as transaction:
            self._apply(transaction, page)
        self._tally.backoff_s = max(self._tally.backoff_s, _answers.seconds(answer))
        return page

    def _apply(self, transaction: Transaction, page: _answers.Page) -> None:
        self._tally.received += _replica.apply_page(transaction, page)
        pulled = {item.record: item.data for item in page.items if item.item == "put"}
        verified = _uploads.note_states(transaction, pulled, new_key=self._new_key)
        self._tally.photos_verified += verified
        if not page.more:
            self._tally.mismatch = tuple(_replica.mismatches(transaction, page.digest))

    def _resync(self, reason: str, cursor: str | None) -> None:
        if cursor is None:
            raise ServerFailedError("the server refuses to send everything", code=reason)
        with self._store.write() as transaction:
            _replica.start_over(transaction)
        if reason == "epoch_changed":
            raise _EpochChangedError

    def _may_repair(self) -> bool:
        """P7: everything is asked for again, at most once a day of server time."""
        with self._store.write() as transaction:
            now_ms = transaction.value("hello")["server_time"]
            before = transaction.value("repaired_ms")
            if before is not None and now_ms - before < _DAY_MS:
                return False
            transaction.keep("repaired_ms", now_ms)
            _replica.start_over(transaction)
        return True

    def _upload(self) -> Iterator[Progress]:
        with self._store.read() as transaction:
            due = _uploads.due(transaction)
        for upload in due:
            yield from self._sender.send(upload)
        with self._store.read() as transaction:
            left = {(upload.record, upload.part) for upload in _uploads.due(transaction)}
        done = [u for u in due if (u.record, u.part) not in left and u.part == "original"]
        self._tally.photos_sent += len(done)

    def _pull_again(self) -> Iterator[Progress]:
        if self._tally.photos_sent:
            yield from self._pull()

    def _verify(self) -> Iterator[Progress]:
        with self._store.read() as transaction:
            hashes = _uploads.unverified(transaction)
            epoch, key = transaction.value("hello")["epoch"], _server_key(transaction)
        for start in range(0, len(hashes), _HASHES):
            asked = {"sha256": hashes[start : start + _HASHES]}
            answer = self._session.call("POST", "/v1/media/have", asked)
            acks = _answers.read_photo_acks(answer, key)
            with self._store.write() as transaction:
                verified = _uploads.note_acks(transaction, acks, epoch=epoch)
            self._tally.photos_verified += verified
            yield Progress(phase="verify", done=start + len(asked["sha256"]), total=len(hashes))

    def _must_wait(self, *, background: bool) -> bool:
        with self._store.read() as transaction:
            wait = _pace.read(transaction.value("wait"))
        left = _pace.left_s(wait, self._clock)
        if wait is None or not left or not (background or wait.asked):
            return False
        self._stop(ServerBusyError("not yet", retry_after_s=left, request_id=None))
        return True

    def _conclude(self) -> None:
        """Keeps when to try again, and whether all of this is true: nothing is left."""
        error = self._tally.problems[0] if self._tally.problems else None
        with self._store.write() as transaction:
            transaction.keep("wait", self._next_wait(transaction, error).kept())
            if isinstance(error, LoginNeededError):
                transaction.keep("paused", error.code)
            transaction.keep("synced", self._is_synced(transaction))

    def _next_wait(self, transaction: Transaction, error: FieldstampError | None) -> _pace.Wait:
        if error is None or not error.retryable:
            return _pace.after_success(backoff_s=self._tally.backoff_s, clock=self._clock)
        asked_s = error.retry_after_s if isinstance(error, ServerBusyError) else None
        before = _pace.read(transaction.value("wait"))
        return _pace.after_failure(
            before, asked_s=asked_s, clock=self._clock, entropy=self._entropy
        )

    def _is_synced(self, transaction: Transaction) -> bool:
        mutations, uploads, _ = _standing.open_counts(transaction)
        settled = not mutations and not uploads and not self._tally.mismatch
        return settled and self._tally.whole and not self._tally.problems

    def report(self) -> SyncReport:
        """What the last run did and what is left."""
        tally, outcomes = self._tally, self._tally.outcomes
        with self._store.read() as transaction:
            mutations, uploads, _ = _standing.open_counts(transaction)
            synced = self._is_synced(transaction)
            needs_you = _standing.needs_you(transaction)
            unknown = _replica.unknown_kinds(transaction)
            wait = _pace.left_s(_pace.read(transaction.value("wait")), self._clock)
        reason, message, action = self._why(synced=synced)
        return SyncReport(
            sent=tally.sent,
            applied=outcomes.get("applied", 0),
            merged=outcomes.get("merged", 0),
            conflicts=outcomes.get("conflict", 0),
            rejected=outcomes.get("rejected", 0),
            waiting=outcomes.get("waiting", 0),
            received=tally.received,
            photos_sent=tally.photos_sent,
            photos_verified=tally.photos_verified,
            bytes_up=self._session.bytes_up,
            bytes_down=self._session.bytes_down,
            pending=mutations + uploads,
            needs_you=needs_you,
            unknown_kinds=unknown,
            digest_mismatch=tally.mismatch,
            synced=synced,
            reason=reason,
            message=message,
            action=action,
            retry_in_s=wait,
        )

    def _why(self, *, synced: bool) -> tuple[str | None, str, str]:
        if synced:
            return None, "", ""
        if self._tally.problems:
            error = self._tally.problems[0]
            return error.code, str(error), error.action
        if self._tally.mismatch:
            return "digest_mismatch", "this device holds something else than the server says", ""
        if not self._tally.whole:
            return "receiving", "the server has more to send", "Sync again."
        return "pending", "something is still on its way", "Sync again later."

    def _has_heard(self) -> bool:
        with self._store.read() as transaction:
            return transaction.value("hello") is not None

    def _limit(self, name: str, otherwise: int) -> int:
        with self._store.read() as transaction:
            hello = transaction.value("hello") or {}
        return int(hello.get("limits", {}).get(name, otherwise))

    def _new_key(self) -> str:
        return uuid7(self._clock.now(), self._entropy.secret(10))


def _server_key(transaction: Transaction) -> _seal.PublicKey:
    return _seal.PublicKey(**transaction.value("account")["server_key"])
