"""Slow tests: of a long list some are in every run, and each worker begins with them."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


def mostly_slow(cases: Iterable[Any], every: int) -> list[Any]:
    """What `parametrize` takes: each `every`-th case, from the first, is quick."""
    return [case if number % every == 0 else _slow(case) for number, case in enumerate(cases)]


def spread(slow: Sequence[T], quick: Sequence[T], workers: int) -> list[T]:
    """Slow and quick tests in an order in which each of `workers` begins with slow ones.

    A long test at the end would keep one worker busy alone. `--dist worksteal` gives each worker an
    equal part of the list, one part after the other; a worker with nothing left takes from the end
    of another's part.
    """
    left, order = iter(quick), list[T]()
    for worker in range(workers):
        mine = slow[worker::workers]
        size = (len(slow) + len(quick)) * (worker + 1) // workers - len(order)
        order += [*mine, *islice(left, max(0, size - len(mine)))]
    return [*order, *left]


def _slow(case: Any) -> Any:
    if isinstance(case, type(pytest.param())):
        return pytest.param(*case.values, id=case.id, marks=[*case.marks, pytest.mark.slow])
    return pytest.param(case, marks=pytest.mark.slow)
