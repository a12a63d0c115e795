"""The checks behind a verdict, and the only place that makes a value `Verified`.

A `Rule` is what is checked. A `Check` is a rule with its result for this evidence. `Checks` is the
list of all results: `Checks.conclude` returns `Verified` only if checks were made since a
checkpoint and all of them held.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import Any, Generic, NamedTuple, TypeVar

from ccgpu.domain.plain_text import one_line

_UP_TO_SECONDS = len("2026-11-28T12:00:00")

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is checked: `id` is the reason code, `source` the specification that demands it."""

    id: str
    what: str
    source: str


class Check(NamedTuple):
    """A rule and its result: whether it holds (`ok`), what was `expected`, what was found."""

    id: str
    what: str
    ok: bool
    expected: str
    actual: str
    source: str


class Malformed(Exception):
    """Raised for bytes that break a rule of their format, with both sides of the comparison."""

    def __init__(self, rule: Rule, expected: object, actual: object) -> None:
        message = f"{rule.what}: expected {format_value(expected)}, found {format_value(actual)}"
        super().__init__(one_line(message))
        self.rule = rule
        self.expected = expected
        self.actual = actual


@dataclass(frozen=True, slots=True)
class Verified(Generic[T_co]):
    """A value for which every check held. Only `Checks.conclude` makes one."""

    value: T_co


@dataclass(frozen=True, slots=True)
class Unverified(Generic[T_co]):
    """A value for which a check failed: it may be shown, but nothing may be concluded from it."""

    value: T_co


Outcome = Verified[T] | Unverified[T]


class Checks:
    """The checks made so far, in order."""

    def __init__(self) -> None:
        self._made: list[Check] = []

    @property
    def made(self) -> Sequence[Check]:
        """All checks, in the order in which they were made."""
        return tuple(self._made)

    def record(self, rule: Rule, ok: bool, expected: object, actual: object) -> bool:
        """Record whether `rule` holds, with both sides, and return that.

        Only `True` itself counts as holding.
        """
        left, right = format_value(expected), format_value(actual)
        held = ok is True
        self._made.append(Check(rule.id, rule.what, held, left, right, rule.source))
        return held

    def record_equal(self, rule: Rule, expected: object, actual: object) -> bool:
        """Record whether both sides are equal, and return that."""
        return self.record(rule, expected == actual, expected, actual)

    def parse(self, rule: Rule, parser: Callable[[S], T], data: S, expected: str) -> T | None:
        """Parse `data` and record that `rule` holds; return what the parser made of it.

        If the parser raises `Malformed`, the rule named there is recorded as failed instead, and
        the result is None.
        """
        try:
            value = parser(data)
        except Malformed as malformed:
            self.record(malformed.rule, False, malformed.expected, malformed.actual)
            return None
        self.record(rule, True, expected, expected)
        return value

    def adopt(self, other: "Checks") -> None:
        """Append the checks of another list: those of the candidate that was chosen."""
        self._made += other.made

    def checkpoint(self) -> int:
        """The present length of the list, to hand to `conclude` later."""
        return len(self._made)

    def conclude(self, value: T, since: int, *dependencies: "Outcome[object]") -> "Outcome[T]":
        """`Verified` if every check since a checkpoint held and every dependency is verified.

        Without a check since then, the value is `Unverified`: an empty list proves nothing.
        """
        made = self._made[since:]
        held = bool(made) and all(check.ok for check in made)
        if held and all(isinstance(each, Verified) for each in dependencies):
            return Verified(value)
        return Unverified(value)


def format_value(value: object) -> str:
    """A value as checks print it: bytes in hex, times in UTC with Z, anything else as text."""
    kind = type(value)
    if kind not in _FORMATS:  # a subclass is printed as its base
        kind = next(base for base in _FORMATS if isinstance(value, base))
    return _FORMATS[kind](value)


def _format_items(values: Sequence[object]) -> str:
    return ", ".join(map(format_value, values)) or "none"


# By the exact type: a verdict prints a hundred values.
_FORMATS: Mapping[type, Callable[[Any], str]] = {
    bytes: lambda value: value.hex() or "(empty)",
    int: str,
    str: str,
    bool: lambda value: "true" if value else "false",
    datetime: lambda value: f"{value.isoformat()[:_UP_TO_SECONDS]}Z",
    NoneType: lambda _: "absent",
    tuple: _format_items,
    list: _format_items,
    object: str,
}
