"""What one sync counts on its way, and how a restored server interrupts it."""

from dataclasses import dataclass, field

from fieldstamp._errors import FieldstampError
from fieldstamp._store import Transaction


class EpochChangedError(Exception):
    """The server was restored while this sync ran; it starts again with what is now unsent."""


def need_epoch(transaction: Transaction, epoch: str) -> None:
    """P6: asked in the transaction that takes an answer in, since another program on this store may
    have heard of a restore meanwhile. Raises EpochChangedError."""
    if transaction.value("hello")["epoch"] != epoch:
        raise EpochChangedError


@dataclass(slots=True)
class Tally:
    """What one sync counted so far."""

    outcomes: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    received: int = 0
    photos_sent: int = 0
    photos_verified: int = 0
    taken_back: int = 0
    """Photos that a restored server had and took back by its own acknowledgement."""
    whole: bool = False
    """The last pull reached the end of the feed."""
    mismatch: tuple[str, ...] = ()
    push_only: bool = False
    """P6: the server takes this program's work and sends it nothing."""
    backoff_s: float = 0
    problems: list[FieldstampError] = field(default_factory=list)
