"""Values of options that need no conversion: none, a text, the exact word of a choice.

Typer converts each value by a model of pydantic, which takes as long to load as Typer itself. Here
a value of which the result is plain is taken as it is. Typer gets every other: what has to be
converted, and what it refuses in its own words.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any

NOT_PLAIN = object()


def with_plain_values(parameters: Sequence[Any]) -> Sequence[Any]:
    """The parameters of a command, each of which takes its plain values as they are."""
    for parameter in parameters:
        if not isinstance(parameter.get_runtime_param, _Conversion):
            parameter.get_runtime_param = _Conversion(parameter)
    return parameters


class _Conversion:
    """Stands in for a parameter's `get_runtime_param`, which loads pydantic."""

    def __init__(self, parameter: Any) -> None:
        self._convert = parameter.get_runtime_param
        self._descriptor = parameter.type_descriptor

    def __call__(self) -> "_Conversion":
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as the command gets it."""
        plain: Any = NOT_PLAIN
        if value is None:
            plain = () if param.multiple or param.nargs == -1 else None
        elif self._descriptor.parameter_info.parser is None and not param.multiple:
            plain = plain_value(self._descriptor.annotation, value)
        return self._convert().coerce(value, param=param, ctx=ctx) if plain is NOT_PLAIN else plain


def plain_value(annotation: Any, value: Any) -> Any:
    """What the value stands for in a parameter of this type; `NOT_PLAIN` if Typer has to say."""
    if type(value) is annotation and (annotation is str or isinstance(value, Enum)):
        return value
    if isinstance(annotation, type) and issubclass(annotation, Enum) and type(value) is str:
        return next((one for one in annotation if one.value == value), NOT_PLAIN)
    return NOT_PLAIN
