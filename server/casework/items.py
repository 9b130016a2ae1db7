"""What a kind asks for when a record changes: values, written in the record's transaction. Pure."""

from dataclasses import dataclass
from datetime import timedelta

from server.people.principal import Role


@dataclass(frozen=True, slots=True)
class OpenItem:
    """B1: somebody in ``role`` must act on the record within ``term``; replaces its open item."""

    role: Role
    task: str
    """What is to be done, a key of the back office's translations: ``review``, ``intake`` …"""
    term: timedelta


@dataclass(frozen=True, slots=True)
class CloseItem:
    """Nothing more is to be done about the record."""


Effect = OpenItem | CloseItem
