"""Start, stop, restart, reapply: the power state of a VM, its capacity and its bill.

Deallocating ends the bill and frees capacity. Powering off does neither.
"""

from functools import partial

from ccgpu.fakearm import capacity, compute_errors, kinds, operations
from ccgpu.fakearm.call import IN_GROUP, ArmCall, Route, Routes, accepted_response, require_group
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.vm import inside, view
from ccgpu.fakearm.wire import Body, Response
from ccgpu.fakearm.world import StoredResource, World

_TRANSITIONAL_STATES: dict[str, str | None] = {
    "start": "starting",
    "restart": "running",
    "deallocate": "deallocating",
    "powerOff": "stopping",
    "reapply": None,
}

_SHUT_DOWN = ("restart", "deallocate", "powerOff")


def change_power(action: str, call: ArmCall) -> Response:
    vm = tracked.require(call, kinds.VM)
    require_group(call, write=True)
    tracked.refuse_while_busy(call, vm)
    failure = _allocation_failure(call.world, action, vm)
    view.record_agent_report(call.world, vm)
    if action in _SHUT_DOWN:
        inside.end_boot(call.world, vm)
    vm.state = "Updating"
    if failure is None:
        vm.internal_state["power"] = _TRANSITIONAL_STATES[action] or vm.internal_state["power"]
    call.world.save(vm)
    seconds = call.world.duration("vm", action)
    operation = operations.begin(call.world, f"vm.{action}", vm, seconds, failure=failure)
    after = None if action in ("restart", "powerOff") else 10  # recorded
    return accepted_response(call, 202, operation, None, retry_after=after)


def _allocation_failure(world: World, action: str, vm: StoredResource) -> Body | None:
    """A start must allocate the VM again. A restart needs a running VM."""
    if action == "start" and not capacity.is_allocated(world, vm):
        return capacity.allocate(world, vm)
    if action == "restart" and vm.internal_state["power"] != "running":
        raise compute_errors.operation_not_allowed(
            f"Cannot restart VM '{vm.name}' because it is not running."
        )
    return None


def finish_start(world: World, operation: Operation, vm: StoredResource) -> Body | None:
    failure: Body | None = operation.data["failure"]
    if failure:
        return mark_failed(world, vm, failure)
    boot(world, vm)
    return finish_update(world, operation, vm)


def mark_failed(world: World, vm: StoredResource, failure: Body) -> Body:
    """The VM becomes `Failed` until an operation on it succeeds."""
    vm.state = "Failed"
    vm.internal_state["failure"] = failure
    vm.internal_state["changedAt"] = world.now
    world.save(vm)
    return failure


def finish_update(world: World, operation: Operation, vm: StoredResource) -> Body | None:
    """End a successful operation. A VM that has run before is no longer `Failed`."""
    if vm.internal_state["power"] == "unknown" and "failure" in vm.internal_state:
        vm.state = "Failed"  # it never ran; an update does not repair that
        vm.internal_state["changedAt"] = world.now
        world.save(vm)
        return None
    vm.internal_state.pop("failure", None)
    return tracked.finish_write(world, operation, vm)


def finish_reapply(world: World, operation: Operation, vm: StoredResource) -> Body | None:
    """End a reapply. A VM that never ran fails again."""
    if vm.internal_state["power"] == "unknown" and "failure" in vm.internal_state:
        failure: Body = vm.internal_state["failure"]
        return mark_failed(world, vm, failure)
    return finish_update(world, operation, vm)


def boot(world: World, vm: StoredResource) -> None:
    """The VM runs from now on. Its agent reports later."""
    vm.internal_state["power"] = "running"
    _set_disk_states(world, vm, "Attached")
    vm.internal_state["readyAt"] = world.now + world.duration("vm.boot")
    inside.begin_boot(world, vm, vm.internal_state["readyAt"])


def _set_disk_states(world: World, vm: StoredResource, state: str) -> None:
    for id_ in vm.internal_state["disks"]:
        if disk := world.find(id_):
            disk.properties["diskState"] = state
            world.save(disk)


def finish_deallocate(world: World, operation: Operation, vm: StoredResource) -> Body | None:
    vm.internal_state["power"] = "deallocated"
    _set_disk_states(world, vm, "Reserved")
    capacity.release(world, vm)
    return finish_update(world, operation, vm)


def finish_power_off(world: World, operation: Operation, vm: StoredResource) -> Body | None:
    vm.internal_state["power"] = "stopped"
    return finish_update(world, operation, vm)


_ONE = f"{IN_GROUP}{kinds.VM.lower()}/*"
ROUTES: Routes = {
    ("POST", f"{_ONE}/{action.lower()}"): Route(
        partial(change_power, action),
        kinds.COMPUTE_API,
        frozenset({"skipShutdown"} if action == "powerOff" else ()),
    )
    for action in _TRANSITIONAL_STATES
}
FINISHERS = {
    "vm.start": finish_start,
    "vm.restart": finish_start,
    "vm.deallocate": finish_deallocate,
    "vm.powerOff": finish_power_off,
    "vm.reapply": finish_reapply,
    "vm.update": finish_update,
}
