"""One run for all who ask for the same at once. Knows nothing of what is run."""

import threading
from collections.abc import Callable


class Together:
    """Asks of one process for work that does all there is to do, whoever asked for it."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._is_running = False
        self._begun = 0
        self._done = 0

    def run(self, work: Callable[[], int]) -> int:
        """Returns once a run that began after this call has ended well: what it returned, or 0
        where it was another's."""
        with self._turn:
            wanted = self._begun + 1
            self._turn.wait_for(lambda: not self._is_running or self._done >= wanted)
            if self._done >= wanted:
                return 0
            self._is_running = True
            self._begun += 1
            own = self._begun
        try:
            result = work()
            self._done = own
            return result
        finally:
            with self._turn:
                self._is_running = False
                self._turn.notify_all()
