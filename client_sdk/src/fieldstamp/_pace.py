"""When the next try makes sense: full jitter, what the server asked for, across restarts. Pure.

P9: a wall clock that was set back must not hold anything up, so a wait longer than the one that
was set counts as over.
"""

from dataclasses import asdict, dataclass
from typing import Any

from fieldstamp._ports import Clock, Entropy

_BASE_S, _CAP_S = 2.0, 900.0
_SHORTEST_WATCH_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A wait that was set, with the clocks of that moment."""

    attempt: int
    delay_s: float
    asked_s: float
    """So much of it the server asked for; a person's wish to sync now does not shorten that."""
    wall_ms: int
    monotonic_ms: int
    boot: str

    def kept(self) -> dict[str, Any]:
        """The wait as the store keeps it."""
        return asdict(self)


def after_failure(
    before: Wait | None, *, asked_s: float | None, clock: Clock, entropy: Entropy
) -> Wait:
    """The wait after a failed try."""
    attempt = (before.attempt if before else 0) + 1
    jitter = min(_CAP_S, _BASE_S * 2 ** min(attempt, 20)) * entropy.fraction()
    asked_s = asked_s or 0.0
    return _from_now(clock, attempt=attempt, delay_s=max(jitter, asked_s), asked_s=asked_s)


def after_success(*, backoff_s: float, clock: Clock) -> Wait:
    """The wait until the next poll, as the server suggests."""
    return _from_now(clock, attempt=0, delay_s=backoff_s, asked_s=0.0)


def _from_now(clock: Clock, *, attempt: int, delay_s: float, asked_s: float) -> Wait:
    return Wait(
        attempt=attempt,
        delay_s=delay_s,
        asked_s=asked_s,
        wall_ms=int(clock.now().timestamp() * 1000),
        monotonic_ms=clock.monotonic_ms(),
        boot=clock.boot(),
    )


def read(kept: Any) -> Wait | None:
    """A wait that the store kept."""
    return Wait(**kept) if kept else None


def left_s(wait: Wait | None, clock: Clock) -> float:
    """Seconds that are left of a wait; 0 when it is over."""
    return 0 if wait is None else _left_s(wait, wait.delay_s, clock)


def asked_left_s(wait: Wait | None, clock: Clock) -> float:
    """Seconds that are left of what the server asked for."""
    return 0 if wait is None else _left_s(wait, wait.asked_s, clock)


def _left_s(wait: Wait, delay_s: float, clock: Clock) -> float:
    left = delay_s - _passed_s(wait, clock)
    return left if 0 < left <= delay_s else 0


def is_overdue(wait: Wait | None, clock: Clock) -> bool:
    """P8: whether the next try should have been made long ago, twice the delay being over."""
    if wait is None:
        return True
    passed = _passed_s(wait, clock)
    return passed < 0 or passed > 2 * max(wait.delay_s, _SHORTEST_WATCH_S)


def _passed_s(wait: Wait, clock: Clock) -> float:
    if wait.boot == clock.boot():
        return (clock.monotonic_ms() - wait.monotonic_ms) / 1000
    return (int(clock.now().timestamp() * 1000) - wait.wall_ms) / 1000
