"""The options that give fields of a spec, made from the metadata of the fields.

Each field that has a `Flag` becomes an option. Its type follows from the field: a list is an option
that may be repeated, a mapping one that takes NAME=VALUE, and a list of sections one that takes the
field that each of them requires.
"""

import inspect
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ccgpu.cli.options import option
from ccgpu.domain.spec.flags import Flag, ParentFlag
from ccgpu.domain.spec.structure import SpecField, fields_of

if TYPE_CHECKING:
    from pydantic import BaseModel


class SpecFlags:
    """The flags of all fields of a spec, in the order of the help text."""

    def __init__(self, model: "type[BaseModel]") -> None:
        flags = ((field, field.flag) for field in fields_of(model))
        found = [(field, flag) for field, flag in flags if flag is not None]
        self._fields = sorted(found, key=lambda pair: pair[1].rank)

    def parameters(self) -> Iterator[inspect.Parameter]:
        """An option for each flag, as the signature of a command has it."""
        for field, flag in self._fields:
            if parent := flag.parent:
                yield _parameter(f"{_key(field)}_parent", str, _option(field, flag, parent))
            yield _parameter(_key(field), _type(field), _option(field, flag))

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The options that were given, as values of a spec."""
        values: dict[str, Any] = {}
        for field, flag in self._fields:
            value = given[_key(field)]
            if flag.parent is not None:
                value = _child(given[f"{_key(field)}_parent"], value, field, flag.parent)
            if value is not None:
                _put(values, field.path, _spec_value(field, value))
        return values


def _key(field: SpecField) -> str:
    return "_".join(field.path)


def _parameter(name: str, type_: Any, option_: Any) -> inspect.Parameter:
    annotation = Annotated[type_ | None, option_]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _option(field: SpecField, flag: Flag, parent: ParentFlag | None = None) -> Any:
    if parent is not None:
        return option(parent.help, parent.name, panel=field.panel, metavar=flag.metavar)
    first, *others = field.flag_names
    names = [f"{first}/{field.negative_flag}" if field.negative_flag else first, *others]
    help_ = flag.help or field.info.description or ""
    return option(help_, *names, panel=field.panel, metavar=flag.metavar)


def _type(field: SpecField) -> Any:
    """What the parser reads: text, unless the field is of a type that it knows."""
    if field.is_map:
        return list[str]
    if field.entry is not None:
        return list[_scalar(field.entry_field.kind if field.entry_field else field.entry)]  # type: ignore[misc]
    return _scalar(field.kind)


def _scalar(kind: Any) -> type:
    is_known = isinstance(kind, type) and issubclass(kind, bool | int | float | Enum)
    return kind if is_known else str


def _child(parent: str | None, value: str | None, field: SpecField, flag: ParentFlag) -> str | None:
    if parent is None:
        return value
    if value is None:
        raise typer.BadParameter(f"{flag.name} needs {field.flag_names[0]} NAME")
    return f"{parent.rstrip('/')}/{flag.child}/{value}"


def _spec_value(field: SpecField, value: Any) -> Any:
    """The value of an option, as a spec file has it."""
    if field.is_map:
        return dict(_pair(field, one) for one in value)
    if entry := field.entry_field:
        return [{entry.path[-1]: one} for one in value]
    return value.value if isinstance(value, Enum) else value


def _pair(field: SpecField, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} has no '=': write {field.flag_names[0]} NAME=VALUE")
    return name, value


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *sections, name = path
    for section in sections:
        values = values.setdefault(section, {})
    values[name] = value
