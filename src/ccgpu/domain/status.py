"""What a deployment is doing, from what Azure says of its VM.

Provisioned is not ready: right after `Succeeded` the guest may still boot. `ready` needs a
running VM whose agent has reported in; it says nothing about trust.
"""

from enum import StrEnum
from typing import Any

from ccgpu.domain.resource import Body, state_of


class State(StrEnum):
    """The states of a deployment that can be told from Azure alone."""

    CREATING = "creating"
    BOOTING = "booting"
    READY = "ready"
    STOPPED = "stopped"
    FAILED = "failed"
    DELETING = "deleting"


def state(vm: Body | None) -> State:
    """The state of the deployment whose VM this is (a GET with `$expand=instanceView`).

    Without a VM a deployment is still (or again) `creating`: its network is there first.
    """
    if vm is None:
        return State.CREATING
    match state_of(vm):
        case "Succeeded" | "Updating" | "Canceled":
            return _running(vm)
        case "Failed":
            return State.FAILED
        case "Deleting":
            return State.DELETING
        case _:
            return State.CREATING


def power(vm: Body) -> str | None:
    """The power state without its prefix: running, stopped, deallocated."""
    for status in _view(vm).get("statuses") or ():
        kind, _, value = status.get("code", "").partition("/")
        if kind == "PowerState":
            return str(value)
    return None


def _running(vm: Body) -> State:
    found = power(vm)
    if found in ("stopped", "stopping", "deallocated", "deallocating"):
        return State.STOPPED  # a VM that Azure has just made says so too, for some seconds
    return State.READY if found == "running" and _agent_ready(vm) else State.BOOTING


def _agent_ready(vm: Body) -> bool:
    statuses = (_view(vm).get("vmAgent") or {}).get("statuses") or ()
    return any(one.get("displayStatus") == "Ready" for one in statuses)


def _view(vm: Body) -> dict[str, Any]:
    return (vm.get("properties") or {}).get("instanceView") or {}
