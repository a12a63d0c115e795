"""Spec files that were checked, and the templates that ship, for people and for scripts."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ccgpu.errors import Problem
from ccgpu.views.signs import one_line

Checked = Mapping[str, Sequence[Problem]]


def as_text(checked: Checked) -> RenderableType:
    """`PATH:LINE:COLUMN: FIELD: MESSAGE`, as compilers write it, or `ok` for a file."""
    lines = []
    for file, problems in checked.items():
        lines += [_line(file, problem) for problem in problems] or [f"{file}: ok"]
    # Never broken by us: editors and scripts read a problem from a line.
    return Group(*(Text(one_line(line), no_wrap=True, overflow="ignore") for line in lines))


def as_json(checked: Checked) -> dict[str, Any]:
    """The stable form: every file, with all that is wrong with it."""
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
    """Name and summary, a line each."""
    table = Table.grid(padding=(0, 2))
    for name, summary in templates:
        table.add_row(Text(name), Text(summary))
    return table


def templates_as_json(templates: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The stable form."""
    rows = [{"name": name, "summary": summary} for name, summary in templates]
    return {"schema": "ccgpu.templates/1", "templates": rows}


def _line(file: str, problem: Problem) -> str:
    place = f"{file}:{problem.line}:{problem.column}" if problem.line is not None else file
    field = f"{problem.path}: " if problem.path else ""
    return f"{place}: {field}{problem.message}"


def written_as_text(files: Sequence[str]) -> RenderableType:
    """The files that were written."""
    return Group(*(Text(f"wrote {file}") for file in files))


def written_as_json(files: Sequence[str]) -> dict[str, Any]:
    """The stable form."""
    return {"schema": "ccgpu.init/1", "files": list(files)}
