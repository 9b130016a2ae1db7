"""Takes in what is new, page by page, and starts over where the server asks. Rows are others'.

P4: a page and its cursor are one transaction. The outbox is never touched by what is pulled.
"""

from collections.abc import Callable, Iterator

from fieldstamp import _answers, _replica, _uploads, _wire
from fieldstamp._errors import DeviceRevokedError, PortalError, ServerFailedError
from fieldstamp._session import Session
from fieldstamp._store import Store, Transaction
from fieldstamp._tally import EpochChangedError, Tally
from fieldstamp._values import Progress

_PAGE = 500
_DAY_MS = 24 * 3600 * 1000


class Pull:
    """The pulls of one sync."""

    def __init__(
        self, store: Store, session: Session, *, new_key: Callable[[], str], tally: Tally
    ) -> None:
        self._store = store
        self._session = session
        self._new_key = new_key
        self._tally = tally

    def run(self) -> Iterator[Progress]:
        """Receives to the end of the feed; a revoked device forgets what it held (P5)."""
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
            raise EpochChangedError
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
            raise EpochChangedError

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
