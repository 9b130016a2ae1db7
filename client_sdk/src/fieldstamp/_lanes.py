"""Carries the requests of several uploads side by side. Knows no upload, no row and no store.

A store belongs to one thread. So other threads carry requests and nothing else, and what an answer
means is settled in the thread of whoever iterates.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack

from fieldstamp._errors import FieldstampError, OfflineError
from fieldstamp._ports import Request, Response
from fieldstamp._values import Progress

Steps = Generator[Request | Progress, Response, None]
"""One upload: yields requests, for which it is sent the answer or an OfflineError, and progress."""
Carry = Callable[[Request], Response]


class Lanes:
    """So many uploads at once. Where one raises, no other one begins; it is raised in the end."""

    def __init__(self, carry: Carry, *, lanes: int) -> None:
        self._carry = carry
        self._lanes = lanes
        self._submit: Callable[[Request], Future[Response]] = self._answer_here
        self._under_way: dict[Future[Response], Steps] = {}
        self._failure: FieldstampError | None = None

    def run(self, uploads: Iterable[Steps]) -> Iterator[Progress]:
        """Runs ``uploads``, in their order as far as there are lanes."""
        waiting = iter(uploads)
        with ExitStack() as stack:
            if self._lanes > 1:
                pool = stack.enter_context(ThreadPoolExecutor(self._lanes))
                self._submit = lambda request: pool.submit(self._carry, request)
            yield from self._fill(waiting)
            while self._under_way:
                done, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
                for answered in done:
                    yield from self._go_on(self._under_way.pop(answered), answered)
                yield from self._fill(waiting)
        if self._failure is not None:
            raise self._failure

    def _fill(self, waiting: Iterator[Steps]) -> Iterator[Progress]:
        while self._failure is None and len(self._under_way) < self._lanes:
            steps = next(waiting, None)
            if steps is None:
                return
            yield from self._go_on(steps, None)

    def _go_on(self, steps: Steps, answered: Future[Response] | None) -> Iterator[Progress]:
        """One upload up to its next request, or to its end."""
        try:
            step = next(steps) if answered is None else _hand_over(steps, answered)
            while isinstance(step, Progress):
                yield step
                step = next(steps)
        except StopIteration:
            return
        except FieldstampError as error:
            self._failure = self._failure or error
            return
        if self._failure is None:
            self._under_way[self._submit(step)] = steps

    def _answer_here(self, request: Request) -> Future[Response]:
        answered: Future[Response] = Future()
        try:
            answered.set_result(self._carry(request))
        except OfflineError as error:
            answered.set_exception(error)
        return answered


def _hand_over(steps: Steps, answered: Future[Response]) -> Request | Progress:
    try:
        answer = answered.result()
    except OfflineError as error:
        return steps.throw(error)
    return steps.send(answer)
