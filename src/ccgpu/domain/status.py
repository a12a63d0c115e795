"""What a deployment is doing, from what Azure says of its VM and of what is around it.

Provisioned is not ready: right after `Succeeded` the guest may still boot. `ready` needs a
running VM whose agent has reported since its start; it says nothing about trust.
"""

from collections.abc import Iterable
from enum import StrEnum

from ccgpu.domain.catalog import Kind
from ccgpu.domain.lease import parse_moment
from ccgpu.domain.resource import Body, kind_of, state_of
from ccgpu.domain.vm_view import agent_statuses, instance_view, power_state


class State(StrEnum):
    """The states of a deployment that can be told from Azure alone."""

    CREATING = "creating"
    BOOTING = "booting"
    READY = "ready"
    STOPPED = "stopped"
    FAILED = "failed"
    DELETING = "deleting"
    LEFTOVERS = "leftovers"


AT_REST = ("Succeeded", "Failed", "Canceled")

# The instance view of a VM that was stopped goes on saying that its agent is ready (recordings);
# only the time of that is old. An update of a running VM has a new time too, and the agent, which
# reports about once a minute, has not reported since: no start is as short as that.
_AGENT_PERIOD = 60.0


def vm_state(vm: Body | None, around: Iterable[Body] = ()) -> State:
    """The state of the deployment whose VM this is (a GET with `$expand=instanceView`).

    `around`: the other resources of the deployment. Its network is made before its VM, so without
    a VM it is `creating` while one of them is; if all are at rest they are `leftovers`.
    """
    bodies = list(around)
    if any(kind_of(one["id"]) is Kind.GROUP and _is_being_deleted(one) for one in bodies):
        return State.DELETING  # and all that is in the group with it
    if vm is not None:
        return _state_of_vm(vm)
    if any(_is_being_deleted(one) for one in bodies):
        return State.DELETING
    resting = all(state_of(one) in AT_REST for one in bodies)
    return State.LEFTOVERS if resting else State.CREATING


def _state_of_vm(vm: Body) -> State:
    match state_of(vm):
        case "Succeeded" | "Updating" | "Canceled":
            return _is_running(vm)
        case "Failed":
            return State.FAILED
        case "Deleting":
            return State.DELETING
        case _:
            return State.CREATING


def _is_being_deleted(body: Body) -> bool:
    return state_of(body) in ("Deleting", "Deprovisioning")


def reported_since(vm: Body, start: float) -> bool:
    """Whether the guest's agent says that it is ready, and said so after `start` (Unix time).

    A status without a time says nothing of it, and is believed.
    """
    reports = agent_statuses(vm)
    times = [
        parse_moment(one.get("time")) for one in reports if one.get("displayStatus") == "Ready"
    ]
    return any(at is None or at >= start for at in times)


def _is_running(vm: Body) -> State:
    found = power_state(vm)
    if found in ("stopped", "stopping", "deallocated", "deallocating"):
        return State.STOPPED  # a VM that Azure has just made says so too, for some seconds
    ready = found == "running" and reported_since(vm, _last_change(vm) - _AGENT_PERIOD)
    return State.READY if ready else State.BOOTING


def _last_change(vm: Body) -> float:
    """When the last operation on the VM has ended: its start, if it was started."""
    statuses = instance_view(vm).get("statuses") or ()
    ended = [
        parse_moment(one.get("time"))
        for one in statuses
        if (one.get("code") or "").startswith("ProvisioningState/")
    ]
    return max((at for at in ended if at is not None), default=float("-inf"))
