"""When a delivery that failed is tried again. Pure."""

from datetime import datetime, timedelta

FIRST = timedelta(seconds=10)
LONGEST = timedelta(hours=1)
LEAST = timedelta(seconds=1)
DOUBLINGS = 12


def next_try(now: datetime, *, tries: int, expires_at: datetime, draw: float) -> datetime | None:
    """The moment of the next try after ``tries``; None once the time for trying is over.

    Full jitter: anywhere up to a bound that doubles, ``draw`` being evenly spread over [0, 1), so
    that what failed together does not come again together. The last try is when the time ends.
    """
    if now >= expires_at:
        return None
    bound = min(FIRST * (1 << min(tries, DOUBLINGS)), LONGEST)
    return min(now + max(LEAST, bound * draw), expires_at)
