"""The threads that make requests: the pool of the real back end.

A request that is given up keeps its thread, which may never end: a server can drip headers for
hours. So it no longer counts, and others are made in its place.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

AT_ONCE = 8  # requests of one command that are made at the same time


class RequestThreads(Executor):
    """A thread for each request, at most `at_once` of them that somebody waits for.

    `Future.cancel` gives a request up, also one that has begun. The threads are daemons, so that
    none keeps the process from ending.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._lock = threading.Lock()
        self._queue: deque[tuple[_ThreadAnswer, Callable[[], Any]]] = deque()
        self._counted: set[_ThreadAnswer] = set()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Call `fn` in a thread of its own, once there are few enough."""
        answer = _ThreadAnswer(self)
        with self._lock:
            self._queue.append((answer, partial(fn, *args, **kwargs)))
            self._start_threads()
        return answer

    def no_longer_counts(self, answer: "_ThreadAnswer") -> None:
        """The request has ended, or nobody waits for it: another one may begin."""
        with self._lock:
            self._counted.discard(answer)
            self._start_threads()

    def _start_threads(self) -> None:
        """Begin what may be begun. The lock is held, so that none can end before it counts."""
        while self._queue and len(self._counted) < self._at_once:
            answer, request = self._queue.popleft()
            if answer.set_running_or_notify_cancel():
                threading.Thread(target=self._make, args=(answer, request), daemon=True).start()
                self._counted.add(answer)

    def _make(self, answer: "_ThreadAnswer", request: Callable[[], Any]) -> None:
        try:
            value = request()
        except BaseException as err:  # noqa: BLE001  # raised in the task
            answer.set_exception(err)
        else:
            answer.set_result(value)
        self.no_longer_counts(answer)


class _ThreadAnswer(Future[Any]):
    """The answer to a request."""

    def __init__(self, threads: RequestThreads) -> None:
        super().__init__()
        self._threads = threads

    def cancel(self) -> bool:
        """Give the request up. Returns whether it has not begun, and never will."""
        unsent = super().cancel()
        self._threads.no_longer_counts(self)
        return unsent
