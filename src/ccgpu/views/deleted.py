"""The result of a delete, as text and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.action import Action
from ccgpu.domain.resource import ResourceId, kind_of, name_of
from ccgpu.views.signs import SIGNS, kind_name
from ccgpu.views.tables import Grid

Kept = Sequence[tuple[ResourceId, str]]
Deleted = tuple[str, Sequence[ResourceId], Kept]  # the arguments of `as_json`


def as_text(
    name: str, gone: Sequence[ResourceId], kept: Kept, group: str | None = None
) -> RenderableType:
    """A line for each deleted resource, and for each kept one with the reason.

    group: the one resource group in which the deployment was looked for, if that was given.
    """
    if not gone and not kept:
        where = f" in the resource group {group}" if group else ""
        return Text(f"nothing to delete: there is no deployment {name}{where}")
    table = Grid(gap=1)
    for id_ in gone:
        table.add_row(SIGNS[Action.DELETE], kind_name(kind_of(id_) or ""), Text(name_of(id_)))
    stays = [Text(f"kept: {name_of(id_)}, {why}") for id_, why in kept]
    return Group(*([table] if gone else []), *stays, Text(f"\n{name}: {len(gone)} deleted"))


def as_json(name: str, gone: Sequence[ResourceId], kept: Kept) -> dict[str, Any]:
    """The JSON document."""
    return {
        "schema": "ccgpu.delete/1",
        "name": name,
        "gone": list(gone),
        "kept": [{"id": id_, "reason": why} for id_, why in kept],
    }


def each_as_text(deployments: Sequence[Deleted], group: str | None = None) -> RenderableType:
    """`as_text` of several deployments, one after the other."""
    first, *others = [as_text(*one, group) for one in deployments]
    return Group(first, *(part for other in others for part in (Text(), other)))


def each_as_json(deployments: Sequence[Deleted]) -> dict[str, Any]:
    """The JSON document for several deployments."""
    return {
        "schema": "ccgpu.deletes/1",
        "deployments": [as_json(*one) for one in deployments],
    }
