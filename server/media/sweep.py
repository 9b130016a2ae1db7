"""Picks up what a lost wake-up or a killed process left behind."""

from collections.abc import Sequence

import structlog
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from server.media.engine import Media
from server.media.parts import PartFiles
from server.media.receiving import finish
from server.media.tables import Upload
from server.media.uploads import (
    GIVEN_UP,
    UNFINISHED,
    UploadStatus,
    change_row,
    expire,
    to_status,
)

WAITS = and_(Upload.state.in_(UNFINISHED), or_(Upload.state == "open", Upload.partial))
"""Uploads that are not at their end, or wait to be joined."""
CHUNK = 500
"""Part files that one statement asks about: there may be many thousands, in every round."""
log = structlog.get_logger()


def finish_stored(session: Session, media: Media, limit: int = 100) -> int:
    """Checks the uploads whose bytes are all there and whose hash nobody has checked."""
    whole = (Upload.state == "stored", Upload.partial.is_(False))
    rows = session.scalars(select(Upload).where(*whole).limit(limit))
    waiting = [to_status(row) for row in rows]
    return sum(_is_finished(session, media, upload) for upload in waiting)


def _is_finished(session: Session, media: Media, upload: UploadStatus) -> bool:
    """P8: one that cannot be finished now stands in nobody's way."""
    try:
        return finish(session, media, upload).state != "stored"
    except Exception:
        session.rollback()
        log.exception("upload_not_finished", upload=upload.id)
        return False


def expire_uploads(session: Session, media: Media, limit: int = 100) -> int:
    """Gives up the uploads that got no byte for too long."""
    late = Upload.expires_at <= media.clock.now()
    rows = session.scalars(select(Upload).where(WAITS, late).limit(limit))
    expired = [to_status(row) for row in rows]
    for upload in expired:
        expire(session, media, upload)
    return len(expired)


def give_up_lost(session: Session, parts: PartFiles) -> int:
    """M1: gives up, in the caller's transaction, the uploads of which less is here than counts.

    So it is after a restore, since a backup holds no parts; whoever brought them begins anew.
    """
    rows = session.execute(select(Upload.id, Upload.received).where(WAITS)).all()
    lost = [upload for upload, received in rows if not parts.holds(upload, received)]
    for upload in lost:
        change_row(session.connection(), GIVEN_UP, upload)
    return len(lost)


def clear_parts(session: Session, media: Media) -> int:
    """Clears part files whose upload is over, after a kill between commit and clearing.

    Those of uploads that nobody knows (any more, after a restore) are set aside when they are old.
    """
    names = media.parts.list()
    return sum(
        _clear(session, media, names[start : start + CHUNK])
        for start in range(0, len(names), CHUNK)
    )


def _clear(session: Session, media: Media, names: Sequence[str]) -> int:
    found = session.execute(select(Upload.id, Upload.state).where(Upload.id.in_(names)))
    states = {row.id: row.state for row in found}
    return sum(_is_cleared(media, name, states.get(name)) for name in names)


def _is_cleared(media: Media, name: str, state: str | None) -> bool:
    if state in {"verified", "gone"}:
        media.parts.remove(name)
    elif state == "refused" or (state is None and _is_old(media, name)):
        media.parts.quarantine(name)
    else:
        return False
    return True


def _is_old(media: Media, name: str) -> bool:
    changed = media.parts.changed_at(name)
    return changed is not None and media.clock.now() - changed >= media.limits.lifetime
