"""Puts versions of the policy and what differs between two into words for a terminal."""

from collections.abc import Iterable
from typing import Any

import orjson

from server.clock import to_wire
from server.policies.comparing import Difference
from server.policies.tables import PolicyVersion


def say_version(version: PolicyVersion) -> str:
    """One line about ``version``."""
    by = version.applied_by or "the installation"
    return f"{version.number}  {to_wire(version.applied_at)}  {version.sha256}  {by}"


def say_differences(found: Iterable[Difference]) -> str:
    """A line for each key."""
    lines = [f"{one.path}: {_value(one.old)} -> {_value(one.new)}" for one in found]
    return "\n".join(lines) or "Nothing differs."


def _value(value: Any) -> str:
    return "nothing" if value is None else orjson.dumps(value).decode()
