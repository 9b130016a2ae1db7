"""Uploads as rows: made, looked up, taken over, given up. Their bytes are ``receiving.py``'s."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

import orjson
from sqlalchemy import Connection, Table, Update, bindparam, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.db import AfterCommit, as_moment, let_go, looking
from server.errors import Problem
from server.ids import is_uuid7
from server.media.engine import Media
from server.media.tables import Upload
from server.rows import Row, Rows, as_text

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
BY_ID = as_text(select(*STATUS).where(ROW.id == bindparam("id_"), ROW.user == bindparam("user_")))
BY_KEY = as_text(
    select(*STATUS).where(ROW.user == bindparam("user_"), ROW.upload == bindparam("key_"))
)
"""Like all statements here put together once: doing so costs more than asking."""
HELD = select(
    func.count(), func.coalesce(func.sum(func.coalesce(ROW.length, bindparam("longest_"))), 0)
).where(ROW.user == bindparam("user_"), ROW.state.in_(UNFINISHED))
IN_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended(:user_, 1))")
"""A push of the same person takes 0, and waits for no upload."""
MADE = insert(TABLE).returning(*STATUS)
CHANGED = update(TABLE).where(ROW.id == bindparam("id_")).returning(*STATUS)
OPEN = CHANGED.where(ROW.state == "open")
TAKEN = OPEN.values(lease=ROW.lease + 1)
TAKEN_THERE = TAKEN.where(ROW.received == bindparam("received_"))
MEASURED = CHANGED.where(ROW.length.is_(None), ROW.received <= bindparam("length_"))
ENDED = CHANGED.values(state="gone", upload=ROW.id)
"""Its key is free again, so that whoever asks by the same one begins anew."""
GIVEN_UP = ENDED.where(ROW.state.in_(UNFINISHED))
EXPIRED = GIVEN_UP.where(ROW.expires_at <= bindparam("now_"))
TERMINATED = ENDED.where(ROW.state != "gone")
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


def change_row(
    connection: Connection, change: Update, upload: str, **given: Any
) -> UploadStatus | None:
    """Changes ``upload`` by compare-and-set, where it still stands as ``change`` says: as it
    stands then, None where it did not.

    ``given`` are the new values of columns, and what ``change`` compares with.
    """
    row = connection.execute(change, {"id_": upload, **given}).one_or_none()
    return None if row is None else to_status(row)


def _read(session: Session, query: str, *given: str) -> UploadStatus | None:
    with looking(session) as source:
        rows = Rows(source).select(query, *given)
    return _as_status(rows[0]) if rows else None


def _as_status(row: Row) -> UploadStatus:
    """A row of ``STATUS`` as a driver gives it."""
    upload, user, photo, part, sha256, length, partial, joins, received, lease, state, expires = row
    return UploadStatus(
        id=upload,
        user=user,
        photo=photo,
        part=part,
        sha256=sha256,
        length=length,
        partial=bool(partial),
        joins=tuple((orjson.loads(joins) if isinstance(joins, str) else joins) or ()),
        received=received,
        lease=lease,
        state=state,
        expires_at=as_moment(expires),
    )


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
        expire(session, media, found)
        return None
    return found


def _find_by_key(session: Session, wish: Wish) -> UploadStatus | None:
    return _read(session, BY_KEY, wish.user, wish.upload)


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

    def work(turn: Connection, _effects: AfterCommit) -> UploadStatus:
        if not wish.joins:  # the room for those is taken by what they are made of
            _check_quota(turn, media, wish)
        return to_status(turn.execute(MADE, values).one())

    return media.turns.run(session, work)


def _check_quota(connection: Connection, media: Media, wish: Wish) -> None:
    """A16: one person cannot fill the disk; an unknown length counts as the longest."""
    limits = media.limits
    if connection.dialect.name == "postgresql":  # of two processes each would see its own only
        connection.execute(IN_TURN, {"user_": wish.user})
    given = {"user_": wish.user, "longest_": limits.upload_bytes}
    count, total = connection.execute(HELD, given).one()
    wanted = limits.upload_bytes if wish.length is None else wish.length
    if count >= limits.open_uploads or int(total) + wanted > limits.open_bytes:
        raise Problem("too_many", retry_after=QUOTA_RETRY_SECONDS)


def find_upload(session: Session, user: str, upload: str) -> UploadStatus:
    """The upload with id ``upload``. *Raises* ``not_found`` also for another user's (P5)."""
    if not is_uuid7(upload):  # A15: nothing else is looked for
        raise Problem("not_found")
    found = _read(session, BY_ID, upload, user)
    if found is None:
        raise Problem("not_found")
    return found


def relieve(session: Session, media: Media, upload: UploadStatus) -> UploadStatus:
    """The upload as it stands once whoever was writing to it has kept what came.

    So a line that breaks costs no byte that had come. Waits without a connection, and not for
    ever: see :meth:`server.media.writers.Writers.relieve`.
    """
    if upload.state != "open":
        return upload
    let_go(session)
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
    take, where = (TAKEN, {}) if offset is None else (TAKEN_THERE, {"received_": offset})
    taken = media.turns.run(
        session, lambda turn, _effects: change_row(turn, take, upload.id, **where)
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
        given = {"length": length, "length_": length}
        known = upload.id
        media.turns.run(session, lambda turn, _effects: change_row(turn, MEASURED, known, **given))
        upload = find_upload(session, upload.user, upload.id)
    if upload.length != length:
        raise Problem("bad_request", detail="Upload-Length does not fit this upload.")
    return upload


def give_up(session: Session, media: Media, upload: UploadStatus) -> None:
    """Marks an unfinished upload as gone and drops its bytes; the device begins a new one."""
    _end(session, media, upload, GIVEN_UP)


def expire(session: Session, media: Media, upload: UploadStatus) -> None:
    """The same where it has expired; M1: not one that has got bytes since it was seen."""
    _end(session, media, upload, EXPIRED, now_=media.clock.now())


def terminate(session: Session, media: Media, upload: UploadStatus) -> None:
    """Ends an upload because its owner says so; bytes that were verified stay (M3)."""
    _end(session, media, upload, TERMINATED)


def _end(
    session: Session, media: Media, upload: UploadStatus, end: Update, **given: datetime
) -> None:
    def work(turn: Connection, effects: AfterCommit) -> None:
        ended = change_row(turn, end, upload.id, **given)
        if ended and upload.state in UNFINISHED:
            effects.add(lambda: media.parts.remove(upload.id))

    media.turns.run(session, work)
