"""Slow tests: of a long list some are in every run, and each worker begins with them.

`CCGPU_EVERY_CASE=1` runs the cases that even a slow run leaves out.
"""

import os
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
EVERY_CASE = os.environ.get("CCGPU_EVERY_CASE") == "1"


def mostly_slow(cases: Iterable[Any], every: int, slow: int = 1) -> list[Any]:
    """What `parametrize` takes: each `every`-th case, from the first, is quick.

    Of the others each `slow`-th is slow, and those between wait for `CCGPU_EVERY_CASE=1`, too.
    """
    return [
        case if number % every == 0 else _marked(case, rare=number % slow != 0)
        for number, case in enumerate(cases)
    ]


def thinned(cases: Iterable[T], every: int) -> list[T]:
    """What one slow test tries of a long list: each `every`-th case, or all if that is asked."""
    return list(cases)[:: 1 if EVERY_CASE else every]


def spread(slow: Iterable[Sequence[T]], quick: Sequence[T], workers: int) -> list[T]:
    """Slow and quick tests in an order in which each of `workers` begins with slow ones.

    A long test at the end would keep one worker busy alone. The slow tests of a module stay with
    one worker: the machine that one of them boots is there for the next. In modules of many tests
    most wait for other processes: workers begin with different ones, else all would wait at once.
    `--dist worksteal` gives each worker an equal part of the list, one part after the other; a
    worker with nothing left takes from the end of another's part.

    Args:
        slow: The slow tests of each module.
        quick: The others.
        workers: How many processes run them.
    """
    parts = [list[Sequence[T]]() for _ in range(workers)]
    for tests in sorted(slow, key=len, reverse=True):
        min(parts, key=lambda part: sum(map(len, part))).append(tests)
    left, order = iter(quick), list[T]()
    total = sum(map(len, chain(*parts))) + len(quick)
    for worker, modules in enumerate(parts):
        first = len(modules) * worker // workers
        mine = [*chain(*modules[first:], *modules[:first])]
        size = total * (worker + 1) // workers - len(order)
        order += [*mine, *islice(left, max(0, size - len(mine)))]
    return [*order, *left]


def _marked(case: Any, *, rare: bool) -> Any:
    marks = [pytest.mark.slow, pytest.mark.every_case] if rare else [pytest.mark.slow]
    if isinstance(case, type(pytest.param())):
        return pytest.param(*case.values, id=case.id, marks=[*case.marks, *marks])
    return pytest.param(case, marks=marks)
