"""What the words of a command line ask stderr to be, also where the parser refuses them."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from ccgpu.cli.commands import COMMANDS
from ccgpu.cli.runtime import OutputFormat, Stderr

# Where no command says what options there are: option, its parameter, whether it takes a value.
_SHARED = {
    "-o": ("output", True),
    "--output": ("output", True),
    "--query": ("query", True),
    "--events": ("events", True),
}
Options = dict[str, tuple[str, bool]]


def stderr_wanted(root: Any, argv: Sequence[str]) -> Stderr:
    """How a program, or a person, will read stderr; `root` is the group of all commands."""
    given = dict(_given(root, deque(argv)))
    if "events" in given:
        return Stderr.EVENTS
    if given.get("output") == OutputFormat.JSON or "query" in given:
        return Stderr.JSON
    return Stderr.TEXT


def _given(root: Any, words: deque[str]) -> Iterator[tuple[str, str]]:
    """The options and their values, read as the parser of their command reads them."""
    group, options = root, _SHARED
    while words:
        word = words.popleft()
        if word == "--":
            return
        if word.startswith("--"):
            yield from _long(word, words, options)
        elif word.startswith("-"):
            yield from _short(word, words, options)
        elif group is not None:
            found = _command(group, word)
            group = found if hasattr(found, "commands") else None
            options = _options(found) if found is not None and group is None else _SHARED


def _command(group: Any, name: str) -> Any:
    """The command of that name, None if there is none."""
    if hasattr(group, "load"):
        return group.load(name) if name in COMMANDS else None
    return group.commands.get(name)


def _options(command: Any) -> Options:
    return {
        name: (one.name, not getattr(one, "is_flag", False) and not getattr(one, "count", False))
        for one in command.params
        if one.param_type_name == "option"
        for name in (*one.opts, *one.secondary_opts)
    }


def _long(word: str, words: deque[str], options: Options) -> Iterator[tuple[str, str]]:
    """`--output json`, `--output=json`, `--yes`."""
    name, equals, value = word.partition("=")
    parameter, takes_value = options.get(name, ("", False))
    if takes_value and not equals:
        value = words.popleft() if words else ""
    if parameter:
        yield parameter, value


def _short(word: str, words: deque[str], options: Options) -> Iterator[tuple[str, str]]:
    """`-o json`, `-ojson`, `-yo json`."""
    for at, letter in enumerate(word[1:], start=2):
        parameter, takes_value = options.get(f"-{letter}", ("", False))
        if takes_value:
            yield parameter, word[at:] or (words.popleft() if words else "")
            return
