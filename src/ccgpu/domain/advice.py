"""What to do about errors that another one sums up: its hint must not hide those of its causes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ccgpu.errors import AzureUnavailable, CcgpuError

COMMAND = re.compile(r"`([^`\n]+)`")  # in a hint
_NAME = re.compile(r"(?<= )NAME(?= |$)")


def fill_name(hint: str, name: str) -> str:
    """The hint with a deployment's name in its commands, for the word NAME."""
    return COMMAND.sub(lambda found: f"`{_NAME.sub(lambda _: name, found[1])}`", hint)


@dataclass(frozen=True, slots=True)
class FailedPart:
    """Why something failed: `what` failed, the error's message, and its own hint."""

    what: str
    message: str
    hint: str | None = None


def own_hint(err: CcgpuError) -> str | None:
    """The error's hint, unless that only says to try again."""
    return None if err.hint == AzureUnavailable.usual_hint else err.hint


def then_try_again(hints: Iterable[str | None], again: str) -> str:
    """One hint: what the causes ask for, then `again`, which tells how to try again."""
    asked = list(dict.fromkeys(hint for hint in hints if hint))
    return f"{'; '.join(asked)}; then {again}" if asked else again


def sum_up(causes: Iterable[FailedPart], again: str) -> tuple[list[str], str]:
    """A line for each cause, and one hint. Hints that differ stand in the lines."""
    known = list(causes)
    differ = len({one.hint for one in known if one.hint}) > 1
    lines = [
        f"  {one.what}: {one.message}{f'; {one.hint}' if one.hint and differ else ''}"
        for one in known
    ]
    return lines, again if differ else then_try_again((one.hint for one in known), again)
