"""The simulated subscription, as text and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.resource import name_of
from ccgpu.views.signs import kind_name
from ccgpu.views.tables import RowTable
from ccgpu.views.times import elapsed_text

Added = tuple[
    str, str, str | None
]  # id, type, and, for a group made automatically, the id that needed it


def as_text(account: Mapping[str, Any]) -> RenderableType:
    """Each resource with its creation time and its billed seconds of virtual time."""
    table = RowTable("KIND", "NAME", "CREATED", "BILLED")
    for resource in account["resources"]:
        now = " and on" if resource["id"] in account["billing"] else ""
        billed = (
            elapsed_text(resource["billed_seconds"]) + now
            if resource["billed_seconds"] or now
            else "-"
        )
        cells = (
            kind_name(resource["kind"]),
            name_of(resource["id"]),
            _utc(resource["created"]),
            billed,
        )
        table.add_row(*cells)
    head = Text(f"virtual time {_utc(account['now'])}, {len(account['requests'])} requests so far")
    return Group(head, Text(""), table if account["resources"] else Text("no resources"))


def as_json(account: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON document."""
    return {"schema": "ccgpu.fake/1", **account}


def added_as_text(added: Sequence[Added]) -> RenderableType:
    """A row for each added resource; a group made automatically names the resource in it."""
    table = RowTable("ADDED", "NAME", "GROUP")
    for id_, kind, made_for in added:
        name = name_of(id_)
        if made_for is not None:
            name += f" (was missing: made for {name_of(made_for)})"
        table.add_row(kind_name(kind), name, _group_in(id_))
    return table


def _group_in(id_: str) -> str:
    parts = id_.split("/")
    return parts[4] if len(parts) > 5 and parts[3].lower() == "resourcegroups" else "-"


def added_as_json(added: Sequence[Added], account: Mapping[str, Any]) -> dict[str, Any]:
    """The document of `fake show` with the added resources."""
    rows = [{"id": id_, "kind": kind, "made_for": why} for id_, kind, why in added]
    return {**as_json(account), "added": rows}


def _utc(time: str) -> str:
    """An RFC 3339 time in whole seconds."""
    return f"{time[:19]}Z"
