"""The words of tus 1.0.0: what requests say in their headers, and what answers say.

Source: tus.io/protocols/resumable-upload, 1.0.0. Knows no route and no store.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Protocol
from urllib.parse import urlsplit

from flask import Request, Response

from server.errors import Problem
from server.media.uploads import UploadStatus

VERSION = "1.0.0"
UPLOADS = "/v1/media/uploads"
EXTENSIONS = (
    "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination,"
    "concatenation"
)
ALGORITHMS = ("sha1", "sha256")
BODY_TYPE = "application/offset+octet-stream"
NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
UPLOAD_PATH = re.compile(rf"(?:/[^/]*)*{UPLOADS}/([0-9a-f-]{{36}})/?")
FINAL = "final;"
METADATA_BYTES = 4096
PARTS = frozenset({"original", "preview"})
LONGEST_KEY = 80
METHODS = "POST, HEAD, PATCH, DELETE, OPTIONS"
SENT = (
    "Authorization, Content-Type, Tus-Resumable, Upload-Checksum, Upload-Concat, "
    "Upload-Defer-Length, Upload-Length, Upload-Metadata, Upload-Offset, X-HTTP-Method-Override, "
    "X-Request-ID"
)
EXPOSED = (
    "Location, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, "
    "Upload-Concat, Upload-Defer-Length, Upload-Expires, Upload-Length, Upload-Offset, "
    "Upload-State, Retry-After"
)


def check_version(request: Request) -> None:
    """*Raises* ``tus_version`` unless the request speaks tus 1.0.0."""
    if request.headers.get("Tus-Resumable") != VERSION:
        raise Problem("tus_version")


def check_body_type(request: Request) -> None:
    """*Raises* ``unsupported_media`` unless the body is declared as bytes at an offset."""
    if request.headers.get("Content-Type") != BODY_TYPE:
        raise Problem("unsupported_media")


def has_bytes(request: Request) -> bool:
    """Whether a creation brings bytes along (creation-with-upload)."""
    return request.headers.get("Content-Type") == BODY_TYPE


def read_number(request: Request, header: str) -> int:
    """A length or an offset. *Raises* ``bad_request`` for anything but a plain whole number."""
    text = request.headers.get(header, "")
    if not NUMBER.fullmatch(text):
        raise Problem("bad_request", detail=f"{header} must be a whole number.")
    return int(text)


def read_length(request: Request) -> int | None:
    """The length of a new upload; None where the client will say it later."""
    deferred = request.headers.get("Upload-Defer-Length")
    if deferred is None:
        return read_number(request, "Upload-Length")
    if deferred != "1" or "Upload-Length" in request.headers:
        raise Problem("bad_request", detail="Upload-Defer-Length must be 1, without a length.")
    return None


def read_concat(request: Request) -> tuple[bool, tuple[str, ...]]:
    """Whether a new upload is a partial one, and the ids of those that it joins.

    Their addresses may be absolute or relative; whose they are is not judged here.
    """
    said = request.headers.get("Upload-Concat")
    if said in {None, "partial"}:
        return said is not None, ()
    if said is not None and said.startswith(FINAL):
        paths = [UPLOAD_PATH.fullmatch(_path(url)) for url in said.removeprefix(FINAL).split()]
        joins = tuple(path[1] for path in paths if path)
        if joins and len(joins) == len(paths):
            return False, joins
    raise Problem("bad_request", detail="Upload-Concat cannot be read.")


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def read_metadata(request: Request) -> dict[str, str]:
    """``Upload-Metadata`` as key → text. *Raises* ``bad_request``."""
    header = request.headers.get("Upload-Metadata", "")
    if len(header) > METADATA_BYTES:
        raise Problem("bad_request", detail="Upload-Metadata is too long.")
    pairs = [pair.split(" ") for pair in header.split(",") if pair.strip()]
    try:
        values = {key: _decode(*value) for key, *value in (_strip(pair) for pair in pairs)}
    except (binascii.Error, UnicodeDecodeError, TypeError) as error:
        raise Problem("bad_request", detail="Upload-Metadata cannot be read.") from error
    if len(values) != len(pairs) or any("\0" in value for value in values.values()):
        raise Problem("bad_request", detail="Upload-Metadata cannot be read.")
    return values


def _strip(pair: list[str]) -> list[str]:
    return [word for word in pair if word]


def _decode(encoded: str = "") -> str:
    return base64.b64decode(encoded, validate=True).decode("utf-8")


class Bytes(Protocol):
    """The body of a request; ``complete`` says, at its end, whether all of it came."""

    complete: bool

    def pieces(self) -> Iterator[bytes]:
        """The bytes as they come."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What ``Upload-Checksum`` says of one body."""

    algorithm: str
    digest: bytes


def read_checksum(request: Request) -> Checksum | None:
    """The checksum of the body, if it has one. *Raises* ``bad_request``."""
    said = request.headers.get("Upload-Checksum")
    if said is None:
        return None
    algorithm, _, encoded = said.partition(" ")
    try:
        digest = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem("bad_request", detail="Upload-Checksum cannot be read.") from error
    if algorithm not in ALGORITHMS or len(digest) != hashlib.new(algorithm).digest_size:
        raise Problem("bad_request", detail="Upload-Checksum must be sha1 or sha256.")
    return Checksum(algorithm, digest)


class CheckedBody:
    """A body that counts as a whole or not at all: its checksum is known at its end only."""

    def __init__(self, body: Bytes, checksum: Checksum) -> None:
        self._body = body
        self._checksum = checksum
        self._found = hashlib.new(checksum.algorithm, usedforsecurity=False)

    def pieces(self) -> Iterator[bytes]:
        """The bytes as they come."""
        for piece in self._body.pieces():
            self._found.update(piece)
            yield piece

    def counts(self) -> bool:
        """Whether all of it came. *Raises* ``checksum_mismatch`` where it is something else."""
        if self._body.complete and self._found.digest() != self._checksum.digest:
            raise Problem("checksum_mismatch")
        return self._body.complete


def describe_upload(answer: Response, upload: UploadStatus) -> None:
    """Puts the standing of ``upload`` into the headers; ``Upload-State`` is its result."""
    answer.headers["Upload-Offset"] = str(upload.received)
    answer.headers["Upload-State"] = upload.state
    if upload.length is None:
        answer.headers["Upload-Defer-Length"] = "1"
    else:
        answer.headers["Upload-Length"] = str(upload.length)
    if upload.expires:
        answer.headers["Upload-Expires"] = format_datetime(upload.expires_at, usegmt=True)
    if upload.partial:
        answer.headers["Upload-Concat"] = "partial"
    if upload.joins:
        urls = " ".join(f"{UPLOADS}/{joined}" for joined in upload.joins)
        answer.headers["Upload-Concat"] = f"{FINAL}{urls}"


def describe_server(answer: Response, limit: int) -> None:
    """What the server serves (OPTIONS)."""
    answer.headers["Tus-Version"] = VERSION
    answer.headers["Tus-Extension"] = EXTENSIONS
    answer.headers["Tus-Checksum-Algorithm"] = ",".join(ALGORITHMS)
    answer.headers["Tus-Max-Size"] = str(limit)


def open_to_browsers(answer: Response) -> None:
    """CORS for clients in other origins' pages: the bearer token is the only credential."""
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Access-Control-Allow-Methods"] = METHODS
    answer.headers["Access-Control-Allow-Headers"] = SENT
    answer.headers["Access-Control-Expose-Headers"] = EXPOSED
    answer.headers["Access-Control-Max-Age"] = "86400"
