"""Uploads as rows: made, looked up, taken over, given up. Their bytes are ``receiving.py``'s."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, CursorResult, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.db import transaction
from server.errors import Problem
from server.media.engine import Media
from server.media.tables import Upload

State = Literal["open", "stored", "verified", "refused", "gone"]
QUOTA_RETRY_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks to upload; ``sha256`` and ``type`` are those that the record declares."""

    user: str
    upload: str
    """Made by the client: the same key is the same upload."""
    photo: str
    part: str
    sha256: str
    type: str
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadStatus:
    """An upload as it stands; ``received`` counts durable bytes (M1)."""

    id: str
    user: str
    photo: str
    part: str
    sha256: str
    length: int
    received: int
    lease: int
    state: State
    expires_at: datetime


def to_status(row: Upload) -> UploadStatus:
    """The row as a value."""
    return UploadStatus(
        id=row.id,
        user=row.user,
        photo=row.photo,
        part=row.part,
        sha256=row.sha256,
        length=row.length or 0,
        received=row.received,
        lease=row.lease,
        state=cast("State", row.state),
        expires_at=row.expires_at,
    )


def change_rows(session: Session, *where: ColumnElement[bool], **values: Any) -> bool:
    """Updates uploads by compare-and-set; whether there was one to update."""
    statement = update(Upload).where(*where).values(**values)
    result = session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount > 0


def create_upload(session: Session, media: Media, wish: Wish) -> UploadStatus:
    """The upload for ``wish``; the one that exists already under the same user and key.

    *Raises* ``too_large``, ``too_many`` (quota), ``bad_request`` where the key was used for
    something else.
    """
    if wish.length > media.limits.upload_bytes:
        raise Problem("too_large", extra={"limit": media.limits.upload_bytes})
    found = _find_by_key(session, wish)
    if found is None:
        try:
            _insert(session, media, wish)
        except IntegrityError:  # the same request came twice at once, and the other one made it
            session.rollback()
        found = _find_by_key(session, wish)
    if found is None:
        raise Problem("unavailable")
    if (found.photo, found.part, found.length) != (wish.photo, wish.part, wish.length):
        raise Problem("bad_request", detail="this upload key stands for another upload")
    return found


def _find_by_key(session: Session, wish: Wish) -> UploadStatus | None:
    row = session.scalar(
        select(Upload).where(Upload.user == wish.user, Upload.upload == wish.upload)
    )
    return None if row is None else to_status(row)


def _insert(session: Session, media: Media, wish: Wish) -> None:
    now = media.clock.now()
    with transaction(session):
        _check_quota(session, media, wish)
        session.add(
            Upload(
                id=media.ids.new(),
                user=wish.user,
                upload=wish.upload,
                photo=wish.photo,
                part=wish.part,
                sha256=wish.sha256,
                type=wish.type,
                length=wish.length,
                state="open" if wish.length else "stored",
                created_at=now,
                expires_at=now + media.limits.lifetime,
            )
        )


def _check_quota(session: Session, media: Media, wish: Wish) -> None:
    held = select(func.count(), func.coalesce(func.sum(Upload.length), 0))
    count, total = session.execute(
        held.where(Upload.user == wish.user, Upload.state == "open")
    ).one()
    limits = media.limits
    if count >= limits.open_uploads or int(total or 0) + wish.length > limits.open_bytes:
        raise Problem("too_many", retry_after=QUOTA_RETRY_SECONDS)


def find_upload(session: Session, user: str, upload: str) -> UploadStatus:
    """The upload with id ``upload``. *Raises* ``not_found`` also for another user's (P5)."""
    row = session.scalar(
        select(Upload)
        .where(Upload.id == upload, Upload.user == user)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise Problem("not_found")
    return to_status(row)


def take_over(
    session: Session, media: Media, upload: UploadStatus, *, offset: int | None = None
) -> UploadStatus:
    """Makes the asker the writer of an open upload; the older one loses its lease.

    A connection that a changed network left behind stops at its next flush. *Raises*
    ``offset_mismatch`` where ``offset`` is given and the upload stands elsewhere by now, and
    ``upload_gone``.
    """
    if upload.state == "gone" or (
        upload.state == "open" and upload.expires_at <= media.clock.now()
    ):
        raise Problem("upload_gone")
    if upload.state != "open":
        return upload
    with transaction(session):
        taken = change_rows(
            session,
            Upload.id == upload.id,
            Upload.state == "open",
            *([] if offset is None else [Upload.received == offset]),
            lease=Upload.lease + 1,
        )
        current = find_upload(session, upload.user, upload.id)
    if not taken and offset is not None:
        raise Problem("offset_mismatch", extra={"offset": current.received})
    return current


def give_up(session: Session, media: Media, upload: UploadStatus) -> None:
    """Marks an unfinished upload as gone and drops its bytes; the device begins a new one."""
    with transaction(session) as effects:
        unfinished = Upload.state.in_(("open", "stored"))
        if not change_rows(session, Upload.id == upload.id, unfinished, state="gone"):
            return
        effects.add(lambda: media.parts.remove(upload.id))
