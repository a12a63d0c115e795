"""Shared code of the `ccgpu fake` commands: arguments, output, and reading of scenarios.

The callers pass the module that defines the scenarios.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from ccgpu.cli.durations import seconds
from ccgpu.cli.runtime import OutputOptions, Runtime, Simulated
from ccgpu.cli.suggestions import suggest
from ccgpu.errors import InvalidFile, Problem
from ccgpu.store.input_files import is_stdin

if TYPE_CHECKING:
    from ccgpu.store.resource_files import ResourceEntry

Settings = Mapping[str, Any]
Duration = Annotated[
    float,
    typer.Argument(
        parser=seconds, metavar="DURATION", help="How long, such as 2h.", show_default=False
    ),
]
ResourceFile = Annotated[
    str, typer.Argument(metavar="FILE", help="JSON or YAML file; - for stdin.", show_default=False)
]
Wanted = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="Scenario name, or a file of settings.")
]


def changed(runtime: Runtime, output: OutputOptions, change: Callable[[Simulated], Any]) -> None:
    """Change the simulated subscription, then print it."""
    from ccgpu.views import simulated as view

    with runtime.simulated() as world:
        change(world)
        account = world.show()
    runtime.answer(output, lambda: view.as_text(account), lambda: view.as_json(account))


def added(runtime: Runtime, output: OutputOptions, file: str) -> None:
    """Add the resources of a file, then print them.

    Raises:
        InvalidFile: with every problem of the file.
    """
    from ccgpu.store import resource_files
    from ccgpu.views import simulated as view

    source, entries = resource_files.read(file)
    with runtime.simulated() as world:
        made, flaws = world.add([entry.value for entry in entries])
        account = world.show()
    if flaws:
        raise InvalidFile(
            source, [_problem(entries[index], path, message) for index, path, message in flaws]
        )
    runtime.answer(
        output, lambda: view.added_as_text(made), lambda: view.added_as_json(made, account)
    )


def _problem(entry: "ResourceEntry", path: tuple[str | int, ...], message: str) -> Problem:
    from ccgpu.store import documents

    line, column = entry.mark_of(path) or (None, None)
    return Problem(documents.dotted((*entry.path, *path)), message, line, column)


class Scenarios(Protocol):
    """A kind of scenario: the named ones, and how a scenario file is checked."""

    SCENARIOS: Mapping[str, Settings]

    def convert_texts(self, values: Settings, /) -> Settings:
        """The settings with texts converted to numbers where a number is expected."""
        ...

    def find_problems(self, values: Settings, /) -> Sequence[tuple[tuple[str, ...], str]]:
        """Every problem: the path of the setting, and the message."""
        ...


def settings(wanted: str, known: Scenarios) -> Settings:
    """The settings of the scenario with this name, or in this file.

    Raises:
        typer.BadParameter: `wanted` is neither a name nor a file.
        InvalidFile: with every problem of the file.
    """
    if wanted in known.SCENARIOS:
        return known.SCENARIOS[wanted]
    path = Path(wanted)
    if not is_stdin(path) and not path.exists():
        named = ", ".join(known.SCENARIOS)
        raise typer.BadParameter(
            f"{wanted!r} is neither a file nor one of the scenarios {named}."
            f"{suggest(wanted, known.SCENARIOS)}",
            param_hint="'NAME|FILE'",
        )
    return _read_scenario(path, known)


def _read_scenario(path: Path, known: Scenarios) -> Settings:
    from ccgpu.store import documents

    document = documents.read(path)
    values, problems = known.convert_texts(document.values), []
    for keys, message in known.find_problems(values):
        mark = document.marks.get(keys) or document.marks.get(keys[:1])
        line, column = mark or (None, None)
        problems.append(Problem(documents.dotted(keys), message, line, column))
    if problems:
        raise InvalidFile(document.source, problems)
    return values
