"""A cooperative scheduler for concurrent requests and pauses.

A task is a generator that yields one `Call` at a time and is resumed with the answer. Only the
request of a call runs in a thread of the pool. Everything else, journal and events included, runs
in the scheduler's thread and needs no lock. Azure uses a real clock and a thread pool; the fake
uses a virtual clock and `InlineExecutor`.
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
    """One request, to be sent `after` seconds."""

    request: Callable[[], Any]
    after: float = 0.0


T = TypeVar("T")
Task = Generator[Call, Any, T]


class Scheduler:
    """Runs tasks: some wait for their time (in a heap), others for an answer from the pool."""

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
        """Run until no task is left. An exception that leaves a task ends all tasks.

        Requests that the pool has not begun are then cancelled; answers to the others are ignored.
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
        """Run `tasks` concurrently to their end; returns their results in the same order."""
        results: dict[int, T] = {}

        def keep_result(number: int, task: Task[T]) -> Task[None]:
            results[number] = yield from task

        for number, task in enumerate(tasks):
            self.add(keep_result(number, task))
        self.run()
        return [results[number] for number in sorted(results)]

    def _take_answers(self) -> None:
        """Resume the tasks with an answer; if no request is in flight, sleep until one is due."""
        until_next = self._due[0][0] - self.clock.now() if self._due else None
        if not self._in_flight:
            self.clock.sleep(max(0.0, until_next or 0.0))
            return
        timeout = MAX_SIGNAL_LATENCY if until_next is None else min(until_next, MAX_SIGNAL_LATENCY)
        answered, _ = wait(self._in_flight, timeout, FIRST_COMPLETED)
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
    """Runs each request at once, in the calling thread: the pool of the simulated back end."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call `fn`. An exception is stored in the future; an interrupt is raised."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as err:  # noqa: BLE001  # raised in the task
            future.set_exception(err)
        return future
