"""Completes the commands in errors and hints, so that they can be run as they are printed.

The code that writes `ccgpu delete demo` does not know how the user reaches Azure. If the user gave
the back end, subscription, cloud or resource group as a flag, that flag is added to each printed
command that accepts it. Values from the environment also apply to the next command.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import typer

from ccgpu.cli.commands import COMMANDS, load
from ccgpu.domain.advice import COMMAND, fill_name

_CONNECTION = ("backend", "subscription", "cloud", "resource_group")
_HELP = ("-h", "--help")
# Options that no hint repeats: the value of `--set` may be the error.
_NEVER_REPEATED = ("--set",)
# Options that a hint adds to what the user gave for them.
_ADDED = ("--region",)
# Options whose file the command has written already, and would refuse to write again.
_WRITTEN = ("--save", "--report")


@dataclass(frozen=True)
class Hints:
    """Completes texts about the command line `ccgpu argv`."""

    argv: Sequence[str]

    def complete(self, text: str) -> str:
        """`text` with the missing flags and name added to each `ccgpu …` in backticks.

        The word NAME stands for the deployment's name, where the command line has one.
        """
        named = text if self._name is None else fill_name(text, self._name)
        return COMMAND.sub(lambda found: f"`{self._complete_command(found[1])}`", named)

    def complete_hint(self, text: str) -> str:
        """As `complete`; an `--option` in backticks becomes this command line with the option."""
        return self.complete(COMMAND.sub(lambda found: f"`{self._with_option(found[1])}`", text))

    def complete_error(self, err: Exception) -> None:
        """Complete the error's message and its hint, in place."""
        hint = getattr(err, "hint", None)
        if hint:
            err.hint = self.complete_hint(hint)  # type: ignore[attr-defined]  # of every CcgpuError
        if err.args and isinstance(err.args[0], str):
            err.args = (self.complete(err.args[0]), *err.args[1:])

    def _complete_command(self, text: str) -> str:
        words = _split(text)
        if words[:1] != ["ccgpu"] or any(word in _HELP for word in words):
            return text
        target = _find_command(words[1:])
        if target is None:
            return text
        command, rest = target
        start = words[: len(words) - len(rest)]
        name = self._missing_name(command, rest)
        more = [word for option in self._missing_flags(command, rest) for word in option]
        if name is None:
            before, end, after = text.partition(" -- ")
            return f"{before} {shlex.join(more)}{end}{after}" if more else text
        return shlex.join([*start, name, *rest, *more])

    def _missing_name(self, command: Any, rest: Sequence[str]) -> str | None:
        """The deployment's name if the command needs one and `rest` has none; else None."""
        needed = any(
            parameter.name == "name" and parameter.required for parameter in command.params
        )
        if not needed or _parse_leniently(command, rest).params.get("name"):
            return None
        return self._name

    def _missing_flags(self, command: Any, rest: Sequence[str]) -> Iterator[tuple[str, str]]:
        present = {word.partition("=")[0] for word in rest}
        for option in command.params:
            value = self._given.get(option.name)
            if value is not None and not present.intersection(option.opts):
                yield _long_name(option), value

    def _with_option(self, text: str) -> str:
        """This command line with the option that a hint names, if the command has it.

        It takes the place of what the user gave for it.
        """
        words = _split(text)
        if not words or not words[0].startswith("--") or self._target is None:
            return text
        name, equals, _ = words[0].partition("=")
        options = [parameter for parameter in self._target[0].params if name in parameter.opts]
        if not options or name in _NEVER_REPEATED:
            return text
        has_value = equals or words[1:] or getattr(options[0], "is_flag", False)
        if not has_value:
            return text
        end = self.argv.index("--") if "--" in self.argv else len(self.argv)
        before, after = _without_options(self.argv[:end], _WRITTEN), self.argv[end:]
        if name not in _ADDED:
            names = (*options[0].opts, *options[0].secondary_opts)
            before = _without_options(before, names, flag=getattr(options[0], "is_flag", False))
        before = self._without_repeated_names(before)
        return " ".join(filter(None, ["ccgpu", shlex.join(before), text, shlex.join(after)]))

    def _without_repeated_names(self, words: Sequence[str]) -> list[str]:
        """The words of this command line, with each deployment that it names only once."""
        if self._target is None or self._context is None:
            return [*words]
        command, rest = self._target
        names = self._context.params.get("names") or ()
        valued = _options_with_values(command)
        kept = list(words[: len(self.argv) - len(rest)])
        seen: set[str] = set()
        for word in words[len(kept) :]:
            is_name = word in names and kept[-1] not in valued
            if not (is_name and word in seen):
                kept.append(word)
            if is_name:
                seen.add(word)
        return kept

    @cached_property
    def _name(self) -> str | None:
        """The deployment that the command line names; None for what can be no deployment's name."""
        from ccgpu.domain.resource import is_deployment_name

        name = self._context.params.get("name") if self._context is not None else None
        return name if isinstance(name, str) and is_deployment_name(name) else None

    @cached_property
    def _target(self) -> tuple[Any, list[str]] | None:
        return _find_command(self.argv)

    @cached_property
    def _context(self) -> Any:
        return None if self._target is None else _parse_leniently(*self._target)

    @cached_property
    def _given(self) -> dict[str, str]:
        """The connection options that the user gave as flags."""
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


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an unclosed quote
        return []


def _options_with_values(command: Any) -> set[str]:
    """The names of the command's options whose next word is a value."""
    options = [one for one in command.params if not getattr(one, "is_flag", True)]
    return {name for option in options for name in option.opts}


def _without_options(
    words: Sequence[str], names: Sequence[str], *, flag: bool = False
) -> list[str]:
    """The words without the options of these names, and without their values if they have any."""
    short = tuple(name for name in names if not name.startswith("--"))
    kept: list[str] = []
    is_value = False
    for word in words:
        if is_value:
            is_value = False
        elif word in names:
            is_value = not flag
        elif word.partition("=")[0] not in names and not (
            short and word.startswith(short) and not word.startswith("--") and not flag
        ):
            kept.append(word)
    return kept


@cache
def _load_once(name: str) -> Any:
    """The command of this name, for hints alone: a parsed one keeps how its parent spells help."""
    return load(name)


def _find_command(words: Sequence[str]) -> tuple[Any, list[str]] | None:
    """The command that `words` name and the words after its name, or None."""
    rest = list(words)
    if not rest or rest[0] not in COMMANDS:
        return None
    command = _load_once(rest.pop(0))
    while (inner := getattr(command, "commands", None)) is not None:
        if not rest or rest[0] not in inner:
            return None
        command = inner[rest.pop(0)]
    return command, rest


def _parse_leniently(command: Any, words: Sequence[str]) -> Any:
    """The parser's context for the words; without them if they are invalid."""
    try:
        return command.make_context(command.name, [*words], resilient_parsing=True)
    except typer.TyperException:
        return command.make_context(command.name, [], resilient_parsing=True)


def _long_name(option: Any) -> str:
    return str(next(name for name in option.opts if name.startswith("--")))
