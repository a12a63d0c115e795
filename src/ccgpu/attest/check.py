"""One check of a verdict, and the list of all that were made: nothing is believed without one.

A `Rule` is what is checked; a `Check` is a rule with its answer for this evidence. Only a list of
checks can say `Verified`, and only when everything since a mark held: an empty list vouches for
nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is checked: `id` is the reason code, `source` the document that asks for it."""

    id: str
    what: str
    source: str


@dataclass(frozen=True, slots=True)
class Check:
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
        super().__init__(f"{rule.what}: expected {shown(expected)}, found {shown(actual)}")
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

    @property
    def made(self) -> Sequence[Check]:
        """All checks, in the order they were made."""
        return tuple(self._made)

    def that(self, rule: Rule, ok: bool, expected: object, actual: object) -> bool:
        """Record whether `rule` holds, with both sides; the answer is `ok`."""
        self._made.append(
            Check(rule.id, rule.what, ok is True, shown(expected), shown(actual), rule.source)
        )
        return ok is True

    def equal(self, rule: Rule, expected: object, actual: object) -> bool:
        """Record whether both sides are the same."""
        return self.that(rule, expected == actual, expected, actual)

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
        self._made += other.made

    def mark(self) -> int:
        """Where the list stands now: what `vouch` looks back to."""
        return len(self._made)

    def vouch(self, value: T, since: int, *needs: "Outcome[object]") -> "Outcome[T]":
        """`Verified` if checks were made since the mark and held, and all it needs is verified."""
        made = self._made[since:]
        held = bool(made) and all(check.ok for check in made)
        if held and all(isinstance(need, Verified) for need in needs):
            return Verified(value)
        return Unverified(value)


def shown(value: object) -> str:
    """A value as a check prints it: bytes in hex, times in UTC with Z, the rest as text."""
    match value:
        case bytes():
            return value.hex() or "(empty)"
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%SZ")
        case bool():
            return "true" if value else "false"
        case None:
            return "absent"
        case tuple() | list():
            return ", ".join(shown(item) for item in value) or "none"
        case _:
            return str(value)
