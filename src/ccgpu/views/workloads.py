"""The workloads that ship with ccgpu, or one of them with its parameters, as text and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.workload.template import TemplateParameter, WorkloadTemplate
from ccgpu.views.tables import Grid


def list_as_text(templates: Sequence[WorkloadTemplate]) -> RenderableType:
    """A row for each workload."""
    rows = Grid()
    for each in templates:
        rows.add_row(*map(Text, (each.name, each.kind.value, each.summary)))
    return rows


def list_as_json(templates: Sequence[WorkloadTemplate]) -> dict[str, Any]:
    """The JSON document."""
    rows = [one_as_json(each) for each in templates]
    return {"schema": "ccgpu.workload-templates/1", "workloads": rows}


def one_as_text(template: WorkloadTemplate) -> RenderableType:
    """Image, parameters, what the user has to bring, and where results are."""
    rows = Grid()
    for name, parameter in template.parameters.items():
        limits = ", ".join(limit_words(parameter))
        rows.add_row(*map(Text, (name, parameter.default or "-", limits, parameter.description)))
    about = [
        f"{template.name} ({template.kind.value}): {template.summary}",
        f"image: {template.image or 'yours'}",
        f"model: {template.model}",
        *(f"needs {target}: {what}" for target, what in template.inputs.items()),
        *(f"secret {each.name}: {each.description}" for each in template.secrets),
        *([f"results: {template.outputs}"] if template.outputs else []),
        "parameters:" if template.parameters else "no parameters",
    ]
    return Group(*map(Text, about), rows)


def one_as_json(template: WorkloadTemplate) -> dict[str, Any]:
    """The template as it is, with the words of its file."""
    values: dict[str, Any] = template.model_dump(mode="json", by_alias=True)
    return values


def limit_words(parameter: TemplateParameter) -> Iterator[str]:
    """What a value of the parameter may be."""
    if parameter.choices:
        yield " or ".join(parameter.choices)
        return
    yield parameter.type
    if parameter.minimum is not None and parameter.maximum is not None:
        yield f"{_number(parameter.minimum)} to {_number(parameter.maximum)}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.7f}".rstrip("0")
