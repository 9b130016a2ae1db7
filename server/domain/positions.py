"""Distances and remarks on measured positions. Pure."""

from collections.abc import Iterable, Mapping
from math import asin, cos, radians, sin, sqrt
from typing import Any

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the WGS-84 ellipsoid (IUGG), in metres."""


def distance_m(here: Mapping[str, Any], there: Mapping[str, Any]) -> float:
    """Great-circle distance in metres by the haversine formula, exact to about 0.5 %."""
    lat_here, lat_there = radians(float(here["lat"])), radians(float(there["lat"]))
    half_lat = (lat_there - lat_here) / 2
    half_lon = radians(float(there["lon"]) - float(here["lon"])) / 2
    chord = sin(half_lat) ** 2 + cos(lat_here) * cos(lat_there) * sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(chord)))


def position_flags(position: Mapping[str, Any] | None, oldest_s: int) -> set[str]:
    """V3: what is remarkable about a position by itself; ``oldest_s`` in seconds."""
    if position is None:
        return set()
    mocked = {"mocked"} if position.get("mocked") else set()
    stale = {"stale_position"} if position.get("age_s", 0) > oldest_s else set()
    return mocked | stale


def with_flags(record: Mapping[str, Any], found: Iterable[str]) -> list[str]:
    """The record's flags and those ``found``; a flag once given stays."""
    return sorted({*record.get("flags", ()), *found})
