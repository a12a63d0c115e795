"""One check of a verdict, and the list of all that were made: nothing is believed without one.

A `Rule` is what is checked; a `Check` is a rule with its answer for this evidence. Only a list of
checks can say `Verified`, and only when everything since a mark held: an empty list vouches for
nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from ccgpu.domain.plain_text import one_line

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is checked: `id` is the reason code, `source` the document that asks for it."""

    id: str
    what: str
    source: str


class Check(NamedTuple):
    """A rule and its answer: what was `expected`, what is there (`actual`), whether it holds."""

    id: str
    what: str
    ok: bool
    expected: str
    actual: str
    source: str


class Malformed(Exception):
    """Bytes that are not what they should be: the rule they break, what it wants, what is there."""

    def __init__(self, rule: Rule, expected: object, actual: object) -> None:
        said = f"{rule.what}: expected {shown(expected)}, found {shown(actual)}"
        super().__init__(one_line(said))
        self.rule = rule
        self.expected = expected
        self.actual = actual


@dataclass(frozen=True, slots=True)
class Verified(Generic[T_co]):
    """A value that every check of its kind held for. Only `Checks.vouch` makes one."""

    value: T_co


@dataclass(frozen=True, slots=True)
class Unverified(Generic[T_co]):
    """A value that a check failed for: it may be shown, and nothing may be concluded from it."""

    value: T_co


Outcome = Verified[T] | Unverified[T]


class Checks:
    """The checks made so far, in order."""

    def __init__(self) -> None:
        self._made: list[Check] = []
        self._failed = -1  # where the last one stands that failed

    @property
    def made(self) -> Sequence[Check]:
        """All checks, in the order they were made."""
        return tuple(self._made)

    def that(self, rule: Rule, ok: bool, expected: object, actual: object) -> bool:
        """Record whether `rule` holds, with both sides; the answer is `ok`."""
        left = expected if type(expected) is str else shown(expected)
        right = actual if type(actual) is str else shown(actual)
        held = ok is True
        self._record(Check(rule.id, rule.what, held, left, right, rule.source))
        return held

    def _record(self, check: Check) -> None:
        if not check.ok:
            self._failed = len(self._made)
        self._made.append(check)

    def equal(self, rule: Rule, expected: object, actual: object) -> bool:
        """Record whether both sides are the same."""
        same = expected == actual
        left = shown(expected)
        alike = same and type(expected) is type(actual)
        return self.that(rule, same, left, left if alike else actual)

    def read(self, rule: Rule, parse: Callable[[S], T], data: S, expected: str) -> T | None:
        """What `parse` makes of `data`: `rule` holds, or else the one the bytes break fails."""
        try:
            value = parse(data)
        except Malformed as malformed:
            self.that(malformed.rule, False, malformed.expected, malformed.actual)
            return None
        self.that(rule, True, expected, expected)
        return value

    def adopt(self, other: "Checks") -> None:
        """Record what was checked on a list of its own: that of the candidate that was chosen."""
        for check in other.made:
            self._record(check)

    def mark(self) -> int:
        """Where the list stands now: what `vouch` looks back to."""
        return len(self._made)

    def vouch(self, value: T, since: int, *needs: "Outcome[object]") -> "Outcome[T]":
        """`Verified` if checks were made since the mark and held, and all it needs is verified."""
        held = self._failed < since < len(self._made)
        if held and all(isinstance(need, Verified) for need in needs):
            return Verified(value)
        return Unverified(value)


def shown(value: object) -> str:
    """A value as a check prints it: bytes in hex, times in UTC with Z, the rest as text."""
    kind = type(value)
    if kind is str or kind is int:  # most are
        return str(value)
    return _shown(value)


def _shown(value: object) -> str:
    match value:
        case bytes():
            return value.hex() or "(empty)"
        case datetime():
            return f"{value.replace(tzinfo=None).isoformat(timespec='seconds')}Z"
        case bool():
            return "true" if value else "false"
        case None:
            return "absent"
        case tuple() | list():
            return ", ".join(map(shown, value)) or "none"
        case _:
            return str(value)
