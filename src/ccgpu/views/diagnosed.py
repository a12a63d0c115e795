"""The checks of a guest, as text and as JSON."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.plain_text import one_line
from ccgpu.guest.diagnosis import Diagnosis, Fix
from ccgpu.guest.readiness import GuestCheck, GuestState
from ccgpu.views.tables import Grid

_SIGNS = {
    GuestState.READY: "+",
    GuestState.WARNING: "!",
    GuestState.WORKING: "…",
    GuestState.FAILED: "x",
}
_STYLES = {
    GuestState.READY: "green",
    GuestState.WARNING: "yellow",
    GuestState.WORKING: "yellow",
    GuestState.FAILED: "red",
}


def with_commands(found: Diagnosis, complete: Callable[[str], str]) -> Diagnosis:
    """The diagnosis with remedies whose commands can be run as they are, by `complete`."""
    checks = (
        one if one.remedy is None else replace(one, remedy=complete(_remedy(one, found.name)))
        for one in found.checks
    )
    return replace(found, checks=tuple(checks))


def as_text(found: Diagnosis) -> RenderableType:
    """A line for each check, and below one that is not good what to do."""
    rows = Grid()
    for check in found.checks:
        sign = Text(_SIGNS[check.state], style=_STYLES[check.state])
        rows.add_row(sign, Text(check.step), Text(one_line(check.message)))
        if check.remedy is not None:
            rows.add_row("", "", Text(f"→ {check.remedy}"))
    applied = [Text(f"applied: {fix.what}") for fix in found.applied]
    return Group(rows, *applied)


def as_json(found: Diagnosis) -> dict[str, Any]:
    """The JSON document; `ok` is false if any check has failed."""
    return {
        "schema": "ccgpu.doctor/1",
        "name": found.name,
        "ok": not any(one.state is GuestState.FAILED for one in found.checks),
        "checks": [
            {
                "step": one.step,
                "state": one.state.value,
                "message": one.message,
                "remedy": one.remedy,
            }
            for one in found.checks
        ],
        "fixes": [_fix(one) for one in found.fixes],
        "applied": [_fix(one) for one in found.applied],
    }


def _remedy(check: GuestCheck, name: str) -> str:
    return (check.remedy or "").format(name=name)


def _fix(fix: Fix) -> dict[str, Any]:
    return {"what": fix.what, "commands": [list(command) for command in fix.commands]}
