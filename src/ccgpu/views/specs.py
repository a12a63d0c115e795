"""Checked spec files, shipped templates and written files, as text and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.plain_text import one_line
from ccgpu.errors import Problem
from ccgpu.views.tables import Grid

Checked = Mapping[str, Sequence[Problem]]


def as_text(checked: Checked) -> RenderableType:
    """`PATH:LINE:COLUMN: FIELD: MESSAGE`, as compilers write it, or `ok` for a file."""
    lines = []
    for file, problems in checked.items():
        lines += [_problem_line(file, problem) for problem in problems] or [f"{file}: ok"]
    # Not wrapped: editors and scripts read one problem per line.
    return Group(*(Text(one_line(line), no_wrap=True, overflow="ignore") for line in lines))


def as_json(checked: Checked) -> dict[str, Any]:
    """The JSON document: every file with its problems."""
    files = [
        {
            "path": file,
            "ok": not problems,
            "problems": [
                {"line": p.line, "column": p.column, "field": p.path, "message": p.message}
                for p in problems
            ],
        }
        for file, problems in checked.items()
    ]
    return {"schema": "ccgpu.validate/1", "ok": not any(checked.values()), "files": files}


def templates_as_text(templates: Sequence[tuple[str, str]]) -> RenderableType:
    """A row with name and summary for each template."""
    table = Grid()
    for name, summary in templates:
        table.add_row(Text(name), Text(summary))
    return table


def templates_as_json(templates: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The JSON document."""
    rows = [{"name": name, "summary": summary} for name, summary in templates]
    return {"schema": "ccgpu.templates/1", "templates": rows}


def _problem_line(file: str, problem: Problem) -> str:
    place = f"{file}:{problem.line}:{problem.column}" if problem.line is not None else file
    field = f"{problem.path}: " if problem.path else ""
    return f"{place}: {field}{problem.message}"


def written_as_text(files: Sequence[str]) -> RenderableType:
    """A line for each written file."""
    return Group(*(Text(f"wrote {file}") for file in files))


def written_as_json(files: Sequence[str]) -> dict[str, Any]:
    """The JSON document."""
    return {"schema": "ccgpu.init/1", "files": list(files)}
