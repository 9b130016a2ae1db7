"""What the engine works with: kinds, clock, ids, keys and limits, as one frozen value."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.clock import Clock
from server.ids import IdMaker
from server.sync.kinds import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """Made once by ``create_app`` and handed to whoever pushes or pulls."""

    registry: Registry
    clock: Clock
    ids: IdMaker
    key: Ed25519PrivateKey
    """The server key, which signs acknowledgements."""
    secret: str
    """Signs cursors."""
    poll_seconds: int
    """``backoff`` of an answer: how soon a device with nothing to send asks again."""
