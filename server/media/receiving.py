"""From the pieces of a body to durable bytes, and from durable bytes to a verified blob."""

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from server.errors import Problem
from server.media.blobs import Placed
from server.media.engine import Media
from server.media.noting import Brought, note_arrival, note_verified
from server.media.parts import Part
from server.media.uploads import ROW, UploadStatus, change_rows, find_upload, give_up, take_turn
from server.media.writers import Post

WRITE_BYTES = 512 * 1024
"""So much of one body waits in memory at most."""
FLUSH_BYTES = 8 * 1024 * 1024
FLUSH_SECONDS = 4.0
"""About so often the offset of a slow upload moves; a power cut costs no more than that."""
LEASE = select(ROW.lease, ROW.state).where(ROW.id == bindparam("id_"))
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_ROOM_RETRY_SECONDS = 300


def receive(
    session: Session,
    media: Media,
    upload: UploadStatus,
    pieces: Iterable[bytes],
    *,
    counts: Callable[[], bool] | None = None,
    stop: Callable[[], object] = lambda: None,
) -> UploadStatus:
    """Appends ``pieces`` under the lease of ``upload``; returns it as it stands afterwards.

    However the body ends, what came is kept; unless ``counts`` is given, which is asked at the
    end whether all of it counts or nothing. Who takes the upload over calls ``stop``, which makes
    an end to the pieces. No connection is held between writes, and no lock that anybody needs.
    *Raises* ``offset_mismatch`` where a newer request took the lease over, ``upload_gone``,
    ``disk_full`` and ``unavailable`` where the disk takes no more.
    """
    with _told_disk():
        if upload.received == 0:
            media.parts.create(upload.id)
        try:
            with (
                media.parts.open(upload.id, place=upload.received) as part,
                media.parts.writers.at_work(upload.id, stop) as post,
            ):
                return _Writer(session, media, upload, part, post).take(pieces, counts)
        except FileNotFoundError as error:
            give_up(session, media, upload)
            raise Problem("upload_gone") from error


@contextmanager
def _told_disk() -> Iterator[None]:
    """What the offset counts stays as it is; the rest comes again when there is room."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise Problem("disk_full", retry_after=NO_ROOM_RETRY_SECONDS) from error
        raise Problem("unavailable") from error


@dataclass(slots=True)
class _Writer:
    """One body on its way into its part file."""

    session: Session
    media: Media
    upload: UploadStatus
    part: Part
    post: Post
    is_proven: bool = False
    """Whether the lease was still this writer's when it had its post already."""
    durable: int = field(init=False)
    flushed_at: float = field(init=False)
    flush_seconds: float = field(init=False)
    gathered: list[bytes] = field(default_factory=list)
    waiting: int = 0
    """Bytes in ``gathered``."""

    def __post_init__(self) -> None:
        self.durable = self.part.place
        self.flushed_at = self.media.clock.monotonic()
        # Many that began together, after a cut for all of them, are not flushed together.
        self.flush_seconds = FLUSH_SECONDS * (0.75 + int(self.upload.id[-2:], 16) / 512)

    def take(self, pieces: Iterable[bytes], counts: Callable[[], bool] | None) -> UploadStatus:
        """Writes ``pieces``, and lets the offset follow; the upload as it stands then."""
        for piece in pieces:
            self.gathered.append(piece)
            self.waiting += len(piece)
            if self.waiting >= WRITE_BYTES:
                self._write()
            if counts is None and self._is_due():
                self._flush()
        if counts is None or counts():
            self._flush()
        return self.upload

    def _is_due(self) -> bool:
        if self.part.place - self.durable >= FLUSH_BYTES:
            return True
        return self.media.clock.monotonic() - self.flushed_at >= self.flush_seconds

    def _write(self) -> None:
        """M1: checked and written under the file's lock, so that a connection that a newer one
        has taken over from never writes over what its successor wrote."""
        with self.part.locked():
            self._need_lease()
            for piece in self.gathered:
                self.part.write(piece)
            if self.part.place == self.upload.length:
                self.part.cut()
        self.gathered.clear()
        self.waiting = 0

    def _need_lease(self) -> None:
        """M1: whoever takes over has its post before it writes, and the lease before its post."""
        if self.is_proven and self.post.is_held():
            return
        lease, state = self.session.execute(LEASE, {"id_": self.upload.id}).one()
        self.session.rollback()  # no connection is held while bytes are awaited
        if (lease, state) != (self.upload.lease, "open"):
            raise _taken_over(find_upload(self.session, self.upload.user, self.upload.id))
        self.is_proven = True

    def _flush(self) -> None:
        """M1: the data reaches the disk before the offset says so."""
        whole = self.part.place + self.waiting == self.upload.length
        if self.gathered or whole:
            self._write()
        if self.part.place > self.durable or whole:
            self.part.sync()
            self._move_offset("stored" if whole else "open")
        self.durable, self.flushed_at = self.part.place, self.media.clock.monotonic()

    def _move_offset(self, state: str) -> None:
        session, upload = self.session, self.upload
        with take_turn(session, self.media):
            moved = change_rows(
                session,
                ROW.id == upload.id,
                ROW.state == "open",
                ROW.received == self.durable,
                ROW.lease == upload.lease,
                received=self.part.place,
                state=state,
                expires_at=self.media.clock.now() + self.media.limits.lifetime,
            )
        if not moved:
            raise _taken_over(find_upload(session, upload.user, upload.id))
        self.upload = moved


def _taken_over(current: UploadStatus) -> Problem:
    if current.state == "gone":
        return Problem("upload_gone")
    return Problem("offset_mismatch", extra={"offset": current.received})


def finish(session: Session, media: Media, upload: UploadStatus) -> UploadStatus:
    """Checks a complete upload against its hash: ``verified``, or ``refused`` and quarantined.

    May be called again at any time, also by two at once: there is one result. A partial upload
    has nothing to be checked against. *Raises* ``disk_full`` and ``unavailable`` where the store
    takes no more now: the bytes are safe in their part file, and the sweep tries again.
    """
    if upload.state != "stored" or upload.partial:
        return upload
    session.rollback()  # no connection is held while bytes are copied
    if upload.length == 0:
        media.parts.create(upload.id)
    with _told_disk():
        try:
            path = media.parts.path(upload.id)
            # M3: whoever writes to a part does so under its lock and its lease, and nobody has one.
            placed = media.originals.put_if_absent(path, sha256=upload.sha256, given=True)
        except FileNotFoundError:
            give_up(session, media, upload)  # unless another finisher has settled it meanwhile
            return find_upload(session, upload.user, upload.id)
        settled = _settle(session, media, upload, placed if isinstance(placed, Placed) else None)
    return settled or find_upload(session, upload.user, upload.id)


def _settle(
    session: Session, media: Media, upload: UploadStatus, placed: Placed | None
) -> UploadStatus | None:
    """As it is settled; None where another finisher was first."""
    state = "verified" if placed else "refused"
    with take_turn(session, media) as effects:
        settled = change_rows(
            session,
            ROW.id == upload.id,
            ROW.state == "stored",
            state=state,
            finished_at=media.clock.now(),
        )
        if settled is None:
            return None
        brought = Brought(
            user=upload.user, photo=upload.photo, part=upload.part, sha256=upload.sha256
        )
        if placed:
            note_verified(session, media, brought, placed)
            effects.add(lambda: media.wake(upload.sha256))
        else:
            note_arrival(session, media, brought, state)
        clear = media.parts.remove if placed else media.parts.quarantine
        effects.add(lambda: clear(upload.id))
    return settled
