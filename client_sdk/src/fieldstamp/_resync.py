"""Replaces what this device holds: a snapshot by pages, or single buckets of a scope (P7).

The outbox is never touched. A snapshot goes on where it stopped, however often the device is
switched off meanwhile. Rows are ``_replica``'s.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fieldstamp import _pages, _replica, _uploads, _wire
from fieldstamp._errors import PortalError, RefusedError
from fieldstamp._session import Session
from fieldstamp._store import Store, Transaction
from fieldstamp._tally import Tally, need_epoch
from fieldstamp._values import Progress

_PAGE = 500
_MOST_BEGINNINGS = 3
_DAY_MS = 24 * 3600 * 1000


class Resync:
    """The replacements of one sync."""

    def __init__(
        self, store: Store, session: Session, *, new_key: Callable[[], str], tally: Tally
    ) -> None:
        self._store = store
        self._session = session
        self._new_key = new_key
        self._tally = tally
        self._beginnings = 0

    def replace(self) -> Iterator[Progress]:
        """Receives what is left of a snapshot that was begun; nothing where none was."""
        while (asked := self._next_page()) is not None:
            page = self._receive(asked)
            if page is None:
                continue
            with self._store.write() as transaction:
                need_epoch(transaction, page.epoch)
                _replica.apply_snapshot(transaction, page)
                pulled = {item.record: item.data for item in page.items}
                self._tally.photos_verified += _uploads.note_states(
                    transaction, pulled, new_key=self._new_key
                )
            self._tally.received += len(page.items)
            yield Progress(phase="pull", done=self._tally.received)

    def _next_page(self) -> _wire.JsonObject | None:
        """What to ask for next: ``page`` is None for the first one."""
        with self._store.read() as transaction:
            asked: _wire.JsonObject | None = transaction.value("snapshot")
        return asked

    def _receive(self, asked: _wire.JsonObject) -> _pages.SnapshotPage | None:
        """The page; None where the place in the snapshot is worth nothing any more."""
        wanted = {"protocol": _wire.PROTOCOL, "page": asked["page"], "limit": _PAGE}
        try:
            page = _pages.read_snapshot(self._session.call("POST", "/v1/sync/snapshot", wanted))
        except RefusedError as error:
            is_of_the_place = error.code in {"bad_request", "validation"}
            self._beginnings += 1
            if asked["page"] is None or not is_of_the_place or self._beginnings > _MOST_BEGINNINGS:
                raise
            self.begin()
            return None
        if page.page is not None and page.page == asked["page"]:
            raise PortalError("the server sends the same page again and again")
        return page

    def begin(self) -> None:
        """Asks for everything again, from the next request on."""
        with self._store.write() as transaction:
            _replica.begin_snapshot(transaction)

    def repair(self, scopes: Iterable[str]) -> Iterator[Progress]:
        """P7: brings the buckets that differ; a snapshot where that is too much."""
        for scope in scopes:
            differing = self._differing(scope)
            if differing and not self._repair(scope, differing):
                self.begin_daily([scope])
            yield Progress(phase="pull", done=self._tally.received)

    def _differing(self, scope: str) -> list[str]:
        told = _pages.read_breakdown(self._ask(scope))
        self._need_epoch(told.epoch)
        with self._store.read() as transaction:
            held = _replica.held_buckets(transaction, scope)
        return sorted(
            bucket
            for bucket in told.buckets.keys() | held.keys()
            if told.buckets.get(bucket) != held.get(bucket)
        )

    def _repair(self, scope: str, buckets: list[str]) -> bool:
        brought = _pages.read_repair(self._ask(scope, repair=buckets))
        if brought.items is None:
            return False
        with self._store.write() as transaction:
            need_epoch(transaction, brought.epoch)
            _replica.repair_buckets(transaction, scope, buckets, brought.items, epoch=brought.epoch)
        self._tally.received += len(brought.items)
        return True

    def begin_daily(self, scopes: Iterable[str]) -> bool:
        """Begins a snapshot unless each of ``scopes`` had one within a day of server time."""
        with self._store.write() as transaction:
            due = _due(transaction, scopes)
            if due:
                _replica.begin_snapshot(transaction)
        return due

    def _ask(self, scope: str, **more: Any) -> Any:
        asked = {"protocol": _wire.PROTOCOL, "scope": scope, **more}
        return self._session.call("POST", "/v1/sync/digest", asked)

    def _need_epoch(self, epoch: str) -> None:
        with self._store.read() as transaction:
            need_epoch(transaction, epoch)


def _due(transaction: Transaction, scopes: Iterable[str]) -> bool:
    now_ms = transaction.value("hello")["server_time"]
    before = transaction.value("replaced_ms") or {}
    # P9: a server whose clock was ahead once replaced nothing in the future.
    due = [s for s in scopes if s not in before or not 0 <= now_ms - before[s] < _DAY_MS]
    transaction.keep("replaced_ms", before | dict.fromkeys(due, now_ms))
    return bool(due)
