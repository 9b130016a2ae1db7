"""What a kind asks for when a record changes: values, written in the record's transaction. Pure."""

from datetime import timedelta

from server.people.principal import Role
from server.values import Value


class OpenItem(Value, frozen=True, kw_only=False):
    """B1: somebody in ``role`` must act on the record within ``term``; replaces its open item."""

    role: Role
    task: str
    """What is to be done, a key of the back office's translations: ``review``, ``intake`` …"""
    term: timedelta


class CloseItem(Value, frozen=True):
    """Nothing more is to be done about the record."""


Effect = OpenItem | CloseItem
