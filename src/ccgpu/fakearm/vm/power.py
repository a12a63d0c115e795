"""Start, stop, restart, reapply: what moves a VM's power state, its place in Azure, and its bill.

Deallocating ends the bill and gives the place back; powering off does neither.
"""

from functools import partial

from ccgpu.fakearm import capacity, compute_errors, kinds, operations
from ccgpu.fakearm.call import IN_GROUP, Call, Route, Routes, accepted, require_group
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.vm import view
from ccgpu.fakearm.wire import Answer, Body
from ccgpu.fakearm.world import Resource, World

_ON_THE_WAY: dict[str, str | None] = {
    "start": "starting",
    "restart": "running",
    "deallocate": "deallocating",
    "powerOff": "stopping",
    "reapply": None,
}


def act(action: str, call: Call) -> Answer:
    vm = tracked.require(call, kinds.VM)
    require_group(call, write=True)
    tracked.refuse_while_busy(call, vm)
    failure = _failure_of(call.world, action, vm)
    view.remember_agent(call.world, vm)
    vm.state = "Updating"
    if failure is None:
        vm.hidden["power"] = _ON_THE_WAY[action] or vm.hidden["power"]
    call.world.save(vm)
    seconds = call.world.seconds("vm", action)
    operation = operations.begin(call.world, f"vm.{action}", vm, seconds, failure=failure)
    after = None if action in ("restart", "powerOff") else 10  # recorded
    return accepted(call, 202, operation, None, retry_after=after)


def _failure_of(world: World, action: str, vm: Resource) -> Body | None:
    """A start needs a place again; a restart needs one that it still has."""
    if action == "start" and not capacity.allocated(world, vm):
        return capacity.allocate(world, vm)
    if action == "restart" and vm.hidden["power"] != "running":
        raise compute_errors.operation_not_allowed(
            f"Cannot restart VM '{vm.name}' because it is not running."
        )
    return None


def started(world: World, operation: Operation, vm: Resource) -> Body | None:
    failure: Body | None = operation.data["failure"]
    if failure:
        return failed(world, vm, failure)
    boot(world, vm)
    return succeeded(world, operation, vm)


def failed(world: World, vm: Resource, failure: Body) -> Body:
    """The VM stays what it was, and is `Failed` until an operation on it ends well."""
    vm.state = "Failed"
    vm.hidden["failure"] = failure
    world.save(vm)
    return failure


def succeeded(world: World, operation: Operation, vm: Resource) -> Body | None:
    """The end of what went well: a VM that has run once is no longer `Failed`."""
    if vm.hidden["power"] == "unknown" and "failure" in vm.hidden:
        vm.state = "Failed"  # it has never run: writing to it does not mend that
        world.save(vm)
        return None
    vm.hidden.pop("failure", None)
    return tracked.succeeded(world, operation, vm)


def reapplied(world: World, operation: Operation, vm: Resource) -> Body | None:
    """The VM's state is applied anew; what has never run fails again."""
    if vm.hidden["power"] == "unknown" and "failure" in vm.hidden:
        failure: Body = vm.hidden["failure"]
        return failed(world, vm, failure)
    return succeeded(world, operation, vm)


def boot(world: World, vm: Resource) -> None:
    """From now on it runs; its agent takes a while."""
    vm.hidden["power"] = "running"
    _tell_disks(world, vm, "Attached")
    vm.hidden["bootedAt"] = world.at
    vm.hidden["readyAt"] = world.at + world.seconds("vm.boot")


def _tell_disks(world: World, vm: Resource, state: str) -> None:
    for id_ in vm.hidden["disks"]:
        if disk := world.find(id_):
            disk.properties["diskState"] = state
            world.save(disk)


def deallocated(world: World, operation: Operation, vm: Resource) -> Body | None:
    vm.hidden["power"] = "deallocated"
    _tell_disks(world, vm, "Reserved")
    capacity.release(world, vm)
    return succeeded(world, operation, vm)


def stopped(world: World, operation: Operation, vm: Resource) -> Body | None:
    vm.hidden["power"] = "stopped"
    return succeeded(world, operation, vm)


_ONE = f"{IN_GROUP}{kinds.VM.lower()}/*"
ROUTES: Routes = {
    ("POST", f"{_ONE}/{action.lower()}"): Route(
        partial(act, action),
        kinds.COMPUTE_API,
        frozenset({"skipShutdown"} if action == "powerOff" else ()),
    )
    for action in _ON_THE_WAY
}
FINISHERS = {
    "vm.start": started,
    "vm.restart": started,
    "vm.deallocate": deallocated,
    "vm.powerOff": stopped,
    "vm.reapply": reapplied,
    "vm.update": succeeded,
}
