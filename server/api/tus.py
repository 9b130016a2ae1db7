"""The words of tus 1.0.0: what requests say in their headers, and what answers say.

Source: tus.io/protocols/resumable-upload, 1.0.0. Knows no route and no store.
"""

import base64
import binascii
import re
from email.utils import format_datetime

from flask import Request, Response

from server.errors import Problem
from server.media.uploads import UploadStatus

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration"
BODY_TYPE = "application/offset+octet-stream"
NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
METADATA_BYTES = 4096
PARTS = frozenset({"original", "preview"})
LONGEST_KEY = 80
METHODS = "POST, HEAD, PATCH, OPTIONS"
SENT = (
    "Authorization, Content-Type, Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, "
    "X-HTTP-Method-Override, X-Request-ID"
)
EXPOSED = (
    "Location, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Expires, "
    "Upload-Length, Upload-Offset, Upload-State, Retry-After"
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


def describe_upload(answer: Response, upload: UploadStatus) -> None:
    """Puts the standing of ``upload`` into the headers; ``Upload-State`` is its result."""
    answer.headers["Upload-Offset"] = str(upload.received)
    answer.headers["Upload-Length"] = str(upload.length)
    answer.headers["Upload-State"] = upload.state
    if upload.state == "open":
        answer.headers["Upload-Expires"] = format_datetime(upload.expires_at, usegmt=True)


def describe_server(answer: Response, limit: int) -> None:
    """What the server serves (OPTIONS)."""
    answer.headers["Tus-Version"] = VERSION
    answer.headers["Tus-Extension"] = EXTENSIONS
    answer.headers["Tus-Max-Size"] = str(limit)


def open_to_browsers(answer: Response) -> None:
    """CORS for clients in other origins' pages: the bearer token is the only credential."""
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Access-Control-Allow-Methods"] = METHODS
    answer.headers["Access-Control-Allow-Headers"] = SENT
    answer.headers["Access-Control-Expose-Headers"] = EXPOSED
    answer.headers["Access-Control-Max-Age"] = "86400"
