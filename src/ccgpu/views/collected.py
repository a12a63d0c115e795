"""What a garbage collection has found and done, for people and for scripts."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ccgpu.domain.garbage import Collected
from ccgpu.domain.plan import Action
from ccgpu.domain.resource import kind_of, name_of
from ccgpu.views.signs import SIGNS, kind_name, one_line

_COUNTED = {
    "removed": "deleted",
    "would-remove": "to delete",
    "skipped": "left alone",
    "failed": "failed",
}


def as_text(found: Sequence[Collected], removing: str) -> RenderableType:
    """Each deployment with its reason and a line for each resource; then the counts.

    `removing` is the command that removes what is over.
    """
    if not found:
        return Text("nothing has expired")
    parts: list[RenderableType] = []
    for one in found:
        parts += [Text(_headline(one)), _resources(one)]
    actions = [one.action for one in found]
    counts = [f"{actions.count(a)} {words}" for a, words in _COUNTED.items() if a in actions]
    again = f"; {removing} deletes them" if "would-remove" in actions else ""
    return Group(*parts, Text(f"\n{', '.join(counts)}{again}"))


def _headline(one: Collected) -> str:
    facts = [one.why and _why(one), None if one.action != "skipped" else "left alone", one.reason]
    told = "; ".join(one_line(fact) for fact in facts if fact)
    return f"{one_line(one.name)} in {one_line(one.group)}: {told}"


def _why(one: Collected) -> str:
    if one.why == "expired":
        return f"expired {one.lease.expires}"
    return f"orphaned: created {one.lease.created}, and without a VM since"


def _resources(one: Collected) -> Table:
    table = Table.grid(padding=(0, 1))
    for id_ in one.resources:
        table.add_row(SIGNS[Action.DELETE], kind_name(kind_of(id_) or ""), Text(name_of(id_)))
    return table


def as_json(found: Sequence[Collected]) -> dict[str, Any]:
    """The stable form; `why` is null where a deployment only looked as if it were over."""
    rows = [
        {
            "name": one.name,
            "resource_group": one.group,
            "why": one.why,
            "expires": one.lease.expires,
            "created": one.lease.created,
            "action": one.action,
            "resources": list(one.resources),
            "reason": one.reason,
        }
        for one in found
    ]
    return {"schema": "ccgpu.gc/1", "deployments": rows}
