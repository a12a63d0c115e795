"""The table of models, as text and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.models import GPU_MEMORY_GB, ModelEntry, ModelTable
from ccgpu.views.tables import RowTable

_HEADS = ("", "model", "family", "form", "weights", "licence", "gated", "workloads")


def as_text(table: ModelTable, warnings: Sequence[str]) -> RenderableType:
    """The dates of the table, a row for each model, then what fits in place of what does not."""
    rows = RowTable(*_HEADS, style="none")
    for model in table.models:
        rows.add_row(*_row(model))
    notes = [
        f"- {each.repository} does not fit {GPU_MEMORY_GB:.0f} GB: use {each.use_instead}"
        for each in table.models
        if not each.fits()
    ]
    notes += [f"- {each.repository}: {each.note}" for each in table.models if each.note]
    notes += [f"warning: {line}" for line in warnings]
    head = (
        f"as of {table.as_of}, to be reviewed by {table.review_by}; the GPU has "
        f"{GPU_MEMORY_GB:.0f} GB\n"
    )
    return Group(Text(head), rows, Text(""), *map(Text, notes))


def _row(model: ModelEntry) -> tuple[str, ...]:
    return (
        "+" if model.fits() else "-",
        model.repository,
        model.family,
        model.form,
        f"{model.weights_gb:.1f} GB",
        model.licence,
        "yes" if model.gated else "no",
        ", ".join(model.workloads) or "none",
    )


def as_json(table: ModelTable, warnings: Sequence[str]) -> dict[str, Any]:
    """The JSON document."""
    return {
        "schema": "ccgpu.models/1",
        "as_of": str(table.as_of),
        "review_by": str(table.review_by),
        "gpu_memory_gb": GPU_MEMORY_GB,
        "warnings": list(warnings),
        "models": [_fields(model) for model in table.models],
    }


def _fields(model: ModelEntry) -> dict[str, Any]:
    return {
        "repository": model.repository,
        "family": model.family,
        "kind": model.kind,
        "form": model.form,
        "billions": model.billions,
        "active_billions": model.active_billions,
        "weights_gb": round(model.weights_gb, 1),
        "fits": model.fits(),
        "use_instead": model.use_instead,
        "licence": model.licence,
        "gated": model.gated,
        "workloads": list(model.workloads),
        "speed": None
        if model.speed is None
        else {
            "tokens_per_second": model.speed.tokens_per_second,
            "source": model.speed.source,
        },
        "note": model.note,
        "sources": list(model.sources),
    }
