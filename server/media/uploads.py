"""Uploads as rows: made, looked up, taken over, given up. Their bytes are ``receiving.py``'s."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Table, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.db import AfterCommit
from server.errors import Problem
from server.ids import is_uuid7
from server.media.engine import Media
from server.media.tables import Upload

State = Literal["open", "stored", "verified", "refused", "gone"]
UNFINISHED = ("open", "stored")
TABLE = cast("Table", Upload.__table__)
ROW = TABLE.c
STATUS = (
    ROW.id,
    ROW.user,
    ROW.photo,
    ROW.part,
    ROW.sha256,
    ROW.length,
    ROW.partial,
    ROW.joins,
    ROW.received,
    ROW.lease,
    ROW.state,
    ROW.expires_at,
)
BY_ID = select(*STATUS).where(ROW.id == bindparam("id_"), ROW.user == bindparam("user_"))
BY_KEY = select(*STATUS).where(ROW.user == bindparam("user_"), ROW.upload == bindparam("key_"))
MADE = insert(TABLE).returning(*STATUS)
QUOTA_RETRY_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks to upload; ``sha256`` and ``type`` are those that the record declares."""

    user: str
    upload: str
    """Made by the client: the same key is the same upload."""
    photo: str = ""
    part: str = ""
    sha256: str = ""
    type: str = ""
    length: int | None
    """None: the client says it later."""
    partial: bool = False
    """It will be joined with others and is of no photo itself."""
    joins: tuple[str, ...] = ()
    """The partial uploads that it is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadStatus:
    """An upload as it stands; ``received`` counts durable bytes (M1)."""

    id: str
    user: str
    photo: str
    part: str
    sha256: str
    length: int | None
    partial: bool
    joins: tuple[str, ...]
    received: int
    lease: int
    state: State
    expires_at: datetime

    @property
    def expires(self) -> bool:
        """Whether it is given up some day unless it goes on."""
        return self.state == "open" or (self.partial and self.state == "stored")


def to_status(row: Any) -> UploadStatus:
    """The row, an entity or one of ``STATUS``, as a value."""
    return UploadStatus(
        id=row.id,
        user=row.user,
        photo=row.photo,
        part=row.part,
        sha256=row.sha256,
        length=row.length,
        partial=row.partial,
        joins=tuple(row.joins or ()),
        received=row.received,
        lease=row.lease,
        state=cast("State", row.state),
        expires_at=row.expires_at,
    )


def change_rows(
    session: Session, *where: ColumnElement[bool], **values: Any
) -> UploadStatus | None:
    """Updates an upload by compare-and-set: as it stands then, None where there was none."""
    changed = update(TABLE).where(*where).values(**values).returning(*STATUS)
    row = session.execute(changed).one_or_none()
    return None if row is None else to_status(row)


def create_upload(session: Session, media: Media, wish: Wish) -> UploadStatus:
    """The upload for ``wish``; the one that exists already under the same user and key.

    *Raises* ``too_large``, ``too_many`` (quota), ``bad_request`` where the key was used for
    something else.
    """
    if (wish.length or 0) > media.limits.upload_bytes:
        raise Problem("too_large", extra={"limit": media.limits.upload_bytes})
    found = find_live(session, media, wish)
    if found is None:
        try:
            return _insert(session, media, wish)
        except IntegrityError:  # the same request came twice at once, and the other one made it
            session.rollback()
            found = _find_by_key(session, wish)
    if found is None:
        raise Problem("unavailable")
    same = (found.photo, found.part, found.partial, found.joins)
    if same != (wish.photo, wish.part, wish.partial, wish.joins) or wish.length not in {
        None,
        found.length,
    }:
        raise Problem("bad_request", detail="this upload key stands for another upload")
    return found


def find_live(session: Session, media: Media, wish: Wish) -> UploadStatus | None:
    """What the key stands for; one that has expired makes room for a new one."""
    found = _find_by_key(session, wish)
    if found is not None and _is_over(found, media):
        give_up(session, media, found)
        return None
    return found


def _find_by_key(session: Session, wish: Wish) -> UploadStatus | None:
    given = {"user_": wish.user, "key_": wish.upload}
    row = session.execute(BY_KEY, given).one_or_none()
    return None if row is None else to_status(row)


def _insert(session: Session, media: Media, wish: Wish) -> UploadStatus:
    now = media.clock.now()
    values = {
        "id": media.ids.new(),
        "user": wish.user,
        "upload": wish.upload,
        "photo": wish.photo,
        "part": wish.part,
        "sha256": wish.sha256,
        "type": wish.type,
        "length": wish.length,
        "partial": wish.partial,
        "joins": list(wish.joins) or None,
        "received": 0,
        "lease": 0,
        "state": "stored" if wish.length == 0 else "open",
        "created_at": now,
        "expires_at": now + media.limits.lifetime,
    }

    def work(turn: Session, _effects: AfterCommit) -> UploadStatus:
        if not wish.joins:  # the room for those is taken by what they are made of
            _check_quota(turn, media, wish)
        return to_status(turn.execute(MADE, values).one())

    return media.turns.run(session, work)


def _check_quota(session: Session, media: Media, wish: Wish) -> None:
    """A16: one person cannot fill the disk; an unknown length counts as the longest."""
    limits = media.limits
    length = func.coalesce(ROW.length, limits.upload_bytes)
    held = select(func.count(), func.coalesce(func.sum(length), 0))
    count, total = session.execute(
        held.where(ROW.user == wish.user, ROW.state.in_(UNFINISHED))
    ).one()
    wanted = limits.upload_bytes if wish.length is None else wish.length
    if count >= limits.open_uploads or int(total) + wanted > limits.open_bytes:
        raise Problem("too_many", retry_after=QUOTA_RETRY_SECONDS)


def find_upload(session: Session, user: str, upload: str) -> UploadStatus:
    """The upload with id ``upload``. *Raises* ``not_found`` also for another user's (P5)."""
    if not is_uuid7(upload):  # A15: nothing else is looked for
        raise Problem("not_found")
    row = session.execute(BY_ID, {"id_": upload, "user_": user}).one_or_none()
    if row is None:
        raise Problem("not_found")
    return to_status(row)


