"""The workloads of a VM, as text and as JSON."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.plain_text import one_line
from ccgpu.guest.listed_workload import ListedWorkload
from ccgpu.guest.workload_answers import GuestWorkload
from ccgpu.scheduling.clock import rfc3339
from ccgpu.views.tables import RowTable

_STOPPED = "stopped by a reboot"


def list_as_text(
    deployment: str, found: Sequence[ListedWorkload], *, complete: Callable[[str], str]
) -> RenderableType:
    """One line for each workload, then how to start those that a reboot has stopped."""
    if not found:
        return Text("no workloads")
    table = RowTable("name", "state", "since", "restarts", "port", "image", style="none")
    for one in found:
        table.add_row(*map(one_line, _cells(one)))
    hints = [Text(complete(text)) for one in found if (text := _again(deployment, one))]
    return Group(table, *([Text(), *hints] if hints else []))


def _cells(one: ListedWorkload) -> tuple[str, ...]:
    seen, record = one.seen, one.record
    ports = ", ".join(map(str, record.ports)) if record is not None else ""
    if seen is None:
        began = record.started_at if record is not None else ""
        return (one.name, _STOPPED, began, "", ports, "")
    code = "" if seen.exit_code is None else f" ({seen.exit_code})"
    state = f"{seen.state}{code}"
    return (one.name, state, _moment(seen.since), str(seen.restarts), ports, seen.image)


def _again(deployment: str, one: ListedWorkload) -> str | None:
    """How to start a workload again that a reboot has stopped."""
    if one.seen is not None or one.record is None:
        return None
    command = one.record.command(deployment) or f"ccgpu run {deployment}"
    return f"{one.name} was stopped by a reboot: `{command}` starts it after a new verdict"


def list_as_json(deployment: str, found: Sequence[ListedWorkload]) -> dict[str, Any]:
    """The JSON document. A workload that a reboot has stopped has the state `stopped-by-reboot`."""
    return {
        "schema": "ccgpu.workloads/1",
        "name": deployment,
        "workloads": [_fields(deployment, one) for one in found],
    }


def _fields(deployment: str, one: ListedWorkload) -> dict[str, Any]:
    seen, record = one.seen, one.record
    return {
        "name": one.name,
        "state": "stopped-by-reboot" if seen is None else seen.state,
        "exit_code": None if seen is None else seen.exit_code,
        "since": None if seen is None else _moment(seen.since),
        "restarts": None if seen is None else seen.restarts,
        "image": None if seen is None else seen.image,
        "image_digest": None if seen is None else seen.image_digest,
        "kind": None if record is None else record.kind,
        "ports": [] if record is None else [*record.ports],
        "command": None if record is None else record.command(deployment),
    }


def stopped_as_text(deployment: str, stopped: GuestWorkload) -> RenderableType:
    """That the workload was stopped."""
    return Text(one_line(f"{stopped.name} of {deployment} is stopped"))


def stopped_as_json(deployment: str, stopped: GuestWorkload) -> dict[str, Any]:
    """The JSON document of a workload that was stopped."""
    return {
        "schema": "ccgpu.workload-stopped/1",
        "name": deployment,
        "workload": {
            "name": stopped.name,
            "state": stopped.state,
            "exit_code": stopped.exit_code,
            "since": _moment(stopped.since),
            "restarts": stopped.restarts,
            "image": stopped.image,
            "image_digest": stopped.image_digest,
        },
    }


def _moment(seconds: float) -> str:
    """Unix seconds as RFC 3339, in whole seconds."""
    return rfc3339(int(seconds))
