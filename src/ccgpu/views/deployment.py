"""Deployments, one or all, for people and for scripts."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ccgpu.domain.deployment import Deployment
from ccgpu.domain.resource import name_of
from ccgpu.views.signs import kind_name, one_line
from ccgpu.views.times import remaining_text


def as_text(deployment: Deployment, *, simulated: bool) -> RenderableType:
    """One deployment: its facts, then its resources."""
    owned = Table.grid(padding=(0, 2))
    for one in deployment.resources:
        owned.add_row("", kind_name(one.kind), Text(name_of(one.id)), one.provisioning_state or "")
    return Group(facts(deployment, simulated=simulated), Text("\nresources:"), owned)


def facts(deployment: Deployment, *, simulated: bool) -> Table:
    """What is known of the deployment, a line each; what is not known has none."""
    place = deployment.region and (
        f"{deployment.region}, zone {deployment.zone}" if deployment.zone else deployment.region
    )
    rows = {
        "name": deployment.name,
        "state": _state(deployment),
        "stage": deployment.stage
        and f"{deployment.stage} (`ccgpu create {deployment.name}` continues)",
        "region": place,
        "size": deployment.size and deployment.size + (" (Spot)" if deployment.spot else ""),
        "group": deployment.resource_group,
        "public IP": deployment.public_ip,
        "private IP": deployment.private_ip,
        "VM id": deployment.vm_id,
        "expires": _expiry(deployment),
        "simulated": "yes: no Azure resource exists, and nothing bills" if simulated else None,
    }
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(value))
    return table


def list_as_text(deployments: Sequence[Deployment]) -> RenderableType:
    """A line a deployment."""
    if not deployments:
        return Text("no deployments")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("NAME", "STATE", "REGION", "SIZE", "EXPIRES", "LEFT", "GROUP"):
        table.add_column(heading, overflow="fold")
    for one in deployments:
        size = one.size and one.size.removeprefix("Standard_")
        place = (one.region, size)
        cells = (one.name, one.state, *place, one.expires, _left(one), one.resource_group)
        table.add_row(*(Text(one_line(cell or "-")) for cell in cells))
    return table


def as_json(deployment: Deployment, *, simulated: bool) -> dict[str, Any]:
    """The stable form of one deployment."""
    return {"schema": "ccgpu.show/1"} | fields(deployment, simulated=simulated)


def fields(deployment: Deployment, *, simulated: bool) -> dict[str, Any]:
    """What scripts get of a deployment."""
    return {
        "name": deployment.name,
        "state": deployment.state.value,
        "stage": deployment.stage,
        "region": deployment.region,
        "zone": deployment.zone,
        "size": deployment.size,
        "resource_group": deployment.resource_group,
        "vm_id": deployment.vm_id,
        "public_ip": deployment.public_ip,
        "private_ip": deployment.private_ip,
        "expires": deployment.expires,
        "hourly_usd": None,
        "resources": [
            {"id": one.id, "kind": one.kind.value, "state": one.provisioning_state}
            for one in deployment.resources
        ],
        "attestation": None,
        "simulated": simulated,
    }


# What a list does not ask Azure for.
_ONLY_SHOWN = ("stage", "public_ip", "private_ip", "hourly_usd", "attestation", "resources")


def list_as_json(deployments: Sequence[Deployment], *, simulated: bool) -> dict[str, Any]:
    """The stable form of the list; what takes further requests stands in `show` alone."""
    rows = []
    for one in deployments:
        known = fields(one, simulated=simulated)
        row = {name: value for name, value in known.items() if name not in _ONLY_SHOWN}
        owned = [{"id": each.id, "kind": each.kind.value} for each in one.resources]
        rows.append(row | {"seconds_left": one.seconds_left, "resources": owned})
    return {"schema": "ccgpu.list/1", "deployments": rows}


def _expiry(deployment: Deployment) -> str | None:
    told, rest = deployment.expires and one_line(deployment.expires), _left(deployment)
    if rest is None:
        return told
    return f"{told} (expired)" if rest == "expired" else f"{told} ({rest} left)"


def _left(deployment: Deployment) -> str | None:
    return None if deployment.seconds_left is None else remaining_text(deployment.seconds_left)


def _state(deployment: Deployment) -> str:
    """The state; that a stopped VM bills until it is deallocated is worth a word."""
    if deployment.power == "stopped":
        return f"{deployment.state} (not deallocated: it bills)"
    return deployment.state.value
