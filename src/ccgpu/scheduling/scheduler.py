"""A cooperative scheduler for concurrent requests and pauses.

A task is a generator that yields one `Call` at a time and is resumed with the answer; or it yields
further tasks, and is resumed with their results (`together`). Only the request of a call runs in a
thread of the pool. Everything else, journal and events included, runs in the scheduler's thread and
needs no lock. Azure uses a real clock and `RequestThreads`; the fake uses a virtual clock and
`InlineExecutor`.
"""

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import inf
from operator import itemgetter
from typing import Any, TypeVar

from ccgpu.errors import CcgpuError
from ccgpu.scheduling.clock import MAX_SIGNAL_LATENCY, Clock
from ccgpu.scheduling.deadline import Deadline
from ccgpu.scheduling.time_left import ending_at


@dataclass(frozen=True, slots=True)
class Call:
    """One request, to be sent `after` seconds.

    deadline: the request is not begun after its end. If it has no answer by then, `TimedOut` is
    raised in the task, and what becomes of the request is unknown. None: it takes what it takes.
    doing: what it is for, in that error.
    """

    request: Callable[[], Any]
    after: float = 0.0
    deadline: Deadline | None = None
    doing: str = "waiting for an answer"

    def send(self) -> Any:
        """Make the request, within the time that is left."""
        if self.deadline is None:
            return self.request()
        if self.deadline.has_passed():
            raise self.error
        with ending_at(self.deadline.clock, self.deadline.end):
            return self.request()

    @property
    def left(self) -> float:
        """The seconds that it may still take."""
        return inf if self.deadline is None else self.deadline.left()

    @property
    def error(self) -> CcgpuError:
        """The error of a request that was not made, or has no answer, in time."""
        if self.deadline is None:
            raise RuntimeError("it has no deadline")
        return self.deadline.error(self.doing)


T = TypeVar("T")


@dataclass(slots=True)
class Together:
    """Tasks that run concurrently while the task that yields them waits; see `together`.

    waiting: the tasks that have not begun, by number. results: of those that have ended.
    """

    waiting: "deque[tuple[int, Task[Any]]]"
    at_once: int
    unfinished: int
    results: dict[int, Any] = field(default_factory=dict)
    error: Exception | None = None


Task = Generator[Call | Together, Any, T]


def pause(seconds: float) -> Task[None]:
    """A task that only waits."""
    yield Call(_no_request, seconds)


def _no_request() -> None:
    """The request of a `Call` that only waits."""


def together(tasks: Iterable[Task[T]], at_once: int = sys.maxsize) -> Task[list[T]]:
    """Run `tasks` concurrently to their end; returns their results in the same order.

    If tasks fail, the first error is raised once all have ended.

    `at_once`: how many may be under way.
    """
    waiting = deque(enumerate(tasks))
    group = Together(waiting, at_once, len(waiting))
    if waiting:
        yield group
    return [result for _, result in sorted(group.results.items(), key=itemgetter(0))]


