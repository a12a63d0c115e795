"""Commands in errors and hints, made complete: what is printed can be run as it is.

The code that writes `ccgpu delete demo` does not know how the user reaches Azure. So what was given
as a flag (back end, subscription, cloud, resource group) is added where a text is printed, to every
command that takes it; what comes from the environment is there for the next command too.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import typer

from ccgpu.cli.commands import COMMANDS, load

_QUOTED = re.compile(r"`([^`\n]+)`")
_CONNECTION = ("backend", "subscription", "cloud", "resource_group")
_HELP = ("-h", "--help")
# The option whose value may be what is wrong with the command line.
_NEVER_REPEATED = ("--set",)


@dataclass(frozen=True)
class Hints:
    """Completes what is said of the command line `ccgpu argv`."""

    argv: Sequence[str]

    def complete(self, text: str) -> str:
        """`text`, in which each `ccgpu …` in backticks has what it needs."""
        return _QUOTED.sub(lambda found: f"`{self._command(found[1])}`", text)

    def complete_hint(self, text: str) -> str:
        """The same; and a lone `--option` becomes this command line with the option."""
        return self.complete(_QUOTED.sub(lambda found: f"`{self._repeated(found[1])}`", text))

    def complete_error(self, err: Exception) -> None:
        """The error's text and its hint."""
        hint = getattr(err, "hint", None)
        if hint:
            err.hint = self.complete_hint(hint)  # type: ignore[attr-defined]  # of every CcgpuError
        if err.args and isinstance(err.args[0], str):
            err.args = (self.complete(err.args[0]), *err.args[1:])

    def _command(self, text: str) -> str:
        words = _words(text)
        if words[:1] != ["ccgpu"] or any(word in _HELP for word in words):
            return text
        target = _find(words[1:])
        if target is None:
            return text
        command, rest = target
        start = words[: len(words) - len(rest)]
        name = self._name(command, rest)
        more = [word for option in self._missing(command, rest) for word in option]
        if name is None:
            return " ".join([text, shlex.join(more)]) if more else text
        return shlex.join([*start, name, *rest, *more])

    def _name(self, command: Any, rest: Sequence[str]) -> str | None:
        """The deployment's name, for a command that needs one and was written without."""
        needed = any(one.name == "name" and one.required for one in command.params)
        if not needed or _parsed(command, rest).params.get("name"):
            return None
        mine = self._context
        return mine.params.get("name") if mine is not None else None

    def _missing(self, command: Any, rest: Sequence[str]) -> Iterator[tuple[str, str]]:
        there = {word.partition("=")[0] for word in rest}
        for option in command.params:
            value = self._given.get(option.name)
            if value is not None and not there.intersection(option.opts):
                yield _long(option), value

    def _repeated(self, text: str) -> str:
        """This command line with an option of it that a hint names."""
        words = _words(text)
        if not words or not words[0].startswith("--") or self._target is None:
            return text
        name, equals, _ = words[0].partition("=")
        takes = [one for one in self._target[0].params if name in one.opts]
        if not takes or name in _NEVER_REPEATED:
            return text
        complete = equals or words[1:] or getattr(takes[0], "is_flag", False)
        if not complete:
            return text
        end = self.argv.index("--") if "--" in self.argv else len(self.argv)
        before, after = self.argv[:end], self.argv[end:]
        return " ".join(filter(None, ["ccgpu", shlex.join(before), text, shlex.join(after)]))

    @cached_property
    def _target(self) -> tuple[Any, list[str]] | None:
        return _find(self.argv)

    @cached_property
    def _context(self) -> Any:
        return None if self._target is None else _parsed(*self._target)

    @cached_property
    def _given(self) -> dict[str, str]:
        """The connection's options that were given as flags."""
        mine = self._context
        if mine is None:
            return {}
        flags = [
            name
            for name in _CONNECTION
            if getattr(mine.get_parameter_source(name), "name", "") == "COMMANDLINE"
        ]
        values = ((name, mine.params.get(name)) for name in flags)
        return {name: str(value) for name, value in values if value is not None}


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that does not end
        return []


def _find(words: Sequence[str]) -> tuple[Any, list[str]] | None:
    """The command that the words name, and the words after its name."""
    rest = list(words)
    if not rest or rest[0] not in COMMANDS:
        return None
    command = load(rest.pop(0))
    while (inner := getattr(command, "commands", None)) is not None:
        if not rest or rest[0] not in inner:
            return None
        command = inner[rest.pop(0)]
    return command, rest


def _parsed(command: Any, words: Sequence[str]) -> Any:
    """What the parser makes of the words, whatever is wrong with them."""
    try:
        return command.make_context(command.name, [*words], resilient_parsing=True)
    except typer.TyperException:
        return command.make_context(command.name, [], resilient_parsing=True)


def _long(option: Any) -> str:
    return str(next(one for one in option.opts if one.startswith("--")))
