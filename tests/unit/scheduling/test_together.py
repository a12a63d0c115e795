"""Tasks that run together: they overlap, end together, and give up what they hold."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ccgpu.scheduling.scheduler import Call, InlineExecutor, Scheduler, Task, together


class _Clock:
    """Time that only sleeping moves."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return self.now()

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def scheduler() -> Scheduler:
    return Scheduler(_Clock(), InlineExecutor())


def waiting(seconds: float, result: str = "", error: Exception | None = None) -> Task[str]:
    """A task that takes so long."""
    yield Call(lambda: None, seconds)
    if error is not None:
        raise error
    return result


def test_tasks_overlap_and_results_are_in_their_order(scheduler):
    tasks = [waiting(3, "a"), waiting(1, "b"), waiting(2, "c")]
    assert scheduler.complete(together(tasks)) == ["a", "b", "c"]
    assert scheduler.clock.now() == 3


def test_thousands_of_tasks_that_do_nothing_end(scheduler):
    def nothing() -> Task[int]:
        yield from together(())
        return 1

    tasks = [nothing() for _ in range(5000)]
    assert sum(scheduler.complete(together(tasks, at_once=50))) == 5000


def test_no_tasks_have_no_results(scheduler):
    assert scheduler.complete(together(())) == []


def test_groups_nest(scheduler):
    def both(first: float) -> Task[list[str]]:
        return (yield from together([waiting(first, "x"), waiting(2, "y")]))

    assert scheduler.complete(together([both(1), both(4)])) == [["x", "y"], ["x", "y"]]
    assert scheduler.clock.now() == 4


@pytest.mark.parametrize(("at_once", "seconds"), [(1, 50), (2, 25), (3, 20), (50, 5)])
def test_only_so_many_are_under_way(scheduler, at_once, seconds):
    tasks = [waiting(5, str(number)) for number in range(10)]
    assert scheduler.complete(together(tasks, at_once)) == [str(number) for number in range(10)]
    assert scheduler.clock.now() == seconds


def test_the_first_error_is_raised_once_all_have_ended(scheduler):
    ended: list[str] = []

    def note(seconds: float, name: str) -> Task[None]:
        yield from waiting(seconds)
        ended.append(name)

    tasks = [
        note(9, "last"),
        waiting(2, error=ValueError("second")),
        waiting(1, error=KeyError("first")),
    ]
    with pytest.raises(KeyError, match="first"):
        scheduler.complete(together(tasks))
    assert ended == ["last"]


def test_the_waiting_task_may_catch_the_error_and_go_on(scheduler):
    def careful() -> Task[str]:
        try:
            yield from together([waiting(1, error=ValueError("no")), waiting(2)])
        except ValueError as err:
            yield from waiting(1)
            return f"caught {err}"
        return "nothing happened"

    assert scheduler.complete(careful()) == "caught no"
    assert scheduler.clock.now() == 3


def test_an_interrupt_closes_every_task_and_those_that_wait_for_them(scheduler):
    held: list[str] = []

    @contextmanager
    def hold(name: str) -> Iterator[None]:
        held.append(name)
        try:
            yield
        finally:
            held.remove(name)

    def holding(name: str, work: Callable[[], Task[object]]) -> Task[None]:
        with hold(name):
            yield from work()

    def interrupt() -> None:
        assert sorted(held) == ["inner", "interrupted", "outer", "side"]
        raise KeyboardInterrupt

    def interrupted() -> Task[None]:
        with hold("interrupted"):
            yield Call(interrupt, 1)

    def inner() -> Task[object]:
        return together([holding("inner", lambda: waiting(9)), interrupted()])

    tasks = [holding("outer", inner), holding("side", lambda: waiting(9))]
    with pytest.raises(KeyboardInterrupt):
        scheduler.complete(together(tasks))
    assert held == []
