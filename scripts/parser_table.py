"""The commands of the parser as values: what completion, man pages and docs are made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args, get_origin

import typer

from ccgpu.cli.commands import COMMANDS, load
from ccgpu.cli.main import app


@dataclass(frozen=True, slots=True)
class ParameterEntry:
    """An option or an argument.

    names: of an option, all of them. metavar: as the help shows it; None for a flag.
    choices: the values of an enumeration. kind: the type of one value.
    """

    names: tuple[str, ...]
    help: str
    panel: str
    metavar: str | None
    choices: tuple[str, ...]
    kind: Any
    many: bool
    environment: str | None
    record: tuple[str, str]


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command: its path such as `ccgpu fake add`, its help text, and what it takes."""

    path: str
    short: str
    text: str
    usage: str
    options: tuple[ParameterEntry, ...]
    arguments: tuple[ParameterEntry, ...]
    commands: dict[str, "CommandEntry"]


def root() -> CommandEntry:
    """The command `ccgpu` with all commands below it."""
    group = typer.main.get_command(app)
    context = group.make_context("ccgpu", [], resilient_parsing=True, terminal_width=80)
    inner = {name: _command(load(name), name, context) for name in COMMANDS}
    return _described(group, context, inner)


def every(command: CommandEntry) -> Iterator[CommandEntry]:
    """The command and all commands below it."""
    yield command
    for inner in command.commands.values():
        yield from every(inner)


def _command(command: Any, name: str, above: Any) -> CommandEntry:
    context = command.make_context(name, [], parent=above, resilient_parsing=True)
    inner = {
        name: _command(one, name, context) for name, one in getattr(command, "commands", {}).items()
    }
    return _described(command, context, inner)


def _described(command: Any, context: Any, inner: dict[str, CommandEntry]) -> CommandEntry:
    parameters = [
        (one.param_type_name, _parameter(one, context)) for one in command.get_params(context)
    ]
    return CommandEntry(
        path=context.command_path,
        short=command.get_short_help_str(limit=200),
        text=command.help or "",
        usage=" ".join(command.collect_usage_pieces(context)),
        options=tuple(one for kind, one in parameters if kind == "option"),
        arguments=tuple(one for kind, one in parameters if kind == "argument"),
        commands=inner,
    )


def _parameter(one: Any, context: Any) -> ParameterEntry:
    is_option = one.param_type_name == "option"
    kind = _bare(getattr(getattr(one, "type_descriptor", None), "annotation", None))
    is_flag = is_option and (one.is_flag or one.count)
    choices = tuple(each.value for each in kind) if _is_enum(kind) else ()
    own = "Options" if is_option else "Arguments"
    return ParameterEntry(
        names=_long_first((*one.opts, *one.secondary_opts)),
        help=(getattr(one, "help", None) or ""),
        panel=getattr(one, "rich_help_panel", None) or own,
        metavar=None if is_flag else (one.metavar or ("" if choices else one.name)),
        choices=choices,
        kind=kind,
        many=bool(one.multiple) or one.nargs == -1,
        environment=one.envvar,
        record=one.get_help_record(context) or ("", ""),
    )


def _long_first(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, short ones last: the parser takes those of `--help` from a set."""
    return tuple(sorted(names, key=lambda name: not name.startswith("--")))


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is list else annotation


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)
