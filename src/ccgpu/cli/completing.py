"""What can stand at the end of an unfinished command line, by the table of all commands. Pure.

The table is `completions.json`; `scripts/docs.py` makes it from the parser. A command there has
`help`, `options` (each with `names`, `help`, `many`, and `value`, which is null for a flag),
`arguments` (`value`, `many`) and `commands`. A value has any of `words` (each with its help),
`fields` (words before a `=`, each with the words after it), `deployments` (true, or the character
that follows the name) and `paths` (`files` or `folders`). An empty value is free text.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Table = Mapping[str, Any]
# The names of deployments, each with a description, of a back end; None: of all.
Deployments = Callable[[str | None], Mapping[str, str]]
_NOTHING: Table = {}


class Candidates(NamedTuple):
    """What can stand for the last word.

    words: whole words, each with its description, which may be empty.
    start: how many characters of the last word come before the value, as in `--output=`.
    paths: `files` or `folders` if the shell shall add its own; else empty.
    unfinished: whether no space follows a word.
    """

    words: Mapping[str, str]
    start: int = 0
    paths: str = ""
    unfinished: bool = False


def candidates(table: Table, words: Sequence[str], deployments: Deployments) -> Candidates:
    """The candidates for the last of `words`, which are those after `ccgpu`."""
    *before, last = words
    line = _Line(table)
    for word in before:
        line.take(word)
    if line.pending is not None:
        return _of_value(line.pending["value"], last, line.backend, deployments)
    if last.startswith("-") and not line.only_arguments:
        return _of_option(line, last, deployments)
    commands, argument = line.command.get("commands"), line.argument()
    if commands:
        return Candidates({name: one["help"] for name, one in commands.items()})
    if argument is not None:
        return _of_value(argument["value"], last, line.backend, deployments)
    return Candidates({} if line.only_arguments else line.free_options())


def _of_option(line: "_Line", last: str, deployments: Deployments) -> Candidates:
    """The candidates for an option's name, or for the value in `--option=`."""
    name, equals, value = last.partition("=")
    if not equals:
        return Candidates(line.free_options())
    option = line.find(name)
    if not name.startswith("--") or option is None or option["value"] is None:
        return Candidates({})
    found = _of_value(option["value"], value, line.backend, deployments)
    return found._replace(start=found.start + len(name) + 1)


class _Line:
    """How far the words of a command line have led.

    command: the last command that was named; empty after an unknown one.
    pending: the option whose value is the next word.
    """

    def __init__(self, table: Table) -> None:
        self.command = table
        self.pending: Table | None = None
        self.only_arguments = False
        self.backend: str | None = None
        self._given: list[Table] = []
        self._arguments = 0

    def take(self, word: str) -> None:
        """Take the next word, as the parser would."""
        if self.pending is not None:
            option, self.pending = self.pending, None
            self._take_value(option, word)
        elif self.only_arguments or not word.startswith("-") or word == "-":
            self._take_argument(word)
        elif word == "--":
            self.only_arguments = True
        elif word.startswith("--"):
            name, equals, value = word.partition("=")
            self._take_option(self.find(name), value if equals else None)
        else:
            self._take_short(word[1:])

    def find(self, name: str) -> Table | None:
        """The option of the command with this name."""
        options = self.command.get("options", ())
        return next((one for one in options if name in one["names"]), None)

    def free_options(self) -> dict[str, str]:
        """The names of the options that can still be given."""
        return {
            name: option["help"]
            for option in self.command.get("options", ())
            if option["many"] or option not in self._given
            for name in option["names"]
        }

    def argument(self) -> Table | None:
        """The argument that the next word is; None if there can be no more."""
        arguments = self.command.get("arguments", ())
        if self._arguments < len(arguments):
            return arguments[self._arguments]  # type: ignore[no-any-return]
        return arguments[-1] if arguments and arguments[-1]["many"] else None

    def _take_argument(self, word: str) -> None:
        commands = self.command.get("commands")
        if commands:
            self.command, self._given = commands.get(word, _NOTHING), []
        else:
            self._arguments += 1

    def _take_option(self, option: Table | None, value: str | None) -> None:
        if option is None:
            return
        self._given.append(option)
        if option["value"] is None:
            return
        if value is None:
            self.pending = option
        else:
            self._take_value(option, value)

    def _take_short(self, letters: str) -> None:
        """Take `-o`, `-ojson` or `-yo`."""
        for at, letter in enumerate(letters, start=1):
            option = self.find(f"-{letter}")
            has_value = option is not None and option["value"] is not None
            self._take_option(option, letters[at:] or None if has_value else None)
            if has_value:
                return

    def _take_value(self, option: Table, value: str) -> None:
        if "--backend" in option["names"]:
            self.backend = value


def _of_value(value: Table, last: str, backend: str | None, deployments: Deployments) -> Candidates:
    """The candidates for a value of which `last` is typed."""
    if "fields" in value:
        return _of_fields(value["fields"], last)
    words, after = dict(value.get("words", {})), value.get("deployments")
    if after:
        mark = after if isinstance(after, str) else ""
        words |= {f"{name}{mark}": text for name, text in deployments(backend).items()}
    return Candidates(words, 0, value.get("paths", ""), isinstance(after, str))


def _of_fields(fields: Mapping[str, Sequence[str]], last: str) -> Candidates:
    """The candidates for `FIELD=VALUE`."""
    name, equals, _ = last.partition("=")
    if equals:
        return Candidates(dict.fromkeys(fields.get(name, ()), ""), len(name) + 1)
    return Candidates(dict(_open_fields(fields)), unfinished=True)


def _open_fields(fields: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    for name, values in fields.items():
        yield f"{name}=", ", ".join(values)
