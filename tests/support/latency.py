"""A pool over virtual time in which each request takes a while, and requests overlap.

What the scheduler submits before it takes an answer is under way at the same time, as many requests
at once as the real back end's pool has threads.
"""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from ccgpu.fakearm import FakeArm, Request

THREADS = 8  # as cli/backends.py has it


class LatentExecutor(Executor):
    """Lets `seconds` of the simulation's time go by for each round of requests."""

    def __init__(self, arm: FakeArm, seconds: float) -> None:
        self._arm = arm
        self._seconds = seconds
        self._under_way = 0
        self._sent = 0
        arm.faults.append(self._count)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Make the request at the end of its round."""
        if self._under_way % THREADS == 0:
            self._arm.advance(self._seconds)
        self._under_way += 1
        self._sent = 0
        answer = _Answer(self)
        try:
            answer.set_result(fn(*args, **kwargs))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as err:  # noqa: BLE001  # the task that asked gets it
            answer.set_exception(err)
        return answer

    def _count(self, _: Request) -> None:
        """Each further request of one call waits for the one before it: the pages of a list."""
        if self._sent:
            self._arm.advance(self._seconds)
        self._sent += 1

    def end_round(self) -> None:
        """An answer has been taken: what is sent from now on is another round."""
        self._under_way = 0


class _Answer(Future[Any]):
    """A future that says when it is looked at."""

    def __init__(self, pool: LatentExecutor) -> None:
        super().__init__()
        self._pool = pool

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The scheduler asks for it first."""
        self._pool.end_round()
        return super().exception(timeout)
