"""Bugs of the engine for bytes: uploads, part files, the store of blobs."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Update, select
from sqlalchemy.orm import Session

from server.api.bodies import Body
from server.media.blobs import Placed, WrongHash
from server.media.disk import hash_file
from server.media.engine import Media
from server.media.parts import Part
from server.media.queries import Arrived
from server.media.tables import Arrival, Blob, Upload
from server.media.uploads import CHANGED, UploadStatus, Wish, to_status
from tests.planted.bug import Bed

BED = Bed()


@BED.bug(
    "server.durable:sync_path",
    breaks="M4",
)
def no_folder_is_flushed(_sync: Callable[[Path], None]) -> Callable[[Path], None]:
    """The names of new files on the server do not survive a power cut."""

    def faulty(_folder: Path) -> None:
        return

    return faulty


@BED.bug(
    "server.media.parts:PartFiles.open",
    breaks="M1",
)
def the_offset_comes_before_the_flush(
    open_part: Callable[..., AbstractContextManager[Part]],
) -> Callable[..., AbstractContextManager[Part]]:
    """An upload's offset counts bytes that reach the disk only at the end of the request."""

    @contextmanager
    def faulty(*given: Any, **more: Any) -> Iterator[Part]:
        with open_part(*given, **more) as part:
            yield _Lazy(part)  # type: ignore[misc]
            part.sync()

    return faulty


class _Lazy:
    """A part file that says it was flushed."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def sync(self) -> None:
        """Does nothing."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


@BED.bug(
    "server.media.disk:DiskBlobs.put_if_absent",
    breaks="M2",
)
def the_hash_of_a_whole_file_is_not_checked(
    put: Callable[..., Placed | WrongHash],
) -> Callable[..., Placed | WrongHash]:
    """Bytes are called verified whatever their hash, once there are enough of them."""

    def faulty(blobs: Any, source: Path, *, sha256: str, **more: Any) -> Placed | WrongHash:
        placed = put(blobs, source, **{**more, "sha256": hash_file(source), "found": None})
        return Placed(sha256, placed.bytes) if isinstance(placed, Placed) else placed

    return faulty


@BED.bug(
    "server.media.uploads:create_upload",
    breaks="M4",
)
def photos_of_the_same_bytes_share_an_upload(
    create: Callable[..., UploadStatus],
) -> Callable[..., UploadStatus]:
    """A photo whose bytes came before under another one gets no upload of its own."""

    def faulty(session: Session, media: Media, wish: Wish) -> UploadStatus:
        same = Upload.user == wish.user, Upload.sha256 == wish.sha256
        row = session.scalars(select(Upload).where(*same).limit(1)).one_or_none()
        return create(session, media, wish) if row is None else to_status(row)

    return faulty


@BED.bug(
    "server.media.receiving:change_row",
    "server.media.receiving:_Writer._proves",
    "server.media.writers:Post.is_held",
    breaks="M1",
)
def an_upload_has_as_many_writers_as_like(good: Callable[..., Any]) -> Callable[..., Any]:
    """Of two requests that write to one upload, each moves the offset without looking at it."""

    def change_row(connection: Connection, change: Update, upload: str, **given: Any) -> Any:
        if "received" not in given:
            return good(connection, change, upload, **given)
        values = {name: value for name, value in given.items() if not name.endswith("_")}
        return good(connection, CHANGED, upload, **values)

    def is_so(_writer: object) -> bool:
        return True

    return change_row if good.__name__ == "change_row" else is_so


@BED.bug(
    "server.api.bodies:Body.pieces",
    breaks="M1",
)
def the_end_of_a_stream_is_success(
    pieces: Callable[[Body], Iterator[bytes]],
) -> Callable[[Body], Iterator[bytes]]:
    """A body that breaks off is answered like one that came whole."""

    def faulty(body: Body) -> Iterator[bytes]:
        yield from pieces(body)
        body.complete = True

    return faulty


@BED.bug(
    "server.media.queries:find_verified",
    breaks="P5",
)
def who_knows_a_hash_is_told_of_its_photos(
    _find: Callable[..., list[Arrived]],
) -> Callable[..., list[Arrived]]:
    """The server vouches for bytes to anybody who names their hash."""

    def faulty(session: Session, _user: str, hashes: Any) -> list[Arrived]:
        wanted = select(Arrival.photo, Blob.sha256, Blob.bytes).join(
            Blob, Blob.sha256 == Arrival.sha256
        )
        rows = session.execute(
            wanted.where(Arrival.sha256.in_(hashes), Arrival.state == "verified")
        )
        return [Arrived(photo=row.photo, sha256=row.sha256, bytes=row.bytes) for row in rows]

    return faulty
