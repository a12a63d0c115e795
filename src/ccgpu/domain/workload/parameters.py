"""The values of a workload's parameters: those given, checked, and the defaults of the others."""

import math
import re
from collections.abc import Iterator, Mapping

from ccgpu.domain.workload.template import TemplateParameter, WorkloadTemplate
from ccgpu.errors import Problem

_OFF = ("", "false")
_MAX_TEXT = 4096


def values(
    template: WorkloadTemplate, given: Mapping[str, str]
) -> tuple[dict[str, str], list[Problem]]:
    """Each parameter's value as text (empty: it is off), and what is wrong with the given ones."""
    found = {name: each.default or "" for name, each in template.parameters.items()}
    problems = [
        Problem(f"parameters.{name}.default", text, source=template.name)
        for name, each in template.parameters.items()
        if each.default is not None
        for text in complaints(each, each.default)
    ]
    for name, value in given.items():
        place = f"workload.parameters.{name}"
        if name not in template.parameters:
            problems.append(Problem(place, _unknown(template)))
            continue
        problems += [Problem(place, text) for text in complaints(template.parameters[name], value)]
        found[name] = value
    return found, problems


def is_on(value: str) -> bool:
    """Whether a value turns on the words that depend on its parameter."""
    return value not in _OFF


def complaints(parameter: TemplateParameter, value: str) -> Iterator[str]:
    """What is wrong with a value, each as the end of a sentence."""
    if not value.isprintable() or len(value) > _MAX_TEXT:
        yield f"must be printable, and at most {_MAX_TEXT} characters"
    elif parameter.choices and value not in parameter.choices:
        yield f"must be one of {', '.join(parameter.choices)}"
    elif parameter.type == "boolean":
        if value not in ("true", "false"):
            yield "must be true or false"
    elif parameter.type == "text":
        if parameter.pattern is not None and not re.fullmatch(parameter.pattern, value, re.ASCII):
            yield f"must match {parameter.pattern}"
    else:
        yield from _number_complaints(parameter, value)


def _number_complaints(parameter: TemplateParameter, value: str) -> Iterator[str]:
    pattern = r"-?[0-9]{1,18}" if parameter.type == "integer" else r"-?[0-9]{1,18}(\.[0-9]{1,18})?"
    if not re.fullmatch(pattern, value, re.ASCII):
        yield f"must be {'a whole number' if parameter.type == 'integer' else 'a number'}"
        return
    low = -math.inf if parameter.minimum is None else parameter.minimum
    high = math.inf if parameter.maximum is None else parameter.maximum
    if not low <= float(value) <= high:
        yield _limits(parameter)


def _limits(parameter: TemplateParameter) -> str:
    parts = [
        f"at {which} {limit:g}" if limit < 10**6 else f"at {which} {limit:.0f}"
        for which, limit in (("least", parameter.minimum), ("most", parameter.maximum))
        if limit is not None
    ]
    return f"must be {' and '.join(parts)}"


def _unknown(template: WorkloadTemplate) -> str:
    known = ", ".join(template.parameters) or "none"
    return f"is no parameter of {template.name}; it has {known}"
