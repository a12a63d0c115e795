"""The result of a garbage collection, as text and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.action import Action
from ccgpu.domain.garbage import Collected
from ccgpu.domain.plain_text import one_line
from ccgpu.domain.resource import kind_of, name_of
from ccgpu.views.signs import SIGNS, kind_name
from ccgpu.views.tables import Grid
from ccgpu.views.times import utc_time

_COUNTED = {
    "removed": "deleted",
    "would-remove": "to delete",
    "skipped": "left alone",
    "failed": "failed",
}


def as_text(results: Sequence[Collected], removing: str) -> RenderableType:
    """Each deployment with its reason and a line for each resource; then the counts.

    `removing` is the command that deletes the expired deployments.
    """
    if not results:
        return Text("nothing has expired")
    parts: list[RenderableType] = []
    for result in results:
        parts.append(Text(_headline(result)))
        if result.resources:
            parts.append(_resource_table(result))
    actions = [result.action for result in results]
    counts = [f"{actions.count(a)} {words}" for a, words in _COUNTED.items() if a in actions]
    again = f"; {removing} deletes them" if "would-remove" in actions else ""
    return Group(*parts, Text(f"\n{', '.join(counts)}{again}"))


def _headline(result: Collected) -> str:
    facts = [
        result.why and _reason_text(result),
        None if result.action != "skipped" else "left alone",
        result.reason,
    ]
    text = "; ".join(one_line(fact) for fact in facts if fact)
    return f"{one_line(result.name)} in {one_line(result.group)}: {text}"


def _reason_text(result: Collected) -> str:
    if result.why == "expired":
        return f"expired {result.lease.expires}"
    if result.why == "unfinished":
        return f"left of an image that was not published to its end, begun {result.lease.created}"
    return f"orphaned: created {result.lease.created}, and without a VM since"


def _resource_table(result: Collected) -> Grid:
    table = Grid(gap=1)
    for id_ in result.resources:
        table.add_row(SIGNS[Action.DELETE], kind_name(kind_of(id_) or ""), Text(name_of(id_)))
    return table


def as_json(results: Sequence[Collected]) -> dict[str, Any]:
    """The JSON document; `why` is null if the deployment is not expired after all."""
    rows = [
        {
            "name": result.name,
            "resource_group": result.group,
            "why": result.why,
            "expires": utc_time(result.lease.expires),
            "created": utc_time(result.lease.created),
            "action": result.action,
            "resources": list(result.resources),
            "reason": result.reason,
            "hint": result.hint,
        }
        for result in results
    ]
    return {"schema": "ccgpu.gc/1", "deployments": rows}