class Scheduler:
    """Runs tasks: some wait for their time (in a heap), others for an answer from the pool.

    pace: returns the seconds in which no further request may be started.
    """

    def __init__(
        self, clock: Clock, pool: Executor, pace: Callable[[], float] = lambda: 0.0
    ) -> None:
        self.clock = clock
        self.pace = pace
        self._held_until = 0.0
        self._pool = pool
        self._due: list[tuple[float, int, Task[None], Call]] = []
        self._in_flight: dict[Future[Any], tuple[int, Task[None], Call]] = {}
        self._ready: deque[tuple[Task[None], Any, Exception | None]] = deque()
        self._numbers = count()

    def add(self, task: Task[None]) -> None:
        """Start `task`; a task may add others."""
        self._resume(task)

    def run(self) -> None:
        """Run until no task is left. An exception that leaves a task ends all tasks.

        Requests that the pool has not begun are then cancelled; answers to the others are ignored.
        Each task is closed, so that it gives up what it holds, a lock for example.
        """
        try:
            while self._due or self._in_flight:
                while self._may_start():
                    _, number, task, call = self._due[0]
                    future = self._pool.submit(call.send)  # may raise an interrupt
                    heappop(self._due)
                    self._in_flight[future] = (number, task, call)
                self._take_answers()
        except BaseException:
            for future in self._in_flight:
                future.cancel()
            tasks = [task for _, _, task, _ in self._due]
            tasks += [task for _, task, _ in self._in_flight.values()]
            tasks += [task for task, _, _ in self._ready]
            for waiting in (self._due, self._in_flight, self._ready):
                waiting.clear()
            for task in tasks:
                task.close()
            raise

    def _may_start(self) -> bool:
        """Whether the time of a call has come, and `pace` allows another one."""
        if not self._due or self._due[0][0] > (now := self.clock.now()):
            return False
        self._held_until = now + self.pace()
        return self._held_until <= now

    def complete(self, task: Task[T]) -> T:
        """Run `task` to its end, and return its result."""
        return self.gather([task])[0]

    def gather(self, tasks: Iterable[Task[T]]) -> list[T]:
        """`together`, from outside of a task."""
        results: list[list[T]] = []

        def keep_results() -> Task[None]:
            results.append((yield from together(tasks)))

        self.add(keep_results())
        self.run()
        return results[0]

    def _take_answers(self) -> None:
        """Resume the tasks with an answer; if no request is in flight, sleep until one is due."""
        next_at = max(self._due[0][0], self._held_until) if self._due else None
        until_next = None if next_at is None else next_at - self.clock.now()
        if not self._in_flight:
            self.clock.sleep(max(0.0, until_next or 0.0))
            return
        first_end = min(call.left for _, _, call in self._in_flight.values())
        timeout = min(first_end, MAX_SIGNAL_LATENCY, inf if until_next is None else until_next)
        answered, _ = wait(self._in_flight, timeout, FIRST_COMPLETED)
        for future in sorted(answered, key=lambda f: self._in_flight[f][0]):
            self._resume_with(self._in_flight.pop(future)[1], future)
        self._give_up_late()

    def _give_up_late(self) -> None:
        """Raise `TimedOut` in each task whose request has no answer at its deadline.

        The thread that waits for the answer is left to itself, and no longer counts in the pool.
        """
        for future, (_, task, call) in list(self._in_flight.items()):
            if call.left <= 0.0 and not future.done():
                future.cancel()
                del self._in_flight[future]
                self._resume(task, error=call.error)

    def _resume_with(self, task: Task[None], answer: Future[Any]) -> None:
        """Resume a task with an answer, and all that this lets go on."""
        error = answer.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        self._resume(task, answer.result() if error is None else None, error)

    def _resume(self, task: Task[None], value: Any = None, error: Exception | None = None) -> None:
        """Resume a task, and all that this lets go on."""
        self._ready.append((task, value, error))
        while self._ready:
            self._go_on(*self._ready.popleft())

    def _go_on(self, task: Task[None], value: Any, error: Exception | None) -> None:
        """Resume a task with a value or an error, and note what it waits for next."""
        try:
            waits_for = task.send(value) if error is None else task.throw(error)
        except StopIteration:
            return
        if isinstance(waits_for, Together):
            self._start_together(task, waits_for)
        else:
            at = self.clock.now() + waits_for.after
            heappush(self._due, (at, next(self._numbers), task, waits_for))

    def _start_together(self, parent: Task[None], group: Together) -> None:
        for _ in range(min(group.at_once, len(group.waiting))):
            self._start_member(parent, group)

    def _start_member(self, parent: Task[None], group: Together) -> None:
        if group.waiting:
            number, task = group.waiting.popleft()
            self._ready.append((self._member(parent, group, number, task), None, None))

    def _member(
        self, parent: Task[None], group: Together, number: int, task: Task[Any]
    ) -> Task[None]:
        """One task of a group. Its end starts another; the end of the last one resumes `parent`."""
        try:
            group.results[number] = yield from task
        except Exception as err:  # noqa: BLE001  # raised in the parent
            group.error = group.error or err
        except GeneratorExit:
            parent.close()
            raise
        group.unfinished -= 1
        if group.unfinished == 0:
            self._ready.append((parent, None, group.error))
        else:
            self._start_member(parent, group)


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
