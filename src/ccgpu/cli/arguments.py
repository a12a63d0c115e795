"""Finds the output options of a command line, even if the parser rejects that line."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from ccgpu.cli.commands import COMMANDS
from ccgpu.cli.runtime import OutputFormat, Stderr

# The options that are recognised before the command's name, or if the command is unknown. Each
# has its parameter, and whether it takes a value.
_SHARED_OPTIONS = {
    "-o": ("output", True),
    "--output": ("output", True),
    "--query": ("query", True),
    "--events": ("events", True),
    "-q": ("quiet", False),
    "--quiet": ("quiet", False),
}
Options = dict[str, tuple[str, bool]]


def stderr_wanted(root: Any, argv: Sequence[str]) -> Stderr:
    """The format of stderr that `argv` asks for; `root` is the group of all commands."""
    given = dict(_parse_options(root, deque(argv)))
    if "events" in given:
        return Stderr.EVENTS
    is_tsv = given.get("output") == OutputFormat.TSV  # a shell's: its user reads stderr
    if not is_tsv and (given.get("output") == OutputFormat.JSON or "query" in given):
        return Stderr.JSON
    return Stderr.QUIET if "quiet" in given else Stderr.TEXT


def _parse_options(root: Any, words: deque[str]) -> Iterator[tuple[str, str]]:
    """The parameters and values in `words`, split as the command's parser splits them."""
    group, options = root, _SHARED_OPTIONS
    while words:
        word = words.popleft()
        if word == "--":
            return
        if word.startswith("--"):
            yield from _parse_long(word, words, options)
        elif word.startswith("-"):
            yield from _parse_short(word, words, options)
        elif group is not None:
            command = _find_command(group, word)
            group = command if hasattr(command, "commands") else None
            options = (
                _options_of(command) if command is not None and group is None else _SHARED_OPTIONS
            )


def _find_command(group: Any, name: str) -> Any:
    """The command of this name, or None."""
    if hasattr(group, "load"):
        return group.load(name) if name in COMMANDS else None
    return group.commands.get(name)


def _options_of(command: Any) -> Options:
    return {
        name: (
            parameter.name,
            not getattr(parameter, "is_flag", False) and not getattr(parameter, "count", False),
        )
        for parameter in command.params
        if parameter.param_type_name == "option"
        for name in (*parameter.opts, *parameter.secondary_opts)
    }


def _parse_long(word: str, words: deque[str], options: Options) -> Iterator[tuple[str, str]]:
    """Parse a long option: `--output json`, `--output=json`, `--yes`."""
    name, equals, value = word.partition("=")
    parameter, takes_value = options.get(name, ("", False))
    if takes_value and not equals:
        value = words.popleft() if words else ""
    if parameter:
        yield parameter, value


def _parse_short(word: str, words: deque[str], options: Options) -> Iterator[tuple[str, str]]:
    """Parse a word of short options: `-o json`, `-ojson`, `-qo json`."""
    for at, letter in enumerate(word[1:], start=2):
        parameter, takes_value = options.get(f"-{letter}", ("", False))
        if takes_value:
            yield parameter, word[at:] or (words.popleft() if words else "")
            return
        yield parameter, ""
