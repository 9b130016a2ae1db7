"""The strict reader of request bodies: bounded, one encoding, JSON without ambiguity.

What it lets through serialises to the same canonical bytes in every language (PROTOCOL *Common
rules*). It knows no route and no schema.
"""

import json
import re
import zlib
from contextlib import suppress

import orjson
from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from server.errors import Problem
from server.settings import Settings

DEEPEST = 32
NUMBER = re.compile(r"0|-?[1-9][0-9]*")
MEMBER_NAME = re.compile(r"[a-z][a-z0-9_]*")
LONGEST_NUMBER = 17
ESCAPED_NUL = b"\\u0000"


def read_json(body: bytes) -> object:
    """The value of ``body``.

    *Raises* ``bad_json`` for anything but one UTF-8 JSON text without BOM, duplicate names, NUL,
    lone surrogates, numbers other than whole ones within ±(2^53−1), or depth over 32.
    """
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _bad("not JSON") from error
    _check([value], depth=0, may_hold_nul=ESCAPED_NUL in body)
    try:
        written = orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)
    except orjson.JSONEncodeError as error:
        raise _bad("a number beyond 2^53") from error
    # Bytes that come back unchanged cannot have held a duplicate name or another number token.
    if written != body:
        _check_tokens(body)
    return value


def misnamed(value: object) -> str | None:
    """The first member name in ``value`` that breaks ``[a-z][a-z0-9_]*``, or None."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not MEMBER_NAME.fullmatch(name):
                return str(name)
            if found := misnamed(inner):
                return found
    elif isinstance(value, list):
        return next((found for inner in value if (found := misnamed(inner))), None)
    return None


def read_body(request: Request, settings: Settings) -> bytes:
    """The bytes of ``request``, inflated.

    *Raises* ``too_large`` naming the limit, ``unsupported_media``, ``bad_json``; ``unavailable``
    where not all of it came.
    """
    encoding = request.environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
    if encoding not in {"identity", "gzip"}:
        raise Problem("unsupported_media", detail="Content-Encoding must be gzip or absent.")
    sent = _read_sent(request, settings.push_wire_bytes)
    return _inflate(sent, settings.push_bytes) if encoding == "gzip" else sent


def _read_sent(request: Request, limit: int) -> bytes:
    """What came over the wire; the stream may give it in pieces."""
    announced = request.content_length
    if announced is None:
        return _read_chunks(request, limit)
    if announced > limit:
        raise _too_large("push_wire_bytes", limit)
    read, sent = request.environ["wsgi.input"].read, b""
    with suppress(OSError):
        while len(sent) < announced and (piece := read(announced - len(sent))):
            sent += piece
    if len(sent) < announced:
        raise Problem("unavailable")  # P8: cut or too slow; what was meant may be good
    return sent


def _read_chunks(request: Request, limit: int) -> bytes:
    request.max_content_length = limit
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise _too_large("push_wire_bytes", limit) from error


def _inflate(sent: bytes, limit: int) -> bytes:
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        body = stream.decompress(sent, limit + 1)
    except zlib.error as error:
        raise _bad("not gzip") from error
    if len(body) > limit:
        raise _too_large("push_bytes", limit)
    if not stream.eof or stream.unused_data:
        raise _bad("not one whole gzip member")
    return body


def _check(container: dict[str, object] | list[object], *, depth: int, may_hold_nul: bool) -> None:
    if depth > DEEPEST:
        raise _bad("too deep")
    inner = container.values() if isinstance(container, dict) else container
    kinds = set(map(type, inner))
    if float in kinds:
        raise _bad("a number that is not whole")
    if may_hold_nul and any("\0" in text for text in (*container, *inner) if type(text) is str):
        raise _bad("NUL in a string")
    if dict in kinds or list in kinds:
        for item in inner:
            if isinstance(item, (dict, list)):
                _check(item, depth=depth + 1, may_hold_nul=may_hold_nul)


def _check_tokens(body: bytes) -> None:
    json.loads(
        body,
        object_pairs_hook=_refuse_duplicates,
        parse_int=_refuse_odd_numbers,
        parse_float=_refuse_odd_numbers,
        parse_constant=_refuse_odd_numbers,
    )


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _bad("a name stands twice")


def _refuse_odd_numbers(token: str) -> None:
    if len(token) > LONGEST_NUMBER or not NUMBER.fullmatch(token):
        raise _bad("a number that is not whole")


def _bad(detail: str) -> Problem:
    return Problem("bad_json", detail=detail)


def _too_large(limit: str, size: int) -> Problem:
    return Problem("too_large", extra={"limit": limit, "bytes": size})
