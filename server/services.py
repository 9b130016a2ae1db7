"""What every part of a running server shares, as one frozen value. No rules, no wiring."""

from dataclasses import dataclass
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import current_app

from server.clock import Clock
from server.ids import IdMaker
from server.policy import Policy
from server.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Made once by ``app.create_app``; reachable as ``app.extensions["fieldstamp"]``."""

    settings: Settings
    policy: Policy
    clock: Clock
    ids: IdMaker
    secret: str
    """Behind tokens, cursors and links."""
    key: Ed25519PrivateKey
    """The server key: signs acknowledgements."""


def services() -> Services:
    """The services of the application that handles this request."""
    return cast("Services", current_app.extensions["fieldstamp"])