def relieve(session: Session, media: Media, upload: UploadStatus) -> UploadStatus:
    """The upload as it stands once whoever was writing to it has kept what came.

    So a line that breaks costs no byte that had come. Waits without a connection, and not for
    ever: see :meth:`server.media.writers.Writers.relieve`.
    """
    if upload.state != "open":
        return upload
    session.rollback()
    waited = media.parts.writers.relieve(upload.id)
    return find_upload(session, upload.user, upload.id) if waited else upload


def _is_over(upload: UploadStatus, media: Media) -> bool:
    expired = upload.expires and upload.expires_at <= media.clock.now()
    return upload.state == "gone" or expired


def need_live(upload: UploadStatus, media: Media) -> None:
    """*Raises* ``upload_gone`` for an upload that was given up or has expired."""
    if _is_over(upload, media):
        raise Problem("upload_gone")


def take_over(
    session: Session, media: Media, upload: UploadStatus, *, offset: int | None = None
) -> UploadStatus:
    """Makes the asker the writer of an open upload; the older one loses its lease.

    A connection that a changed network left behind stops at its next write. *Raises*
    ``offset_mismatch`` where ``offset`` is given and the upload stands elsewhere by now, and
    ``upload_gone``.
    """
    need_live(upload, media)
    if upload.state != "open":
        return upload
    still = [ROW.id == upload.id, ROW.state == "open"]
    still += [] if offset is None else [ROW.received == offset]
    taken = media.turns.run(
        session, lambda turn, _effects: change_rows(turn, *still, lease=ROW.lease + 1)
    )
    if taken:
        return taken
    current = find_upload(session, upload.user, upload.id)
    if offset is not None:
        raise Problem("offset_mismatch", extra={"offset": current.received})
    return current


def set_length(session: Session, media: Media, upload: UploadStatus, length: int) -> UploadStatus:
    """Settles how long an upload is that was begun without a length.

    *Raises* ``too_large``; ``bad_request`` for another length than the one it has, or less than
    what came.
    """
    if length > media.limits.upload_bytes:
        raise Problem("too_large", extra={"limit": media.limits.upload_bytes})
    if upload.length is None and length >= upload.received:
        still = (ROW.id == upload.id, ROW.length.is_(None), ROW.received <= length)
        media.turns.run(session, lambda turn, _effects: change_rows(turn, *still, length=length))
        upload = find_upload(session, upload.user, upload.id)
    if upload.length != length:
        raise Problem("bad_request", detail="Upload-Length does not fit this upload.")
    return upload


def give_up(session: Session, media: Media, upload: UploadStatus) -> None:
    """Marks an unfinished upload as gone and drops its bytes; the device begins a new one."""
    _end(session, media, upload, UNFINISHED)


def terminate(session: Session, media: Media, upload: UploadStatus) -> None:
    """Ends an upload because its owner says so; bytes that were verified stay (M3)."""
    _end(session, media, upload, (*UNFINISHED, "verified", "refused"))


def _end(session: Session, media: Media, upload: UploadStatus, states: tuple[str, ...]) -> None:
    """Its key is free again, so that whoever asks by the same one begins anew."""
    still = (ROW.id == upload.id, ROW.state.in_(states))

    def work(turn: Session, effects: AfterCommit) -> None:
        ended = change_rows(turn, *still, state="gone", upload=ROW.id)
        if ended and upload.state in UNFINISHED:
            effects.add(lambda: media.parts.remove(upload.id))

    media.turns.run(session, work)
