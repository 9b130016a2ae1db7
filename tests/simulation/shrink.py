"""Makes a failing list of actions short: leaves parts out, as long as the same check fails."""

from collections.abc import Callable, Sequence

from tests.simulation.plan import Action

MOST_TRIES = 400

Fails = Callable[[Sequence[Action]], bool]


def shrink(
    actions: Sequence[Action], fails: Fails, *, most_tries: int = MOST_TRIES
) -> list[Action]:
    """A part of ``actions`` that still fails, from which no single action can be left out.

    Stops early after ``most_tries`` runs.
    """
    left, size, tries = list(actions), max(len(actions) // 2, 1), 0
    while tries < most_tries:
        shorter = None
        for start in range(0, len(left), size):
            candidate = left[:start] + left[start + size :]
            tries += 1
            if fails(candidate):
                shorter = candidate
                break
            if tries >= most_tries:
                break
        if shorter is not None:
            left = shorter
        elif size == 1:
            break
        else:
            size = max(size // 2, 1)
    return left
