"""What the commands of `ccgpu fake` share: arguments, their answer, and the scenario that is meant.

It knows no scenario itself: those are handed in.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from ccgpu.cli.durations import seconds
from ccgpu.cli.runtime import OutputOptions, Runtime, Simulated
from ccgpu.errors import InvalidFile, Problem

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
    """Change the subscription, and show it."""
    from ccgpu.views import simulated as view

    with runtime.simulated() as world:
        change(world)
        account = world.show()
    runtime.answer(output, lambda: view.as_text(account), lambda: view.as_json(account))


def added(runtime: Runtime, output: OutputOptions, file: str) -> None:
    """Add the resources of a file, and say which they are; all that is wrong at once."""
    from ccgpu.store import resource_files
    from ccgpu.views import simulated as view

    source, entries = resource_files.read(file)
    with runtime.simulated() as world:
        made, flaws = world.add([one.value for one in entries])
        account = world.show()
    if flaws:
        raise InvalidFile(
            source, [_problem(entries[place], path, why) for place, path, why in flaws]
        )
    runtime.answer(
        output, lambda: view.added_as_text(made), lambda: view.added_as_json(made, account)
    )


def _problem(entry: "ResourceEntry", path: tuple[str | int, ...], why: str) -> Problem:
    from ccgpu.store import documents

    line, column = entry.mark_of(path) or (None, None)
    return Problem(documents.dotted((*entry.path, *path)), why, line, column)


class Scenarios(Protocol):
    """What there is to choose from, and how a file of one's own is understood."""

    SCENARIOS: Mapping[str, Settings]

    def convert_texts(self, values: Settings, /) -> Settings:
        """With numbers where a setting means numbers."""
        ...

    def find_problems(self, values: Settings, /) -> Sequence[tuple[tuple[str, ...], str]]:
        """All that is wrong: where, and why."""
        ...


def settings(wanted: str, known: Scenarios) -> Settings:
    """What the scenario of that name, or in that file, sets; all that is wrong at once."""
    if wanted in known.SCENARIOS:
        return known.SCENARIOS[wanted]
    path = Path(wanted)
    if not path.exists():
        named = ", ".join(known.SCENARIOS)
        raise typer.BadParameter(f"{wanted!r} is neither a scenario ({named}) nor a file")
    return _read(path, known)


def _read(path: Path, known: Scenarios) -> Settings:
    from ccgpu.store import documents

    document = documents.read(path)
    values, problems = known.convert_texts(document.values), []
    for keys, why in known.find_problems(values):
        mark = document.marks.get(keys) or document.marks.get(keys[:1])
        line, column = mark or (None, None)
        problems.append(Problem(documents.dotted(keys), why, line, column))
    if problems:
        raise InvalidFile(document.source, problems)
    return values
