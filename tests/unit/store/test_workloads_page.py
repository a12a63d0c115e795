"""docs/workloads.md lists the workloads, their parameters and the models as the files say."""

import pytest

from ccgpu.store import model_table, workload_templates
from ccgpu.views.workloads import limit_words
from support.repository import ROOT

_PAGE = ROOT / "docs" / "workloads.md"


def workload_rows() -> list[str]:
    """A row for each workload."""
    every = [workload_templates.load(name) for name in workload_templates.names()]
    return [
        f"| `{one.name}` | {one.kind.value} | {one.summary} | "
        f"{f'`{one.image}`' if one.image else 'yours'} | {', '.join(map(str, one.ports)) or '-'} |"
        for one in every
    ]


def parameter_rows() -> list[str]:
    """A row for each parameter of each workload."""
    return [
        f"| `{name}` | `{each}` | {', '.join(limit_words(parameter))} | "
        f"{parameter.default or '-'} | {parameter.description} |"
        for name in workload_templates.names()
        for each, parameter in workload_templates.load(name).parameters.items()
    ]


def model_rows() -> list[str]:
    """A row for each model."""
    return [
        f"| {one.family} | `{one.repository}` | {one.form} | {one.weights_gb:.1f} | "
        f"{'yes' if one.fits() else f'no: use `{one.use_instead}`'} | "
        f"{one.licence}{', gated' if one.gated else ''} | {', '.join(one.workloads) or '-'} |"
        for one in model_table.shipped().models
    ]


@pytest.mark.parametrize(
    ("heading", "made"),
    [
        ("## What there is", workload_rows),
        ("## Parameters", parameter_rows),
        ("## Models", model_rows),
    ],
)
def test_a_table_of_the_page_is_as_the_files_say(heading, made):
    section = _PAGE.read_text().split(f"{heading}\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    assert table[2:] == made()


def test_the_page_names_the_day_of_the_table():
    assert f"as of {model_table.shipped().as_of}" in _PAGE.read_text()
