"""What this room is given once by the installation. No rules."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from cryptography.fernet import MultiFernet

from server.clock import Clock
from server.ids import IdMaker
from server.outward.calling import Network
from server.outward.reports import Report
from server.settings import Settings
from server.sync.kinds import Registry

LANES = 16
"""Receivers that are spoken to at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the installation set about this room."""

    origin: str
    """Where links lead."""
    allow: frozenset[str]
    """``host:port`` that may be called although it is private, on another port or without TLS."""
    smtp_url: str
    mail_from: str
    mail_kinds: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The part of ``settings`` that counts here."""
        return cls(
            origin=settings.origins[0],
            allow=frozenset(settings.hook_allow),
            smtp_url=settings.smtp_url,
            mail_from=settings.mail_from,
            mail_kinds=frozenset(settings.mail_kinds),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A run that is under way, and the keys of the deliveries that it took along."""

    run: Future[list[Report]]
    deliveries: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outward:
    """Made once by ``services.build``."""

    clock: Clock
    ids: IdMaker
    registry: Registry
    keys: MultiFernet
    """Encrypts the secrets of hooks."""
    undo: timedelta
    """B2: how long a decision may be taken back; before that nobody outside hears of it."""
    wishes: Wishes
    network: Network = field(default_factory=Network)
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(LANES, "outward"))
    flying: dict[str, Flight] = field(default_factory=dict)
    """Lane → the run that is under way there; a run that takes long is met again a round later."""
