"""What a picture's EXIF tags claim, as text. Pure; what makes no sense is dropped, with why.

Tag numbers: Exif 2.32 (CIPA DC-008), sections 4.6.4 to 4.6.6.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

MAKE, MODEL, SOFTWARE, ORIENTATION = 0x010F, 0x0110, 0x0131, 0x0112
TAKEN, TAKEN_OFFSET = 0x9003, 0x9011
LATITUDE_REF, LATITUDE, LONGITUDE_REF, LONGITUDE = 1, 2, 3, 4
LONGEST = 80
PLACES = Decimal("0.000001")

Tags = Mapping[int, Any]


class _Senseless(Exception):
    """A value that cannot be what its tag says; the code tells why."""


def read_claims(main: Tags, details: Tags, position: Tags) -> tuple[dict[str, str], dict[str, str]]:
    """(claims, dropped). Claims: ``make``, ``model``, ``software``, ``taken`` (local time; with an
    offset only where the camera wrote one), ``lat`` and ``lon`` (WGS-84 degrees, both or neither).

    Dropped: claim → ``format``, ``range`` or ``zero``; a tag that is not there drops nothing.
    """
    claims: dict[str, str] = {}
    dropped: dict[str, str] = {}
    for name, read in READERS.items():
        try:
            claims |= read(main, details, position)
        except _Senseless as senseless:
            dropped[name] = str(senseless)
        except (KeyError, TypeError, ValueError, ArithmeticError):
            dropped[name] = "format"
    return {name: value for name, value in claims.items() if value}, dropped


def _text(tags: Tags, tag: int) -> str:
    value = tags.get(tag, "")
    if not isinstance(value, str):
        raise _Senseless("format")
    return "".join(sign for sign in value if sign.isprintable()).strip()[:LONGEST]


def _check_orientation(main: Tags) -> dict[str, str]:
    """Acted upon where the picture is turned; said only where it cannot be."""
    if main.get(ORIENTATION, 1) not in range(1, 9):
        raise _Senseless("range")
    return {}


def _taken(details: Tags) -> str:
    text = _text(details, TAKEN)
    if not text.strip("0: "):  # cameras without a clock write blanks or zeros
        return ""
    local = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 -- EXIF has no zone
    try:
        offset = datetime.strptime(_text(details, TAKEN_OFFSET), "%z").tzinfo
    except (ValueError, _Senseless):
        offset = None
    return local.replace(tzinfo=offset).isoformat()


def _place(position: Tags) -> dict[str, str]:
    if not position.keys() & {LATITUDE, LONGITUDE}:
        return {}
    latitude = _degrees(position[LATITUDE], limit=90)
    longitude = _degrees(position[LONGITUDE], limit=180)
    if not latitude and not longitude:
        raise _Senseless("zero")
    south, west = position.get(LATITUDE_REF) == "S", position.get(LONGITUDE_REF) == "W"
    return {
        "lat": str((-latitude if south else latitude).quantize(PLACES)),
        "lon": str((-longitude if west else longitude).quantize(PLACES)),
    }


def _degrees(parts: Any, *, limit: int) -> Decimal:
    degrees, minutes, seconds = (Decimal(str(float(part))) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    if not 0 <= value <= limit:
        raise _Senseless("range")
    return value


READERS: Mapping[str, Callable[[Tags, Tags, Tags], dict[str, str]]] = {
    "make": lambda main, _details, _position: {"make": _text(main, MAKE)},
    "model": lambda main, _details, _position: {"model": _text(main, MODEL)},
    "software": lambda main, _details, _position: {"software": _text(main, SOFTWARE)},
    "orientation": lambda main, _details, _position: _check_orientation(main),
    "taken": lambda _main, details, _position: {"taken": _taken(details)},
    "position": lambda _main, _details, position: _place(position),
}
"""What a drop is called → how its claims are read from main, detail and position tags."""
