"""Keeps hints to the worker few: a burst gives one at its beginning and one at its end."""

import threading
from collections.abc import Callable

from server.settings import Settings

REST_SECONDS = 0.5


class Waker:
    """Passes the first call on at once; calls that come soon after it become one later call.

    A hint costs more than all the rest of a small upload, and the worker looks for all there is to
    do at each. One that is lost, with the process that kept it, costs time until the next sweep.
    """

    def __init__(self, wake: Callable[[Settings], object]) -> None:
        self._wake = wake
        self._changing = threading.Lock()
        self._rests = False
        self._again = False

    def __call__(self, settings: Settings) -> None:
        """There is work in the store of ``settings``."""
        with self._changing:
            if self._rests:
                self._again = True
                return
            self._rests = True
        self._pass_on(settings)

    def _pass_on(self, settings: Settings) -> None:
        self._wake(settings)
        rest = threading.Timer(REST_SECONDS, self._end_rest, [settings])
        rest.daemon = True
        rest.start()

    def _end_rest(self, settings: Settings) -> None:
        with self._changing:
            self._rests, self._again = self._again, False
            if not self._rests:
                return
        self._pass_on(settings)
