"""The rows of a running workflow; one line for each group where those of several are deleted."""

from collections.abc import Sequence
from dataclasses import dataclass

from ccgpu.domain.action import Action
from ccgpu.domain.events import Event
from ccgpu.domain.resource import group_of, key
from ccgpu.views.progress_text import ENDS, action_sign
from ccgpu.views.signs import STYLES


@dataclass(slots=True)
class StepRow:
    """One step of a resource: its last event, and when it began and ended."""

    event: Event
    phase: str | None
    began: float
    status: str = ""
    ended: float | None = None


def rows_by_group(rows: Sequence[StepRow]) -> list[list[StepRow]]:
    """The rows of each group; empty if there is one group, or if not all are deleted."""
    if any(row.phase != Action.DELETE.value for row in rows):
        return []
    groups: dict[str, list[StepRow]] = {}
    for row in rows:
        groups.setdefault(key(group_of(row.event.id or "")), []).append(row)
    return list(groups.values()) if len(groups) > 1 else []


def group_line(rows: Sequence[StepRow], now: float, turn: str) -> tuple[str, list[str], float]:
    """The sign, the words and the seconds of one group's line."""
    gone = sum(row.ended is not None and not _has_failed(row) for row in rows)
    failed = sum(map(_has_failed, rows))
    under_way = any(row.ended is None for row in rows)
    words = ["group", group_of(rows[0].event.id or ""), *([turn] if under_way else [])]
    words += f"{gone} of {len(rows)} deleted".split()
    words += f"{failed} failed".split() if failed else []
    end = now if under_way else max(row.ended or 0.0 for row in rows)
    return action_sign(rows[0].event), words, end - min(row.began for row in rows)


def group_style(rows: Sequence[StepRow]) -> str:
    """The style of one group's line."""
    if any(map(_has_failed, rows)):
        return "red"
    return "dim" if any(row.ended is None for row in rows) else STYLES[Action.DELETE]


def _has_failed(row: StepRow) -> bool:
    return row.ended is not None and row.status.startswith(ENDS["failed"])
