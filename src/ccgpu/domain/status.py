"""The state of a deployment, derived from its VM and its other resources at Azure.

Right after `Succeeded` the guest may still boot. `ready` means that the VM runs and that its agent
has reported since the VM's start; a VM without an agent is ready once it runs. It says nothing
about trust.
"""

from collections.abc import Iterable
from enum import StrEnum

from ccgpu.domain.catalog import Kind
from ccgpu.domain.lease import parse_moment
from ccgpu.domain.resource import Body, kind_of, state_of
from ccgpu.domain.vm_view import agent_statuses, has_agent, instance_view, power_state


class State(StrEnum):
    """The states of a deployment that Azure's responses alone determine."""

    CREATING = "creating"
    BOOTING = "booting"
    READY = "ready"
    STOPPED = "stopped"
    FAILED = "failed"
    DELETING = "deleting"
    LEFTOVERS = "leftovers"


AT_REST = ("Succeeded", "Failed", "Canceled")

# The instance view of a stopped VM still shows its agent as ready, with an old time (recordings).
# An update of a running VM also changes the time of the last operation. The agent reports about
# once a minute, so a report up to a minute older than that operation still counts. No start of a
# VM takes less than a minute.
_AGENT_PERIOD = 60.0


def vm_state(vm: Body | None, around: Iterable[Body] = ()) -> State:
    """The state of a deployment.

    The network is created before the VM. Without a VM the deployment is `creating` while one of its
    resources changes, and `leftovers` otherwise.

    Args:
        vm: the body of the VM's GET with `$expand=instanceView`, or None.
        around: the bodies of the deployment's other resources.
    """
    bodies = list(around)
    if any(kind_of(body["id"]) is Kind.GROUP and _is_being_deleted(body) for body in bodies):
        return State.DELETING  # a group's deletion deletes all its resources
    if vm is not None:
        return _state_of_vm(vm)
    if any(_is_being_deleted(body) for body in bodies):
        return State.DELETING
    resting = all(state_of(body) in AT_REST for body in bodies)
    return State.LEFTOVERS if resting else State.CREATING


def _state_of_vm(vm: Body) -> State:
    match state_of(vm):
        case "Succeeded" | "Updating" | "Canceled":
            return _state_of_power(vm)
        case "Failed":
            return State.FAILED
        case "Deleting":
            return State.DELETING
        case _:
            return State.CREATING


def _is_being_deleted(body: Body) -> bool:
    return state_of(body) in ("Deleting", "Deprovisioning")


def reported_since(vm: Body, start: float) -> bool:
    """Whether the guest's agent has reported `Ready` at or after `start` (Unix time).

    A report without a time counts.
    """
    reports = agent_statuses(vm)
    times = [
        parse_moment(report.get("time"))
        for report in reports
        if report.get("displayStatus") == "Ready"
    ]
    return any(at is None or at >= start for at in times)


def _state_of_power(vm: Body) -> State:
    power = power_state(vm)
    if power in ("stopped", "stopping", "deallocated", "deallocating"):
        return State.STOPPED  # a new VM shows this too for some seconds
    since = last_change(vm) - _AGENT_PERIOD
    ready = power == "running" and (not has_agent(vm) or reported_since(vm, since))
    return State.READY if ready else State.BOOTING


def last_change(vm: Body) -> float:
    """The Unix time at which the last operation on the VM ended, such as its start."""
    statuses = instance_view(vm).get("statuses") or ()
    ended = [
        parse_moment(status.get("time"))
        for status in statuses
        if (status.get("code") or "").startswith("ProvisioningState/")
    ]
    return max((at for at in ended if at is not None), default=float("-inf"))
