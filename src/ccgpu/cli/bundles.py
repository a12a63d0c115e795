"""Options that belong together, declared once and given to a command as one value.

A bundle is a function whose parameters are options and whose result is the value. `spread` puts
those parameters into the command's own signature, where Typer finds them.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import typer


@dataclass(frozen=True, slots=True)
class Bundle:
    """Marks a parameter whose value `collect` makes from options of its own."""

    collect: Callable[..., Any]


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options of its bundles in their place; it is called with their values."""
    parameters = list(inspect.signature(command).parameters.values())
    bundles = {p.name: bundle for p in parameters if (bundle := _bundle(p))}
    options = {name: list(_options(bundle)) for name, bundle in bundles.items()}

    def run(ctx: typer.Context, **given: Any) -> None:
        for name, bundle in bundles.items():
            own = {option.name: given.pop(option.name) for option in options[name]}
            given[name] = bundle.collect(**own)
        command(ctx, **given)

    shown = [one for p in parameters for one in options.get(p.name, [_keyword(p)])]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]  # Typer reads it
    run.__annotations__ = {p.name: p.annotation for p in shown}
    return run


def _options(bundle: Bundle) -> Iterator[inspect.Parameter]:
    return map(_keyword, inspect.signature(bundle.collect).parameters.values())


def _bundle(parameter: inspect.Parameter) -> Bundle | None:
    marks = getattr(parameter.annotation, "__metadata__", ())
    return next((mark for mark in marks if isinstance(mark, Bundle)), None)


def _keyword(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
