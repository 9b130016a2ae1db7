"""Proves that a store agrees with itself and with its photos, or names what does not."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from server.media import queries
from server.media.blobs import BlobStore
from server.media.disk import hash_pieces, read_pieces
from server.media.engine import Media
from server.sync.agreement import list_verified, verify_records
from server.sync.engine import Sync
from server.sync.findings import Finding
from server.sync.ledger import verify_mutations, verify_scopes

CHUNK = 500


def verify(
    session: Session, sync: Sync, media: Media, *, mend: bool = False, photos: bool = False
) -> Iterator[Finding]:
    """Every disagreement, one after the other. ``mend`` makes again what is derived.

    ``photos`` reads every byte on the disk; without it their sizes are looked at.
    """
    yield from verify_records(session, sync, mend=mend)
    yield from verify_scopes(session, mend=mend)
    yield from verify_mutations(session)
    yield from _verify_bytes(session, media, whole=photos)
    yield from _verify_photos(session, sync)


def _verify_bytes(session: Session, media: Media, *, whole: bool) -> Iterator[Finding]:
    """M2, M4: the bytes of every blob are there, as many and, on demand, the same."""
    last = 0
    while chunk := queries.list_blobs(session, after=last, limit=CHUNK):
        session.rollback()  # no snapshot is held while bytes are read
        for last, sha256, size in chunk:  # noqa: B007 -- the last key is where the next begins
            found = media.originals.head(sha256)
            if found is None:
                yield Finding(what="bytes_missing", about=sha256)
            elif found != size or (whole and _hash(media.originals, sha256) != sha256):
                yield Finding(what="bytes_differ", about=sha256)


def _hash(store: BlobStore, sha256: str) -> str:
    with store.open_range(sha256) as file:
        return hash_pieces(read_pieces(file))


def _verify_photos(session: Session, sync: Sync) -> Iterator[Finding]:
    """M4: what a record calls verified was noted when it was checked."""
    for chunk in list_verified(session, sync):
        known = queries.known_blobs(session, list(chunk.values()))
        for record, sha256 in chunk.items():
            if sha256 not in known:
                yield Finding(what="bytes_unknown", about=record, detail=sha256)
