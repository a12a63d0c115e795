"""Stops a workload: its container ends within its time, and then nothing of it is left."""

from typing import Any

from ccgpu.templates.guest.workload.base import Vm, WorkloadError, complaint, locked_name
from ccgpu.templates.guest.workload.images import engine
from ccgpu.templates.guest.workload.request import Request
from ccgpu.templates.guest.workload.units import (
    ENDED,
    public,
    remove_unit,
    state_of,
    systemctl,
    unit_of,
)

MOST_SECONDS = 3700.0  # the unit's own limit, at most 3,630, comes first


def stop(vm: Vm, request: Request) -> dict[str, Any]:
    """Stop a workload, and remove it."""
    name = request.name
    with locked_name(vm, name):
        return {"workload": stop_workload(vm, name)}


def stop_workload(vm: Vm, name: str) -> dict[str, Any]:
    """Stop a workload whose lock is held; its last state."""
    before = state_of(vm, name)
    systemctl(vm, "stop", unit_of(name), code="stop.failed", seconds=MOST_SECONDS)
    require_gone(vm, name)
    there = state_of(vm, name)
    remove_unit(vm, name)
    if before["state"] in ENDED:  # it had ended by itself
        return public(before)
    return public({**there, "state": "stopped", "exit_code": there["last_exit_code"]})


def require_gone(vm: Vm, name: str) -> None:
    """Remove the container if it is still there, and see that it is not."""
    container = f"ccgpu-{name}"
    words = ("ps", "--all", "--quiet", "--filter", f"name=^{container}$")
    if not engine(vm, *words).stdout.strip():
        return
    removed = engine(vm, "rm", "--force", container)
    left = engine(vm, *words)
    if left.returncode != 0 or left.stdout.strip():
        raise WorkloadError("stop.failed", f"{container} is still there: {complaint(removed)}")
