"""Checks rules between fields, and collects every problem of a spec.

A rule is checked whenever the fields it is about are valid, whatever else is wrong.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ModelWrapValidatorHandler, ValidationError

from ccgpu.domain.spec import problems
from ccgpu.domain.spec.problems import FieldProblem, Path
from ccgpu.domain.spec.structure import section_at

Model = TypeVar("Model", bound=BaseModel)


class FieldRule(NamedTuple, Generic[Model]):
    """What must hold between fields of a section.

    path: the field to change where the rule is broken.
    about: the fields that must be valid before `is_broken` can tell.
    """

    path: Path
    about: tuple[Path, ...]
    is_broken: Callable[[Model], bool]
    message: str


def validate(
    model: type[Model],
    data: Any,
    handler: ModelWrapValidatorHandler[Model],
    stand_ins: Mapping[str, Any],
) -> Model:
    """The spec, or a `ValidationError` with every problem: of values first, then of rules.

    `stand_ins`: values for required fields that are missing, so that rules can be checked.
    """
    bad: set[Path] = set()
    found: tuple[FieldProblem, ...] = ()
    try:
        spec = handler(data)
    except ValidationError as err:
        found = problems.from_pydantic(err, model)
        if not isinstance(data, dict):
            raise problems.refusal(model.__name__, found) from None
        removed = {_removable(model, path) for path, _ in found}
        bad = removed | {path for path, _ in found}
        spec = handler({**stand_ins, **_without_field(model, data, removed)})
    found += tuple(_broken_rules(spec, bad))
    if found:
        raise problems.refusal(model.__name__, found) from None
    return spec


def _removable(model: type[BaseModel], path: Path) -> Path:
    """The path to remove from a spec with a problem at `path`, so that the rest is valid."""
    name, rest = path[0], path[1:]
    inner = section_at(model, name)
    if inner is None or not rest:
        return (name,)
    below = _removable(inner, rest)
    is_needed = len(below) == 1 and below[0] in _required(inner)
    return (name,) if is_needed else (name, *below)


def _required(model: type[BaseModel]) -> set[str]:
    return {name for name, info in model.model_fields.items() if info.is_required()}


def _without_field(
    model: type[BaseModel], data: Mapping[Any, Any], removed: Collection[Path], above: Path = ()
) -> dict[str, Any]:
    """`data` without the values at the paths `removed`, and without names that are not text."""
    part: dict[str, Any] = {}
    for name, value in data.items():
        if not isinstance(name, str) or (*above, name) in removed:
            continue
        inner = section_at(model, name)
        if inner is not None and isinstance(value, dict):
            part[name] = _without_field(inner, value, removed, (*above, name))
        else:
            part[name] = value
    return part


def _broken_rules(
    section: BaseModel, bad: Collection[Path], above: Path = ()
) -> Iterator[FieldProblem]:
    """The broken rules of a section and of the sections in it, in the order of the fields."""
    by_field: dict[Any, list[FieldProblem]] = {name: [] for name in type(section).model_fields}
    for name, value in section:
        if isinstance(value, BaseModel):
            by_field[name] += _broken_rules(value, bad, (*above, name))
    for rule in getattr(section, "rules", ()):
        about = [(*above, *field) for field in rule.about]
        is_checked = not any(_overlap(field, path) for field in about for path in bad)
        if is_checked and rule.is_broken(section):
            by_field[rule.path[0]].append(FieldProblem((*above, *rule.path), rule.message))
    for each in by_field.values():
        yield from each


def _overlap(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
