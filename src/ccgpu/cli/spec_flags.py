"""The options for the fields of a spec, derived from the fields' metadata.

Each field with a `Flag` becomes an option. Its type follows from the field's type. The option of a
list can be repeated. The option of a mapping takes NAME=VALUE. The option of a list of sections
takes each section's required field.
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
    """The flags of all fields of a spec, in the order of the help text.

    of_run: those of `ccgpu run` (of the section `workload`) in place of the others.
    """

    def __init__(self, model: "type[BaseModel]", *, of_run: bool = False) -> None:
        flags = ((field, field.flag) for field in fields_of(model))
        flagged = [
            (field, flag) for field, flag in flags if flag is not None and flag.of_run == of_run
        ]
        self._fields = sorted(flagged, key=lambda pair: pair[1].rank)

    def parameters(self) -> Iterator[inspect.Parameter]:
        """The parameters of a command's signature: one option for each flag."""
        for field, flag in self._fields:
            if parent := flag.parent:
                yield _parameter(f"{_key(field)}_parent", str, _option(field, flag, parent))
            yield _parameter(_key(field), _type(field), _option(field, flag))

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Convert the given options to values of a spec, as a nested mapping."""
        values: dict[str, Any] = {}
        for field, flag in self._fields:
            value = given[_key(field)]
            if flag.parent is not None:
                value = _child_id(given[f"{_key(field)}_parent"], value, field, flag.parent)
            if value is not None:
                _put_value(values, field.path, _spec_value(field, value))
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
    """The type for the parser: the field's if the parser knows it, else `str`."""
    if field.is_map:
        return list[str]
    if field.entry is not None:
        return list[_scalar(field.entry_field.kind if field.entry_field else field.entry)]  # type: ignore[misc]
    return _scalar(field.kind)


def _scalar(kind: Any) -> type:
    is_known = isinstance(kind, type) and issubclass(kind, bool | int | float | Enum)
    return kind if is_known else str


def _child_id(
    parent: str | None, value: str | None, field: SpecField, flag: ParentFlag
) -> str | None:
    if parent is None:
        return value
    if value is None:
        raise typer.BadParameter(f"{flag.name} needs {field.flag_names[0]} NAME")
    return f"{parent.rstrip('/')}/{flag.child}/{value}"


def _spec_value(field: SpecField, value: Any) -> Any:
    """An option's value in the notation of a spec file."""
    if field.is_map:
        return dict(_pair(field, text) for text in value)
    if entry := field.entry_field:
        return [{entry.path[-1]: text} for text in value]
    return value.value if isinstance(value, Enum) else value


def _pair(field: SpecField, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        flag = field.flag_names[0]
        problem = f"{text!r} has no '=': write {flag} NAME=VALUE"
        raise typer.BadParameter(problem, param_hint=f"'{flag}'")
    return name, value


def _put_value(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *sections, name = path
    for section in sections:
        values = values.setdefault(section, {})
    values[name] = value
