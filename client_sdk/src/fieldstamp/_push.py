"""Hands in what waits: batches in order, halved where they cannot be taken. Rows are ``_outbox``'s.

P8: one bad item never blocks another; what stands alone and cannot be taken is set aside, visibly.
"""

from collections import deque
from collections.abc import Iterator, Sequence

from fieldstamp import _answers, _outbox, _wire
from fieldstamp._errors import FieldstampError, PortalError, RefusedError, ServerFailedError
from fieldstamp._outbox import Ready, Settled
from fieldstamp._ports import Clock
from fieldstamp._session import Session, server_key
from fieldstamp._store import Store
from fieldstamp._tally import Tally, need_epoch
from fieldstamp._values import Progress

_PATIENCE = 3
_MOST_FAILURES = 16
_PUSH_BYTES = 4 * 1024 * 1024
_ENVELOPE = 1024
_POISON = frozenset({"bad_json", "bad_request", "validation", "too_large"})


class Push:
    """The push of one sync."""

    def __init__(self, store: Store, session: Session, *, clock: Clock, tally: Tally) -> None:
        self._store = store
        self._session = session
        self._clock = clock
        self._tally = tally
        self._failures = 0
        self._poisoned = False

    def run(self) -> Iterator[Progress]:
        """Sends everything without a final outcome once; what was set aside comes last, alone."""
        with self._store.read() as transaction:
            items = _outbox.in_sending_order(transaction, _outbox.ready(transaction))
            tried = int(transaction.value("tried_alone") or 0)
        fresh = [item for item in items if not item.aside]
        waiting: set[int] = set()
        pushes = 0
        for settled in self._push_all(fresh):
            waiting |= set(settled.waiting)
            pushes += 1
            yield self._progress(items)
        # What an early batch waited for may have come with a later one.
        again = [item for item in fresh if item.n in waiting] if pushes > 1 else []
        # P8: where many are set aside, each sync begins behind the one that it tried last.
        aside = sorted(
            (item for item in items if item.aside), key=lambda one: (one.n <= tried, one.n)
        )
        for alone in [again, *([item] for item in aside)]:
            for _ in self._push_all(alone):
                yield self._progress(items)
        if not self._failures:
            self._forget_failures()

    def _progress(self, items: Sequence[Ready]) -> Progress:
        return Progress(phase="push", done=min(self._tally.sent, len(items)), total=len(items))

    def _push_all(self, items: Sequence[Ready]) -> Iterator[Settled]:
        most_bytes = self._most_bytes()
        batches = deque(_outbox.batches(items, most=_outbox.LARGEST_BATCH, most_bytes=most_bytes))
        while batches:
            batch = batches.popleft()
            try:
                yield self._push_one(batch)
            except (PortalError, RefusedError, ServerFailedError) as error:
                batches.extendleft(reversed(self._split(batch, error)))

    def _push_one(self, batch: list[Ready]) -> Settled:
        with self._store.read() as transaction:
            sent_at = self._clock.now().isoformat(timespec="milliseconds")
            raw = _outbox.envelope(transaction, batch, sent_at=sent_at)
            key = server_key(transaction)
        answer = self._session.call("POST", "/v1/sync/push", raw)
        epoch, results = _answers.read_results(answer)
        server_ms = _answers.milliseconds(str(answer.get("server_time")))
        with self._store.write() as transaction:
            need_epoch(transaction, epoch)
            settled = _outbox.settle(
                transaction,
                batch,
                results,
                epoch=epoch,
                key=key,
                server_ms=server_ms,
            )
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
        self._failures += 1
        if self._failures > _MOST_FAILURES:
            raise error
        if not isinstance(error, RefusedError) and not self._is_poisoned():
            raise error
        if isinstance(error, PortalError):
            # What stands between refuses these bytes where the server itself can be reached.
            _answers.read_hello(self._session.call("GET", "/v1/sync/hello"))
        if len(batch) > 1:
            half = len(batch) // 2
            return [batch[:half], batch[half:]]
        code = "blocked" if isinstance(error, PortalError) else error.code
        problem = {"code": code, "title": str(error), "action": error.action}
        with self._store.write() as transaction:
            _outbox.set_aside(transaction, batch[0], problem)
            transaction.keep("tried_alone", batch[0].n)
        return []

    def _is_poisoned(self) -> bool:
        """A server that fails may just be failing; only the third time in a row we look closer."""
        if not self._poisoned:
            with self._store.write() as transaction:
                failures = int(transaction.value("push_failures") or 0) + 1
                transaction.keep("push_failures", failures)
            self._poisoned = failures >= _PATIENCE
        return self._poisoned

    def _forget_failures(self) -> None:
        with self._store.write() as transaction:
            transaction.keep("push_failures", 0)

    def _most_bytes(self) -> int:
        with self._store.read() as transaction:
            limits = transaction.value("hello")["limits"]
        return int(limits.get("push_bytes", _PUSH_BYTES)) - _ENVELOPE
