"""Takes bytes that lie on the disk for verified again, after a restore has lost their rows."""

from sqlalchemy.orm import Session

from server.db import transaction
from server.media.blobs import Placed
from server.media.disk import hash_pieces, read_pieces
from server.media.engine import Media
from server.media.noting import Brought, note_verified


def adopt(session: Session, media: Media, brought: Brought) -> bool:
    """Notes bytes that this user is shown to have brought once; whether they are here.

    M4: they are hashed again, for the row that vouched for them is gone.
    """
    size = media.originals.head(brought.sha256)
    if size is None:
        return False
    session.rollback()  # no connection is held while bytes are read
    with media.originals.open_range(brought.sha256) as file:
        if hash_pieces(read_pieces(file)) != brought.sha256:
            return False
    with transaction(session) as effects:
        note_verified(session.connection(), media, brought, Placed(brought.sha256, size))
        effects.add(lambda: media.wake(brought.sha256))
    return True
