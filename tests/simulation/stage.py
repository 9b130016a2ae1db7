"""What stands in for machinery that is not the subject here, while a run lasts."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from server.api.kinds import describe_kinds
from server.domain import all_kinds
from server.media import images, pictures


class Remembered:
    """``act`` with a memory for what it was asked last."""

    def __init__(self, act: Callable[..., Any]) -> None:
        self._act = act
        self._asked: tuple[Any, ...] | None = None
        self._told: Any = None

    def __call__(self, *asked: Any) -> Any:
        if asked != self._asked:
            self._asked, self._told = asked, self._act(*asked)
        return self._told


STAND_INS = {
    "server.app.send_wake_up": lambda _settings: None,
    "server.services.all_kinds": Remembered(all_kinds),
    "server.policies.reading.all_kinds": Remembered(all_kinds),
    "server.api.sync.describe_kinds": Remembered(describe_kinds),
}


@contextmanager
def staged() -> Iterator[None]:
    """Pictures are examined within this process, no wake-up ever reaches a worker, and kinds are
    made and described once for each policy.

    The first is slow and has limits of the machine, the second only saves seconds (the sweep finds
    all), and the last are values that follow from the policy alone. All have tests of their own.
    """
    with ExitStack() as stage:
        stage.enter_context(patch.object(pictures, "examine_apart", images.examine))
        for name, stand_in in STAND_INS.items():
            stage.enter_context(patch(name, stand_in))
        yield
