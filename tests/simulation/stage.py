"""What stands in for machinery that is not the subject here, while a run lasts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from server.api.kinds import describe_kinds
from server.media import images, pictures


@contextmanager
def staged() -> Iterator[None]:
    """Pictures are examined within this process, no wake-up ever reaches a worker, and kinds are
    described once for each application.

    The first is slow and has limits of the machine, the second only saves seconds (the sweep finds
    all), and the last never changes while an application runs. All have tests of their own.
    """
    with (
        patch.object(pictures, "examine_apart", images.examine),
        patch("server.app.send_wake_up", _lose),
        patch("server.api.sync.describe_kinds", _Described()),
    ):
        yield


def _lose(_settings: Any) -> None:
    """A wake-up that nobody hears."""


class _Described:
    """``describe_kinds`` with a memory for what it was asked last."""

    def __init__(self) -> None:
        self._asked: tuple[Any, ...] = ()
        self._told: Any = None

    def __call__(self, *asked: Any) -> Any:
        if not self._asked or any(
            one is not was for one, was in zip(asked, self._asked, strict=True)
        ):
            self._asked, self._told = asked, describe_kinds(*asked)
        return self._told
