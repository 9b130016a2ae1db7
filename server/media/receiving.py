"""From the pieces of a body to durable bytes, and from durable bytes to a verified blob."""

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Update, bindparam, select
from sqlalchemy.orm import Session

from server.db import AfterCommit, let_go, looking
from server.errors import Problem
from server.media.blobs import Placed, WrongHash
from server.media.engine import Media
from server.media.noting import Brought, note_arrival, note_verified
from server.media.parts import Part
from server.media.uploads import (
    CHANGED,
    OPEN,
    ROW,
    UploadStatus,
    change_row,
    find_upload,
    give_up,
)
from server.media.writers import Post
from server.rows import Rows, as_text

WRITE_BYTES = 512 * 1024
"""So much of one body waits in memory at most."""
FLUSH_BYTES = 8 * 1024 * 1024
FLUSH_SECONDS = 4.0
"""About so often the offset of a slow upload moves; a power cut costs no more than that."""
STANDING = as_text(select(ROW.received, ROW.lease, ROW.state).where(ROW.id == bindparam("id_")))
OURS = OPEN.where(ROW.received == bindparam("received_"), ROW.lease == bindparam("lease_"))
"""An upload as its writer saw it."""
STORED = CHANGED.where(ROW.state == "stored")
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_ROOM_RETRY_SECONDS = 300
AGAIN_SECONDS = 1


def receive(
    session: Session,
    media: Media,
    upload: UploadStatus,
    pieces: Iterable[bytes],
    *,
    counts: Callable[[], bool] | None = None,
    stop: Callable[[], object] = lambda: None,
) -> UploadStatus:
    """Appends ``pieces`` to ``upload`` as it was seen; returns it as it stands afterwards.

    However the body ends, what came is kept; unless ``counts`` is given, which is asked at the
    end whether all of it counts or nothing. Who takes the upload over calls ``stop``, which makes
    an end to the pieces. No connection is held between writes, and no lock that anybody needs.
    *Raises* ``offset_mismatch`` where a newer request took the upload over, ``upload_gone``,
    ``disk_full`` and ``unavailable`` where the disk takes no more.
    """
    let_go(session)  # no connection is held while bytes are awaited
    with _told_disk(), media.parts.writers.at_work(upload.id, stop) as post:
        if upload.received == 0:
            media.parts.create(upload.id)
        try:
            with media.parts.open(upload.id, place=upload.received) as part:
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
    """Whether the upload still stood as it was seen when this writer had its post already."""
    durable: int = field(init=False)
    flushed_at: float = field(init=False)
    flush_seconds: float = field(init=False)
    gathered: list[bytes] = field(default_factory=list)
    waiting: int = 0
    """Bytes in ``gathered``."""
    found: Any = field(init=False)
    """The hash of all that was taken; None where it is not known, or of no use."""

    def __post_init__(self) -> None:
        self.durable = self.part.place
        self.found = None
        if not (self.upload.partial or self.upload.joins):
            self.found = self.media.hashes.take(self.upload.id, place=self.durable)
        self.flushed_at = self.media.clock.monotonic()
        # Many that began together, after a cut for all of them, are not flushed together.
        self.flush_seconds = FLUSH_SECONDS * (0.75 + int(self.upload.id[-2:], 16) / 512)

    def take(self, pieces: Iterable[bytes], counts: Callable[[], bool] | None) -> UploadStatus:
        """Writes ``pieces``, and lets the offset follow; the upload as it stands then."""
        for piece in pieces:
            self.gathered.append(piece)
            self.waiting += len(piece)
            if self.found is not None:
                self.found.update(piece)
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

    def _is_settled_at_once(self) -> bool:
        """Whether one body has brought the whole: only then nothing counts yet that is given up
        with its part file, should what it became not be noted."""
        return self.durable == 0 and self.found is not None

    def _write(self) -> None:
        with self._alone():
            self._put()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """M1: whoever writes, or moves the offset, has the file's lock and, under it, the newest
        post; and since it has that post it has seen the upload stand where its bytes begin.

        So a connection that a newer one has taken over from never writes over what its successor
        wrote, nor counts it.
        """
        with self.part.locked():
            if not self.post.is_held() or not (self.is_proven or self._proves()):
                raise _taken_over(find_upload(self.session, self.upload.user, self.upload.id))
            yield

    def _proves(self) -> bool:
        with looking(self.session) as source:
            [seen] = Rows(source).select(STANDING, self.upload.id)
        self.is_proven = seen == (self.durable, self.upload.lease, "open")
        if self.is_proven and not self.part.is_own():  # M3: a blob, though nobody noted it
            raise Problem("unavailable", retry_after=AGAIN_SECONDS)
        return self.is_proven

    def _put(self) -> None:
        for piece in self.gathered:
            self.part.write(piece)
        if self.part.place == self.upload.length:
            self.part.cut()
        self.gathered.clear()
        self.waiting = 0

    def _flush(self) -> None:
        """M1: the data reaches the disk before the offset says so."""
        come = self.part.place + self.waiting
        whole = come == self.upload.length
        if come > self.durable or whole:
            with self._alone():
                self._put()
                self.part.sync()
                if whole and self._is_settled_at_once():
                    self._conclude()
                else:
                    self._move_offset("stored" if whole else "open")
        self.durable, self.flushed_at = self.part.place, self.media.clock.monotonic()

    def _move_offset(self, state: str) -> None:
        if self.durable == 0:
            self.media.parts.sync_names()
        values = {
            "received": self.part.place,
            "state": state,
            "expires_at": self.media.clock.now() + self.media.limits.lifetime,
        }
        still = self._seen()
        moved = self.media.turns.run(
            self.session,
            lambda turn, _effects: change_row(turn, OURS, self.upload.id, **still, **values),
        )
        self._go_on_from(moved)
        if self.found is not None:
            self.media.hashes.keep(self.upload.id, self.found, place=self.part.place)

    def _conclude(self) -> None:
        """What came whole is checked and counted in one: its hash was taken as it came.

        M3: where that cannot be noted, nobody shall go on writing to what is a blob by now.
        """
        placed = self._place()
        if placed is None:
            self._move_offset("stored")
            return
        try:
            come = {**self._seen(), "received": self.part.place}
            settled = _settle(self.session, self.media, self.upload, placed, OURS, **come)
        except BaseException:
            self.media.parts.remove(self.upload.id)
            raise
        self._go_on_from(settled)

    def _place(self) -> Placed | WrongHash | None:
        """None where the store takes no more now: the bytes are safe here, and wait for it."""
        with suppress(OSError):
            return _put(self.media, self.upload, self.found)
        return None

    def _seen(self) -> dict[str, int]:
        """Where the upload must still stand for this writer to move it."""
        return {"received_": self.durable, "lease_": self.upload.lease}

    def _go_on_from(self, moved: UploadStatus | None) -> None:
        if moved is None:
            raise _taken_over(find_upload(self.session, self.upload.user, self.upload.id))
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
    if upload.state == "open" and upload.received == upload.length:  # which came by itself
        upload = receive(session, media, upload, ())
    if upload.state != "stored" or upload.partial:
        return upload
    let_go(session)  # no connection is held while bytes are copied
    if upload.length == 0:
        media.parts.create(upload.id)
    with _told_disk():
        try:
            # M3: whoever writes to a part does so under its lock and its lease, and nobody has one.
            known = media.hashes.take(upload.id, place=upload.received)
            placed = _put(media, upload, known)
        except OSError:
            if media.parts.is_readable(upload.id):
                raise
            give_up(session, media, upload)  # unless another finisher has settled it meanwhile
            return find_upload(session, upload.user, upload.id)
        settled = _settle(session, media, upload, placed, STORED)
    return settled or find_upload(session, upload.user, upload.id)


