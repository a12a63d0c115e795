"""The findings of a check of the set-up, as text and as JSON."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.finding import Finding, FindingState, SetupReport
from ccgpu.domain.plain_text import lines
from ccgpu.views import forecast
from ccgpu.views.tables import Grid

_SIGNS = {
    FindingState.OK: Text("+", style="green"),
    FindingState.WARNING: Text("!", style="yellow"),
    FindingState.FAILED: Text("x", style="red"),
    FindingState.UNKNOWN: Text("?", style="yellow"),
}


def with_commands(report: SetupReport, complete: Callable[[str], str]) -> SetupReport:
    """The report with remedies whose commands can be run as they are, by `complete`."""

    def completed(one: Finding) -> Finding:
        return replace(one, remedy=None if one.remedy is None else complete(one.remedy))

    return replace(report, findings=tuple(map(completed, report.findings)))


def as_text(report: SetupReport) -> RenderableType:
    """A line for each finding, below one that is not good what to do, then the forecast."""
    rows = Grid()
    for one in report.findings:
        rows.add_row(_SIGNS[one.state], Text(one.step), Text(lines(one.message)))
        if one.remedy is not None:
            rows.add_row("", "", Text(f"→ {lines(one.remedy)}"))
    return Group(rows, Text(""), forecast.as_text(report.endings))


def as_json(report: SetupReport) -> dict[str, Any]:
    """The JSON document, in the form of that of a guest; `ok` is false if any check has failed."""
    return {
        "schema": "ccgpu.doctor/1",
        "name": None,
        "ok": not any(one.state is FindingState.FAILED for one in report.findings),
        "checks": [
            {
                "step": one.step,
                "state": one.state.value,
                "message": one.message,
                "remedy": one.remedy,
            }
            for one in report.findings
        ],
        "fixes": [],
        "applied": [],
        "forecast": forecast.document(report.endings),
    }
