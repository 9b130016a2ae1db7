"""What stands in for machinery that is not the subject here, while a run lasts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from server.media import images, pictures


@contextmanager
def staged() -> Iterator[None]:
    """Pictures are examined within this process, and no wake-up ever reaches a worker.

    The one is slow and has limits of the machine, the other only saves seconds (the sweep finds
    all). Both have tests of their own.
    """
    with (
        patch.object(pictures, "examine_apart", images.examine),
        patch("server.app.send_wake_up", _lose),
    ):
        yield


def _lose(_settings: Any) -> None:
    """A wake-up that nobody hears."""
