"""From the pieces of a body to durable bytes, and from durable bytes to a verified blob."""

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.db import Base, transaction
from server.errors import Problem
from server.media.blobs import Placed
from server.media.engine import Media
from server.media.parts import Part
from server.media.tables import Arrival, Blob, Upload
from server.media.uploads import UploadStatus, change_rows, find_upload, give_up, take_turn

WRITE_BYTES = 512 * 1024
"""So much of one body waits in memory at most."""
FLUSH_BYTES = 8 * 1024 * 1024
FLUSH_SECONDS = 4.0
"""About so often the offset of a slow upload moves; a power cut costs no more than that."""
LEASE = select(Upload.lease, Upload.state).where(Upload.id == bindparam("upload"))
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_ROOM_RETRY_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """Bytes of one part of a photo, and who brought them."""

    user: str
    photo: str
    part: str
    sha256: str


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
                media.parts.writers.at_work(upload.id, stop),
            ):
                _Writer(session, media, upload, part).take(pieces, counts)
        except FileNotFoundError as error:
            give_up(session, media, upload)
            raise Problem("upload_gone") from error
    return find_upload(session, upload.user, upload.id)


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

    def take(self, pieces: Iterable[bytes], counts: Callable[[], bool] | None) -> None:
        """Writes ``pieces``, and lets the offset follow."""
        for piece in pieces:
            self.gathered.append(piece)
            self.waiting += len(piece)
            if self.waiting >= WRITE_BYTES:
                self._write()
            if counts is None and self._is_due():
                self._flush()
        if counts is None or counts():
            self._flush()

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
        lease, state = self.session.execute(LEASE, {"upload": self.upload.id}).one()
        self.session.rollback()  # no connection is held while bytes are awaited
        if (lease, state) != (self.upload.lease, "open"):
            raise _taken_over(find_upload(self.session, self.upload.user, self.upload.id))

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
                Upload.id == upload.id,
                Upload.state == "open",
                Upload.received == self.durable,
                Upload.lease == upload.lease,
                received=self.part.place,
                state=state,
                expires_at=self.media.clock.now() + self.media.limits.lifetime,
            )
        if not moved:
            raise _taken_over(find_upload(session, upload.user, upload.id))


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
        else:
            _settle(session, media, upload, placed if isinstance(placed, Placed) else None)
    return find_upload(session, upload.user, upload.id)


def _settle(session: Session, media: Media, upload: UploadStatus, placed: Placed | None) -> None:
    state = "verified" if placed else "refused"
    with transaction(session) as effects:
        first = change_rows(
            session,
            Upload.id == upload.id,
            Upload.state == "stored",
            state=state,
            finished_at=media.clock.now(),
        )
        if not first:
            return
        brought = Brought(
            user=upload.user, photo=upload.photo, part=upload.part, sha256=upload.sha256
        )
        if placed:
            note_verified(session, media, brought, placed)
            effects.add(lambda: media.wake(upload.sha256))
        else:
            _note_arrival(session, media, brought, state)
        clear = media.parts.remove if placed else media.parts.quarantine
        effects.add(lambda: clear(upload.id))


def _insert_unless_there(session: Session, row: Base) -> None:
    """Adds ``row``; somebody else may have been first."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return


def _note_blob(session: Session, media: Media, placed: Placed) -> None:
    """The row of bytes that were just hashed; good ones make up for what was found of them."""
    now = media.clock.now()
    known = session.scalar(select(Blob).where(Blob.sha256 == placed.sha256))
    if known is None:
        blob = Blob(sha256=placed.sha256, bytes=placed.bytes, placed_at=now, hashed_at=now)
        _insert_unless_there(session, blob)
        # M4: whoever removes bytes without a row holds rows off; these may be just gone.
        if media.originals.head(placed.sha256) is None:
            raise Problem("unavailable")
    elif known.fault:
        known.fault, known.place, known.hashed_at = None, "local", now


def note_verified(session: Session, media: Media, brought: Brought, placed: Placed) -> None:
    """Notes that these bytes are durable and have their hash (M4); the caller commits."""
    _note_blob(session, media, placed)
    _note_arrival(session, media, brought, "verified")


def _note_arrival(session: Session, media: Media, brought: Brought, state: str) -> None:
    """Remembers the result for the record's keeper; good bytes outweigh a later bad upload."""
    same = (
        Arrival.photo == brought.photo,
        Arrival.user == brought.user,
        Arrival.part == brought.part,
    )
    now = media.clock.now()
    fresh = Arrival(
        photo=brought.photo,
        user=brought.user,
        part=brought.part,
        sha256=brought.sha256,
        state="refused",
        at=now,
    )
    if session.scalar(select(Arrival.key).where(*same)) is None:
        _insert_unless_there(session, fresh)
    row = session.scalars(select(Arrival).where(*same).with_for_update()).one()
    if row.state == "verified" and state == "refused":
        return
    row.sha256, row.state, row.at = brought.sha256, state, now
    row.turn, row.tries = row.turn + 1, 0
    row.due_at = now if brought.part == "original" else None
