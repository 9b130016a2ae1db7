"""Uploads that are made of others: finds the partial ones and gathers their bytes."""

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy.orm import Session

from server.errors import Problem
from server.media.disk import read_pieces
from server.media.engine import Media
from server.media.receiving import receive
from server.media.uploads import (
    UNFINISHED,
    UploadStatus,
    Wish,
    create_upload,
    find_live,
    find_upload,
    give_up,
    need_live,
    take_over,
)

MOST_JOINED = 64


def create_joined(session: Session, media: Media, wish: Wish) -> UploadStatus:
    """The upload that joins what ``wish`` names, with all its bytes.

    Asked again it is the same one, and goes on where a kill has left it. *Raises* ``not_found``
    also for another user's upload (P5), ``upload_gone``, ``bad_request``, and what
    ``create_upload`` and ``receive`` raise.
    """
    if find_live(session, media, wish) is None:
        parts = _find_partials(session, media, wish)
        wish = replace(wish, length=sum(part.received for part in parts))
    final = create_upload(session, media, wish)
    return gather(session, media, final)


def _find_partials(session: Session, media: Media, wish: Wish) -> list[UploadStatus]:
    if len(wish.joins) > MOST_JOINED or len(set(wish.joins)) < len(wish.joins):
        raise Problem("bad_request", detail=f"At most {MOST_JOINED} different uploads are joined.")
    found = [find_upload(session, wish.user, upload) for upload in wish.joins]
    for partial in found:
        need_live(partial, media)
        if not partial.partial or partial.state != "stored":
            raise Problem("bad_request", detail="Only complete partial uploads can be joined.")
    return found


def gather(session: Session, media: Media, final: UploadStatus) -> UploadStatus:
    """Brings the bytes of its parts into ``final``, from wherever it stands, and frees them.

    *Raises* what ``receive`` raises, and ``upload_gone`` where a part is shorter than it was.
    """
    if final.state not in UNFINISHED:
        return final
    if final.state == "open":
        leased = take_over(session, media, final, offset=final.received)
        final = receive(session, media, leased, _pieces(media, leased))
    if final.state == "open":
        give_up(session, media, final)
        raise Problem("upload_gone")
    for upload in final.joins:
        give_up(session, media, find_upload(session, final.user, upload))
    return final


def _pieces(media: Media, final: UploadStatus) -> Iterator[bytes]:
    """What ``final`` lacks."""
    skip = final.received
    for upload in final.joins:
        with media.parts.path(upload).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(min(skip, size))
            skip -= min(skip, size)
            yield from read_pieces(file)
