"""Values that are taken without Typer's conversion are what Typer would make of them."""

from enum import Enum
from typing import Any

import pytest
import typer
from typer._coercion import build_runtime_param

from ccgpu.cli.commands import COMMANDS, load_once
from ccgpu.cli.plain_values import NOT_PLAIN, plain_value


class Colour(Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


def _parameters() -> list[Any]:
    """The parameters of every command, and of the commands in groups."""
    found: list[Any] = []
    commands = [load_once(name) for name in COMMANDS]
    while commands:
        command = commands.pop()
        commands += getattr(command, "commands", {}).values()
        context = typer._click.Context(command)
        found += [(context, one) for one in command.get_params(context)]
    return found


def test_every_plain_value_is_what_typer_makes_of_it():
    tried = 0
    for context, parameter in _parameters():
        typers = build_runtime_param(parameter.type_descriptor)
        given: list[Any] = [None]
        annotation = parameter.type_descriptor.annotation
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            given += [*annotation, *(one.value for one in annotation)]
        elif annotation is str and parameter.type_descriptor.parameter_info.parser is None:
            given += ["", "a", " ü "]
        for value in given:
            if parameter.multiple and value is not None:
                continue
            ours = parameter.get_runtime_param().coerce(value, param=parameter, ctx=context)
            theirs = typers.coerce(value, param=parameter, ctx=context)
            assert (type(ours), ours) == (type(theirs), theirs), parameter.name
            tried += 1
    assert tried > 500


@pytest.mark.parametrize(
    ("annotation", "value", "result"),
    [
        (str, "a", "a"),
        (Colour, "red", Colour.RED),
        (Colour, Colour.RED, Colour.RED),
        (Colour, "RED", NOT_PLAIN),
        (Colour, "green", NOT_PLAIN),
        (int, "1", NOT_PLAIN),
        (bool, "yes", NOT_PLAIN),
        (str, b"a", NOT_PLAIN),
        (list[str], ["a"], NOT_PLAIN),
    ],
)
def test_only_values_without_a_conversion_are_plain(annotation, value, result):
    assert plain_value(annotation, value) is result or plain_value(annotation, value) == result
