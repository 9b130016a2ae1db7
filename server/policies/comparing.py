"""What one policy says otherwise than another, key by key. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from server.policy import Policy


@dataclass(frozen=True, slots=True)
class Difference:
    """One key; None: it is not there."""

    path: str
    old: Any
    new: Any


def differences(old: Policy, new: Policy) -> tuple[Difference, ...]:
    """The keys in which ``new`` is not like ``old``, whatever their versions are."""
    return tuple(_differ("", _said(old), _said(new)))


def _said(policy: Policy) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(policy, str_keys=True)
    return {name: section for name, section in told.items() if name != "version"}


def _differ(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for key in [*old, *(key for key in new if key not in old)]:
        was, now, place = old.get(key), new.get(key), f"{path}{key}"
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from _differ(f"{place}.", was, now)
        elif was != now:
            yield Difference(place, was, now)
