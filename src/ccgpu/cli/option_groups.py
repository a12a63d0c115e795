"""Options that belong together, declared once and passed to a command as one value.

An option group is a function whose parameters are options and whose result is the value.
`expand_options` puts those parameters into the command's own signature, where Typer finds them.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import typer


@dataclass(frozen=True, slots=True)
class OptionGroup:
    """Marks a command's parameter: `collect` returns its value from the options it declares."""

    collect: Callable[..., Any]


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replace each group parameter of `command` by the group's options.

    The returned function collects each group's value, and calls `command` with it.
    """
    parameters = list(inspect.signature(command).parameters.values())
    groups = {p.name: group for p in parameters if (group := _group(p))}
    options = {name: list(_options(group)) for name, group in groups.items()}

    def run(ctx: typer.Context, **given: Any) -> None:
        for name, group in groups.items():
            own = {option.name: given.pop(option.name) for option in options[name]}
            given[name] = group.collect(**own)
        command(ctx, **given)

    shown = [parameter for p in parameters for parameter in options.get(p.name, [_keyword(p)])]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]  # Typer reads it
    run.__annotations__ = {p.name: p.annotation for p in shown}
    return run


def _options(group: OptionGroup) -> Iterator[inspect.Parameter]:
    return map(_keyword, inspect.signature(group.collect).parameters.values())


def _group(parameter: inspect.Parameter) -> OptionGroup | None:
    marks = getattr(parameter.annotation, "__metadata__", ())
    return next((mark for mark in marks if isinstance(mark, OptionGroup)), None)


def _keyword(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