def _put(media: Media, upload: UploadStatus, known: Any) -> Placed | WrongHash:
    """The bytes of ``upload`` as a blob; ``known`` is their hash, or None.

    M2: nobody's bytes are refused but for what the disk holds.
    """
    found = known and known.hexdigest()
    return media.originals.put_if_absent(
        media.parts.path(upload.id),
        sha256=upload.sha256,
        given=True,
        found=found if found == upload.sha256 else None,
    )


def _settle(
    session: Session,
    media: Media,
    upload: UploadStatus,
    placed: Placed | WrongHash,
    change: Update,
    **given: Any,
) -> UploadStatus | None:
    """As it is settled; None where another finisher was first."""
    clear = media.parts.remove if isinstance(placed, Placed) else media.parts.quarantine
    state = "verified" if isinstance(placed, Placed) else "refused"
    given |= {"state": state, "finished_at": media.clock.now()}
    brought = Brought(user=upload.user, photo=upload.photo, part=upload.part, sha256=upload.sha256)

    def work(turn: Connection, effects: AfterCommit) -> UploadStatus | None:
        settled = change_row(turn, change, upload.id, **given)
        if settled is None:
            return None
        if isinstance(placed, Placed):
            note_verified(turn, media, brought, placed)
            effects.add(lambda: media.wake(upload.sha256))
        else:
            note_arrival(turn, media, brought, state)
        effects.add(lambda: clear(upload.id))
        return settled

    return media.turns.run(session, work)
