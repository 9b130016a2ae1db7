"""What a run has seen: how often each thing occurred, and the trace that two runs must share."""

import hashlib
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

KEPT_LINES = 200


class Violation(AssertionError):
    """A promise that did not hold; ``check`` is the id of the check that saw it."""

    def __init__(self, check: str, detail: str) -> None:
        super().__init__(f"{check}: {detail}")
        self.check = check
        self.detail = detail


def hold(check: str, holds: object, detail: object = "") -> None:
    """Raises Violation where ``holds`` is false."""
    if not holds:
        raise Violation(check, str(detail))


@dataclass
class Seen:
    """Counts by ``group/name``, the last lines of the trace, and the hash of all of it."""

    counts: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    _trace: Any = field(default_factory=hashlib.sha256)

    def note(self, group: str, name: str, times: int = 1) -> None:
        """Counts an occurrence."""
        self.counts[f"{group}/{name}"] += times

    def step(self, line: str) -> None:
        """One decision of the seed: an action, or a message and its fate."""
        self.steps += 1
        self.tell(line)

    def tell(self, line: str) -> None:
        """Adds a line to the trace."""
        self.lines.append(line)
        self._trace.update(line.encode())
        self._trace.update(b"\n")

    @property
    def hash(self) -> str:
        """The hash of the trace so far."""
        digest: str = self._trace.hexdigest()
        return digest
