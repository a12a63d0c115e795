"""One scheduler for time, threads and retries.

A task is a generator that carries one thing through its life and yields one small `Call` at a
time. Only the request of a call may leave this thread; all else, journal and events too, happens
here and needs no lock. Real time and threads for Azure, virtual time and inline calls for the
fake: the same code for one VM and for many.
"""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVar

from ccgpu.scheduling.clock import MAX_SIGNAL_LATENCY, Clock


@dataclass(frozen=True, slots=True)
class Call:
    """One request, to be made after so many seconds."""

    request: Callable[[], Any]
    after: float = 0.0


T = TypeVar("T")
Task = Generator[Call, Any, T]


class Scheduler:
    """The tasks that wait for their time (a heap), and those that wait for an answer."""

    def __init__(self, clock: Clock, pool: Executor) -> None:
        self.clock = clock
        self._pool = pool
        self._due: list[tuple[float, int, Task[None], Call]] = []
        self._in_flight: dict[Future[Any], tuple[int, Task[None]]] = {}
        self._numbers = count()

    def add(self, task: Task[None]) -> None:
        """Start `task`; a task may add others."""
        self._resume(task)

    def run(self) -> None:
        """Go on until no task is left. An exception that a task lets out ends them all.

        Then what the pool has not begun is never sent; what it has begun ends unheard.
        """
        try:
            while self._due or self._in_flight:
                while self._due and self._due[0][0] <= self.clock.now():
                    _, number, task, call = heappop(self._due)
                    self._in_flight[self._pool.submit(call.request)] = (number, task)
                self._take_answers()
        except BaseException:
            self._due.clear()
            for future in self._in_flight:
                future.cancel()
            self._in_flight.clear()
            raise

    def complete(self, task: Task[T]) -> T:
        """Run `task` to its end, and return its result."""
        return self.gather([task])[0]

    def gather(self, tasks: Iterable[Task[T]]) -> list[T]:
        """Run `tasks` at the same time, all to their end; their results, in their order."""
        results: dict[int, T] = {}

        def keep_result(number: int, task: Task[T]) -> Task[None]:
            results[number] = yield from task

        for number, task in enumerate(tasks):
            self.add(keep_result(number, task))
        self.run()
        return [results[number] for number in sorted(results)]

    def _take_answers(self) -> None:
        """Take what has been answered; if nothing is on its way, wait for what is due next."""
        until_next = self._due[0][0] - self.clock.now() if self._due else None
        if not self._in_flight:
            self.clock.sleep(max(0.0, until_next or 0.0))
            return
        patience = MAX_SIGNAL_LATENCY if until_next is None else min(until_next, MAX_SIGNAL_LATENCY)
        answered, _ = wait(self._in_flight, patience, FIRST_COMPLETED)
        for future in sorted(answered, key=lambda f: self._in_flight[f][0]):
            self._resume(self._in_flight.pop(future)[1], future)

    def _resume(self, task: Task[None], answer: Future[Any] | None = None) -> None:
        with suppress(StopIteration):
            if answer is None:
                call = next(task)
            elif error := answer.exception():
                call = task.throw(error)
            else:
                call = task.send(answer.result())
            heappush(self._due, (self.clock.now() + call.after, next(self._numbers), task, call))


class InlineExecutor(Executor):
    """Makes each request at once, on this thread: the pool of the simulated back end."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it; an exception goes into the future, an interrupt goes up."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as err:  # noqa: BLE001  # the task that asked gets it
            future.set_exception(err)
        return future
