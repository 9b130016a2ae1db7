"""Takes in what is new, page by page, and mends what does not agree. Rows are others'.

P4: a page and its cursor are one transaction. The outbox is never touched by what is pulled.
"""

from collections.abc import Callable, Iterator

from fieldstamp import _answers, _pages, _previews, _replica, _uploads, _wire
from fieldstamp._blobs import Blobs
from fieldstamp._errors import DeviceRevokedError, PortalError, ServerFailedError
from fieldstamp._resync import Resync
from fieldstamp._session import Session
from fieldstamp._store import Store, Transaction
from fieldstamp._tally import EpochChangedError, Tally, need_epoch
from fieldstamp._values import Progress

_PAGE = 500
_MOST_RESYNCS = 3


class Pull:
    """The pulls of one sync."""

    def __init__(
        self,
        store: Store,
        session: Session,
        blobs: Blobs,
        *,
        new_key: Callable[[], str],
        tally: Tally,
    ) -> None:
        self._store = store
        self._session = session
        self._blobs = blobs
        self._new_key = new_key
        self._tally = tally
        self._resync = Resync(store, session, new_key=new_key, tally=tally)
        self._resyncs = 0

    def run(self) -> Iterator[Progress]:
        """Receives to the end of the feed; a revoked device forgets what it held (P5)."""
        try:
            yield from self._agree()
        except DeviceRevokedError:
            with self._store.write() as transaction:
                _replica.erase(transaction)
            raise

    def _agree(self) -> Iterator[Progress]:
        """P7: what differs is mended by its buckets, and by a snapshot where that is no help."""
        yield from self._pull_pages()
        if self._tally.mismatch:
            yield from self._resync.repair(self._tally.mismatch)
            yield from self._pull_pages()
        if self._tally.mismatch and self._resync.begin_daily(self._tally.mismatch):
            yield from self._pull_pages()

    def _pull_pages(self) -> Iterator[Progress]:
        more = True
        self._tally.whole = False
        while more:
            yield from self._resync.replace()
            page = self._pull_one()
            if page is None:
                continue
            more = page.more
            self._tally.whole = not more and not page.backfilling
            yield Progress(phase="pull", done=self._tally.received)

    def _pull_one(self) -> _pages.Page | None:
        with self._store.read() as transaction:
            cursor, hello = transaction.value("cursor"), transaction.value("hello")
        wanted = {"protocol": _wire.PROTOCOL, "schema": hello["schema"], "limit": _PAGE}
        answer = self._session.call("POST", "/v1/sync/pull", {**wanted, "cursor": cursor})
        page = _pages.read_page(answer)
        if isinstance(page, _pages.Resync):
            self._start_over(page, cursor, known=hello["epoch"])
            return None
        if page.more and page.cursor == cursor:
            raise PortalError("the server sends the same page again and again")
        with self._store.write() as transaction:
            need_epoch(transaction, page.epoch)
            self._apply(transaction, page)
        self._tally.backoff_s = max(self._tally.backoff_s, _answers.seconds(answer))
        return page

    def _apply(self, transaction: Transaction, page: _pages.Page) -> None:
        self._tally.received += _replica.apply_page(transaction, page)
        pulled = {item.record: item.data for item in page.items if item.item == "put"}
        verified = _uploads.note_states(transaction, pulled, new_key=self._new_key)
        self._tally.photos_verified += verified
        _previews.wish_for_guided(transaction, pulled, blobs=self._blobs)
        if page.digest:  # nothing is on its way any more, so that every record was told its place
            _replica.remove_unplaced(transaction)
        if not page.more:
            self._tally.mismatch = tuple(_replica.mismatches(transaction, page.digest))
        if page.more or page.backfilling or self._tally.mismatch:
            # P7: true until the rest is here, also where this sync ends in the middle.
            transaction.keep("synced", False)

    def _start_over(self, asked: _pages.Resync, cursor: str | None, *, known: str) -> None:
        self._resyncs += 1
        if cursor is None or self._resyncs > _MOST_RESYNCS:
            raise ServerFailedError("the server refuses to send everything", code=asked.reason)
        if asked.reason == "epoch_changed" or asked.epoch not in {None, known}:
            # What was acknowledged is sent again before anything is replaced.
            raise EpochChangedError
        self._resync.begin()
