"""The structure of a spec: sections in sections, lists of sections, and mappings of free names.

It is read from the fields of the model, so code that uses it handles every section there is.
"""

from collections.abc import Iterator, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ccgpu.domain.spec.flags import MACHINE, Flag

FieldNames = tuple[str, ...]


class SpecField(NamedTuple):
    """A field of the spec or of a section in it."""

    path: FieldNames
    info: FieldInfo

    @property
    def kind(self) -> Any:
        """Its type, without constraints and without None."""
        return _bare(self.info.annotation)

    @property
    def section(self) -> type[BaseModel] | None:
        """The section that is its value."""
        return _as_model(self.kind)

    @property
    def entry(self) -> Any:
        """The type of an entry, if its value is a list."""
        return _bare(get_args(self.kind)[0]) if get_origin(self.kind) in (tuple, list) else None

    @property
    def entry_field(self) -> "SpecField | None":
        """The field that each entry requires, if its value is a list of sections."""
        section = _as_model(self.entry)
        if section is None:
            return None
        (required,) = (pair for pair in section.model_fields.items() if pair[1].is_required())
        return SpecField((*self.path, required[0]), required[1])

    @property
    def is_map(self) -> bool:
        """Whether its value has names of the user's own, as tags have."""
        return get_origin(self.kind) is dict

    @property
    def flag(self) -> Flag | None:
        """Its command-line flag."""
        return next((one for one in self.info.metadata if isinstance(one, Flag)), None)

    @property
    def flag_names(self) -> tuple[str, ...]:
        """The names of its flag."""
        default = "--" + "-".join(self.path).replace("_", "-")
        return (self.flag.names if self.flag else ()) or (default,)

    @property
    def negative_flag(self) -> str | None:
        """The flag that makes a boolean false, if it is true by default."""
        is_on = self.kind is bool and self.info.default is True
        return self.flag_names[0].replace("--", "--no-", 1) if is_on else None

    @property
    def panel(self) -> str:
        """The heading that its flag is listed under."""
        own = self.path[0].replace("_", " ").capitalize() if self.path[1:] else MACHINE
        return (self.flag and self.flag.panel) or own


def _bare(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _bare(next(one for one in get_args(annotation) if one is not NoneType))
    return annotation


def _as_model(kind: Any) -> type[BaseModel] | None:
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def fields_of(model: type[BaseModel], above: FieldNames = ()) -> Iterator[SpecField]:
    """Every field of the model and of its sections; a section comes before its fields."""
    for name, info in model.model_fields.items():
        field = SpecField((*above, name), info)
        yield field
        if field.section is not None:
            yield from fields_of(field.section, field.path)


def section_at(model: type[BaseModel], name: object) -> type[BaseModel] | None:
    """The section that is the value of the field with this name."""
    info = model.model_fields.get(str(name))
    return SpecField((), info).section if info is not None else None


def _spec_names(model: type[BaseModel]) -> frozenset[str]:
    """The names of a section's fields in a spec: the alias of a field that has one."""
    return frozenset(info.alias or name for name, info in model.model_fields.items())


def known_fields(model: type[BaseModel]) -> dict[FieldNames, frozenset[str]]:
    """The names of the fields of each section, entries of lists included."""
    names_by_path: dict[FieldNames, frozenset[str]] = {(): _spec_names(model)}
    for field in (SpecField((name,), info) for name, info in model.model_fields.items()):
        if inner := field.section or _as_model(field.entry):
            names_by_path |= {
                field.path + path: names for path, names in known_fields(inner).items()
            }
    return names_by_path


def map_depth(model: type[BaseModel], path: Sequence[str | int]) -> int:
    """The length of the prefix of `path` that leads to a mapping of free names; 0: none."""
    inner: type[BaseModel] | None = model
    for depth, name in enumerate(path, start=1):
        if isinstance(name, int):
            continue
        info = inner.model_fields.get(name) if inner is not None else None
        if info is None:
            return 0
        field = SpecField((), info)
        if field.is_map:
            return depth
        inner = field.section or _as_model(field.entry)
    return 0


def field_at(model: type[BaseModel], path: Sequence[str | int]) -> FieldNames:
    """The field that contains `path`: a list or a mapping is one field."""
    name, rest = str(path[0]), path[1:]
    inner = section_at(model, name)
    return (name, *field_at(inner, rest)) if inner is not None and rest else (name,)


def flag_at(model: type[BaseModel], path: Sequence[str | int]) -> str:
    """The flag for the value at `path`; for a boolean, the flag that changes its default."""
    name = field_at(model, path)
    field = next(one for one in fields_of(model) if one.path == name)
    return field.negative_flag or field.flag_names[0]
