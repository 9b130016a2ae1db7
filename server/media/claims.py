"""What a picture's EXIF tags claim, as text. Pure; values that make no sense are left out.

Tag numbers: Exif 2.32 (CIPA DC-008), sections 4.6.4 to 4.6.6.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

MAKE, MODEL = 0x010F, 0x0110
TAKEN, TAKEN_OFFSET = 0x9003, 0x9011
LATITUDE_REF, LATITUDE, LONGITUDE_REF, LONGITUDE = 1, 2, 3, 4
LONGEST = 80
PLACES = Decimal("0.000001")

Tags = Mapping[int, Any]


def read_claims(main: Tags, details: Tags, position: Tags) -> dict[str, str]:
    """``make``, ``model``, ``taken`` (local time; with an offset only where the camera wrote
    one), ``lat`` and ``lon`` (WGS-84 degrees, both or neither).
    """
    latitude = _degrees(position, LATITUDE, LATITUDE_REF, limit=90)
    longitude = _degrees(position, LONGITUDE, LONGITUDE_REF, limit=180)
    claims = {
        "make": _text(main.get(MAKE)),
        "model": _text(main.get(MODEL)),
        "taken": _taken(details),
    }
    if latitude and longitude and (Decimal(latitude) or Decimal(longitude)):
        claims |= {"lat": latitude, "lon": longitude}
    return {name: value for name, value in claims.items() if value}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(sign for sign in value if sign.isprintable()).strip()[:LONGEST]


def _taken(details: Tags) -> str:
    try:
        local = datetime.strptime(_text(details.get(TAKEN)), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007
    except ValueError:
        return ""
    try:
        offset = datetime.strptime(_text(details.get(TAKEN_OFFSET)), "%z").tzinfo
    except ValueError:
        offset = None
    return local.replace(tzinfo=offset).isoformat()


def _degrees(position: Tags, tag: int, reference: int, *, limit: int) -> str:
    try:
        degrees, minutes, seconds = (Decimal(str(float(part))) for part in position[tag])
        value = degrees + minutes / 60 + seconds / 3600
        if not 0 <= value <= limit:
            return ""
        sign = -1 if position.get(reference) in {"S", "W"} else 1
        return str((sign * value).quantize(PLACES))
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return ""
