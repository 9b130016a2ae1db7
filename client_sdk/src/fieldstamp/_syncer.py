"""One sync, one line per phase: hello and kinds, push, fork, pull, uploads, pull, verify.

Speaks the protocol and leaves every rule about rows to ``_outbox``, ``_replica`` and ``_uploads``.
"Synced" is said only from what is stored, read in one moment at the end.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any

from fieldstamp import _answers, _capture, _outbox, _pace, _replica, _standing, _uploads
from fieldstamp._blobs import Blobs
from fieldstamp._errors import (
    AppTooOldError,
    FieldstampError,
    LoginNeededError,
    OfflineError,
    ServerBusyError,
    ServerFailedError,
    StoreError,
)
from fieldstamp._lanes import Lanes
from fieldstamp._ports import Clock, Entropy
from fieldstamp._previews import Previews
from fieldstamp._pull import Pull
from fieldstamp._push import Push
from fieldstamp._session import Session, server_key
from fieldstamp._store import Store, Transaction
from fieldstamp._tally import EpochChangedError, Tally, need_epoch
from fieldstamp._tus import Sender
from fieldstamp._values import Progress, SyncReport

_HASHES, _SHOWN = 100, 500
_ENDS_ALL = (OfflineError, ServerBusyError, LoginNeededError, StoreError)


class Syncer:
    """Carries what is saved to the server and what is new to the device, once."""

    def __init__(
        self,
        store: Store,
        session: Session,
        blobs: Blobs,
        *,
        clock: Clock,
        entropy: Entropy,
        new_key: Callable[[], str],
        language: str,
    ) -> None:
        self._store = store
        self._session = session
        self._sender = Sender(store, session, blobs, clock=clock, new_key=new_key)
        self._previews = Previews(store, session, blobs)
        self._clock = clock
        self._entropy = entropy
        self._new_key = new_key
        self._language = language
        self._tally = Tally()
        self._push = Push(store, session, clock=clock, tally=self._tally)
        self._pull = Pull(store, session, blobs, new_key=new_key, tally=self._tally)

    def run(self, *, background: bool) -> Generator[Progress, None, None]:
        """Syncs once. Whatever stops it stands in the report; nothing is lost by stopping."""
        self._session.bytes_up = self._session.bytes_down = 0
        try:
            with self._store.syncing():
                if not self._must_wait(background=background):
                    yield from self._attempt()
        except StoreError as error:
            self._stop(error)

    def greet(self) -> None:
        """Learns what a device must know before anything can be saved offline."""
        for _ in self._greet():
            pass

    def _attempt(self) -> Iterator[Progress]:
        try:
            try:
                yield from self._phases()
            except EpochChangedError:
                yield from self._phases()
        except EpochChangedError:
            self._stop(ServerFailedError("the server starts a new epoch again and again"))
        except _ENDS_ALL as error:
            self._stop(error)
        self._conclude()

    def _phases(self) -> Iterator[Progress]:
        yield from self._lane(self._greet())
        if not self._has_heard():
            return
        yield from self._lane(self._push.run())
        yield from self._lane(self._leave_copy())
        yield from self._lane(self._pull.run())
        yield from self._lane(self._upload())
        yield from self._lane(self._pull_again())
        yield from self._lane(self._verify())
        yield from self._lane(self._previews.fetch())

    def _lane(self, steps: Iterator[Progress]) -> Iterator[Progress]:
        """P8: what stops one phase does not stop the next, unless nothing can get through."""
        try:
            yield from steps
        except _ENDS_ALL:
            raise
        except FieldstampError as error:
            self._tally.problems.append(error)
            self._tally.push_only |= isinstance(error, AppTooOldError)

    def _stop(self, error: FieldstampError) -> None:
        self._tally.problems.insert(0, error)

    def _greet(self) -> Iterator[Progress]:
        hello = _answers.read_hello(self._session.call("GET", "/v1/sync/hello"))
        self._session.hear_time(hello["server_time"])
        with self._store.write() as transaction:
            known = transaction.value("hello")
            transaction.keep("hello", hello)
            if known and known["epoch"] != hello["epoch"]:
                self._send_all_again(transaction)
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
        kinds = _answers.read_kinds(_answers.body_of(response))
        with self._store.write() as transaction:
            transaction.keep("kinds", kinds)
            transaction.keep("kinds_tag", response.headers.get("etag"))

    def _send_all_again(self, transaction: Transaction) -> None:
        """A restored server may have lost what it acknowledged: all of it is unsent again."""
        _outbox.reopen(transaction)
        _uploads.reopen(transaction, new_key=self._new_key)
        transaction.keep("restored", True)
        _replica.begin_snapshot(transaction)

    def _leave_copy(self) -> Iterator[Progress]:
        """A copied store goes on under a device of its own; what it has sealed stays as it is."""
        with self._store.read() as transaction:
            copied = transaction.value("forked") is not None
        if copied:
            self._session.succeed(self._begin_device)
            yield Progress(phase="hello")

    def _begin_device(self, transaction: Transaction) -> None:
        _capture.start_chain(transaction)
        _replica.begin_snapshot(transaction)
        transaction.keep("forked", None)

    def _upload(self) -> Iterator[Progress]:
        yield from self._find_lost()
        with self._store.read() as transaction:
            due = _uploads.due(transaction)
        lanes = Lanes(self._session.carry, lanes=self._session.lanes)
        done = 0
        for step in lanes.run(self._sender.steps(upload) for upload in due):
            done += step.done
            yield replace(step, done=done, total=len(due))
        self._tally.problems += self._sender.blocked
        with self._store.read() as transaction:
            left = {(upload.record, upload.part) for upload in _uploads.due(transaction)}
        gone = [u for u in due if (u.record, u.part) not in left and u.part == "original"]
        self._tally.photos_sent += len(gone)
        self._hear_of_loss()

    def _hear_of_loss(self) -> None:
        """P6: a server that does not know a photo it has acknowledged is an older copy.

        Once an epoch, so that a photo which no push makes known sends nothing in a circle.
        """
        with self._store.write() as transaction:
            epoch = transaction.value("hello")["epoch"]
            if transaction.value("lost_in") != epoch and _uploads.take_unknown(transaction):
                self._send_all_again(transaction)
                transaction.keep("lost_in", epoch)

    def _find_lost(self) -> Iterator[Progress]:
        """After a restore the server is asked what it still has before anything goes again."""
        with self._store.read() as transaction:
            restored = transaction.value("restored")
        if restored:
            before = self._tally.photos_verified
            yield from self._verify()
            self._tally.taken_back = self._tally.photos_verified - before
            with self._store.write() as transaction:
                _uploads.send_lost(transaction, new_key=self._new_key)
                transaction.keep("restored", None)

    def _pull_again(self) -> Iterator[Progress]:
        if self._tally.photos_sent or self._tally.taken_back:
            yield from self._pull.run()

    def _verify(self) -> Iterator[Progress]:
        with self._store.read() as transaction:
            hashes = _uploads.unacknowledged(transaction)
            hello, key = transaction.value("hello"), server_key(transaction)
        for start in range(0, len(hashes), _HASHES):
            asked: dict[str, Any] = {"sha256": hashes[start : start + _HASHES]}
            with self._store.read() as transaction:
                shown = _uploads.to_show(transaction, asked["sha256"])
            if shown:
                asked["acknowledgements"] = shown[:_SHOWN]
            answer = self._session.call("POST", "/v1/media/have", asked)
            acks = _answers.read_photo_acks(answer, key)
            with self._store.write() as transaction:
                need_epoch(transaction, hello["epoch"])
                verified = _uploads.note_acks(
                    transaction, acks, epoch=hello["epoch"], server_ms=hello["server_time"]
                )
            self._tally.photos_verified += verified
            yield Progress(phase="verify", done=start + len(asked["sha256"]), total=len(hashes))

    def _must_wait(self, *, background: bool) -> bool:
        with self._store.read() as transaction:
            wait = _pace.read(transaction.value("wait"))
        if asked := _pace.asked_left_s(wait, self._clock):
            self._stop(ServerBusyError("not yet", retry_after_s=asked, request_id=None))
            return True
        if background and _pace.left_s(wait, self._clock):
            self._stop(FieldstampError("not yet", code="not_due", retryable=True, action=""))
            return True
        return False

    def _conclude(self) -> None:
        """Keeps when to try again, and whether all of this is true: nothing is left."""
        error = self._tally.problems[0] if self._tally.problems else None
        with self._store.write() as transaction:
            transaction.keep("wait", self._next_wait(transaction, error).kept())
            if isinstance(error, LoginNeededError):
                transaction.keep("paused", error.code)
            elif not isinstance(error, _ENDS_ALL):
                transaction.keep("paused", None)
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
            needs_you = _standing.needs_you(transaction, self._language)
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
            push_only=tally.push_only,
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
