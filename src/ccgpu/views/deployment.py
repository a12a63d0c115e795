"""One deployment, or the list of deployments, as text and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.attestation import CurrentAttestation
from ccgpu.domain.deployment import Deployment
from ccgpu.domain.measured_record import MeasuredRecord
from ccgpu.domain.plain_text import one_line
from ccgpu.domain.resource import key, name_of, own_group
from ccgpu.views import price as prices
from ccgpu.views.signs import kind_name
from ccgpu.views.tables import Grid, RowTable
from ccgpu.views.times import remaining_text, utc_time


def as_text(deployment: Deployment, *, simulated: bool) -> RenderableType:
    """One deployment: its facts, then its resources."""
    owned = Grid()
    for resource in deployment.resources:
        owned.add_row(
            "",
            kind_name(resource.kind),
            Text(name_of(resource.id)),
            resource.provisioning_state or "",
        )
    return Group(facts(deployment, simulated=simulated), Text("\nresources:"), owned)


def facts(deployment: Deployment, *, simulated: bool) -> Grid:
    """A table with a row for each known fact of the deployment."""
    place = deployment.region and (
        f"{deployment.region}, zone {deployment.zone}" if deployment.zone else deployment.region
    )
    rows = {
        "name": deployment.name,
        "state": _state_text(deployment),
        "attestation": _attestation_text(deployment.attestation),
        "verdict age": _age_text(deployment.attestation),
        "measured image": deployment.measured
        and f"SHA-256 {deployment.measured.manifest_sha256} ({deployment.measured.manifest})",
        "config": deployment.measured
        and f"SHA-256 {deployment.measured.config_sha256} ({deployment.measured.config_file})",
        "stage": deployment.stage
        and f"{deployment.stage} (`ccgpu create {deployment.name}` continues)",
        "region": place,
        "size": deployment.size and deployment.size + (" (Spot)" if deployment.spot else ""),
        "group": deployment.resource_group,
        "public IP": deployment.public_ip,
        "private IP": deployment.private_ip,
        "VM id": deployment.vm_id,
        "expires": _expiry_text(deployment),
        "price": deployment.price and deployment.price.summary,
        "simulated": "yes: no Azure resource exists, and nothing bills" if simulated else None,
    }
    table = Grid()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(value))
    return table


def list_as_text(deployments: Sequence[Deployment]) -> RenderableType:
    """A row for each deployment. Groups are named only if one is not named after its deployment.

    So rows of deployments with a lease fit into 80 columns.
    """
    if not deployments:
        return Text("no deployments")
    with_groups = any(key(one.resource_group) != own_group(one.name) for one in deployments)
    groups = ["GROUP"] if with_groups else []
    table = RowTable(
        "NAME", "STATE", "REGION", "SIZE", "USD/H", "SPENT", "EXPIRES", "LEFT", *groups
    )
    for deployment in deployments:
        size = deployment.size and deployment.size.removeprefix("Standard_")
        place = (deployment.region, size)
        cells = (
            deployment.name,
            deployment.state,
            *place,
            *_costs(deployment),
            _end(deployment.expires),
            _remaining(deployment),
            *([deployment.resource_group] if with_groups else []),
        )
        table.add_row(*(one_line(cell or "-") for cell in cells))
    return table


def _end(expires: str | None) -> str | None:
    """A time that may be wrapped between date and time of day; any other text as it is."""
    return expires if utc_time(expires) is None else str(expires).replace("T", " ")


def _costs(deployment: Deployment) -> tuple[str | None, str | None]:
    """US dollars an hour, and since the VM was created, if it ran all the time."""
    hourly = None if deployment.price is None else deployment.price.hourly
    spent = deployment.spent_at_most
    return (
        None if hourly is None else f"{hourly:.2f}",
        None if spent is None else f"<= {spent:.2f}",
    )


def as_json(deployment: Deployment, *, simulated: bool) -> dict[str, Any]:
    """The JSON document of one deployment."""
    document = {"schema": "ccgpu.show/1"} | fields(deployment, simulated=simulated)
    return document | {"untagged_vm": deployment.untagged_vm}


def fields(deployment: Deployment, *, simulated: bool) -> dict[str, Any]:
    """The deployment's fields in a JSON document."""
    return {
        "name": deployment.name,
        "state": deployment.shown_state,
        "stage": deployment.stage,
        "region": deployment.region,
        "zone": deployment.zone,
        "size": deployment.size,
        "resource_group": deployment.resource_group,
        "vm_id": deployment.vm_id,
        "public_ip": deployment.public_ip,
        "private_ip": deployment.private_ip,
        "expires": utc_time(deployment.expires),
        "hourly_usd": prices.number(deployment.price.hourly) if deployment.price else None,
        "spent_usd_at_most": prices.number(deployment.spent_at_most),
        "price": deployment.price and prices.document(deployment.price),
        "resources": [
            {"id": resource.id, "kind": resource.kind.value, "state": resource.provisioning_state}
            for resource in deployment.resources
        ],
        "attestation": _attestation(deployment.attestation),
        "measured": _measured(deployment.measured),
        "simulated": simulated,
    }


# Fields that would take more requests: `show` has them, `list` does not.
_ONLY_SHOWN = (
    *("stage", "public_ip", "private_ip", "price", "attestation", "measured", "resources"),
)


def list_as_json(deployments: Sequence[Deployment], *, simulated: bool) -> dict[str, Any]:
    """The JSON document of the list, without the fields that only `show` has."""
    rows = []
    for deployment in deployments:
        known = fields(deployment, simulated=simulated)
        row = {name: value for name, value in known.items() if name not in _ONLY_SHOWN}
        owned = [{"id": each.id, "kind": each.kind.value} for each in deployment.resources]
        rows.append(row | {"seconds_left": deployment.seconds_left, "resources": owned})
    return {"schema": "ccgpu.list/1", "deployments": rows}


def _expiry_text(deployment: Deployment) -> str | None:
    expires, remaining = deployment.expires and one_line(deployment.expires), _remaining(deployment)
    if remaining is None:
        return expires
    return f"{expires} (expired)" if remaining == "expired" else f"{expires} ({remaining} left)"


def _remaining(deployment: Deployment) -> str | None:
    return None if deployment.seconds_left is None else remaining_text(deployment.seconds_left)


def _state_text(deployment: Deployment) -> str:
    """The state, with a warning if the VM is stopped but not deallocated."""
    if deployment.power == "stopped":
        return f"{deployment.state} (not deallocated: it bills)"
    return deployment.shown_state


def _attestation(known: CurrentAttestation | None) -> dict[str, Any] | None:
    if known is None:
        return None
    return {
        "verdict": known.verdict,
        "time": known.at,
        "age_seconds": known.age,
        "until": known.until,
        "policy": known.policy,
        "reasons": list(known.reasons),
        "bundle": known.bundle,
    }


def _measured(known: MeasuredRecord | None) -> dict[str, Any] | None:
    if known is None:
        return None
    return {
        "manifest": known.manifest,
        "manifest_sha256": known.manifest_sha256,
        "config": known.config_file,
        "config_sha256": known.config_sha256,
    }


def _attestation_text(known: CurrentAttestation | None) -> str | None:
    if known is None:
        return None
    reasons = f": {', '.join(known.reasons)}" if known.reasons else ""
    return one_line(f"{known.verdict} by policy {known.policy} at {known.at}{reasons}")


def _age_text(known: CurrentAttestation | None) -> str | None:
    if known is None:
        return None
    until = "" if known.until is None else f", counts until {known.until} at the latest"
    return f"{remaining_text(max(known.age, 1))}{until}"
