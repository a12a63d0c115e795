"""Virtual machines: PUT, GET, PATCH, DELETE, and how those operations end.

A create that is accepted takes its quota, its place and its dependents at once; if there is no
place, the operation fails later and leaves the VM in `Failed`, with its dependents.
"""

from typing import Any

from ccgpu.fakearm import capacity, kinds, lag, operations
from ccgpu.fakearm.call import (
    IN_GROUP,
    IN_SUBSCRIPTION,
    Call,
    Route,
    Routes,
    accepted,
    check_preconditions,
    paged,
    require_group,
    tags_of,
)
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.vm import body, confidential, disks, identity, network, power, rules, update
from ccgpu.fakearm.vm.view import body_of, instance_view
from ccgpu.fakearm.wire import Answer, Body, FakeGap
from ccgpu.fakearm.world import Ref, Resource, World


def put(call: Call) -> Answer:
    rules.check_name(call.names[2])
    wanted = tracked.draft(call, kinds.VM)
    rules.check_known(wanted)
    if wanted.existing is not None:
        return _update(call, wanted.existing, wanted)
    vm = _new(call.world, wanted)
    failure = _attempt(call.world, vm)
    return _started(call, 201, vm, failure, retry_after=10)


def _new(world: World, wanted: tracked.Draft) -> Resource:
    size = rules.check_size(world, wanted)
    rules.check_sign_in(wanted)
    image = confidential.check(world, wanted, size)
    identity.check(world, wanted)
    properties = body.build(world, wanted, image)
    vm = tracked.resource_of(world, kinds.VM, wanted, properties, "Creating")
    disks.check(world, vm, size)
    spot = wanted.properties.get("priority") == "Spot"
    capacity.check_quota(world, size, wanted.location, spot=spot)
    nics = network.attach(world, wanted, size)
    if "networkInterfaces" in wanted.properties["networkProfile"]:
        vm.properties["networkProfile"]["networkInterfaces"] = nics
    if vm.body.get("identity"):
        identity.give(world, vm, vm.body["identity"])
    vm.hidden = {"secrets": body.secrets(wanted), "nics": nics, "power": "unknown", "disks": []}
    capacity.register(world, vm, size, spot=spot)
    return vm


def _attempt(world: World, vm: Resource) -> Body | None:
    """Look for a place, and make the disks; answers how the create will fail, if it will."""
    failure = capacity.allocate(world, vm)
    if not vm.hidden["disks"] and (
        failure is None or world.settings.at("failed_create_leaves_disk")
    ):
        vm.hidden["disks"] = disks.make(world, vm)
    world.save(vm)
    world.refer(vm, _refs(vm))
    return failure


def _started(
    call: Call, status: int, vm: Resource, failure: Body | None, *, retry_after: int | None
) -> Answer:
    name = "vm.create.encrypted" if confidential.encrypts_disk(vm.properties) else "vm.create"
    seconds = call.world.seconds("vm.fail" if failure else name)
    operation = operations.begin(call.world, "vm.create", vm, seconds, failure=failure)
    return accepted(call, status, operation, vm.body, retry_after=retry_after)


def _refs(vm: Resource) -> list[Ref]:
    refs = [Ref(one["id"], vm.id, vm.key, "vm-nic") for one in vm.hidden["nics"]]
    key = rules.part(
        vm.properties,
        "storageProfile",
        "osDisk",
        "managedDisk",
        "securityProfile",
        "diskEncryptionSet",
        "id",
    )
    return refs + ([Ref(key, vm.id, vm.key, "vm-des")] if key else [])


def _update(call: Call, vm: Resource, wanted: tracked.Draft) -> Answer:
    """A PUT of what exists: a failed create is tried again, the rest takes what may change."""
    changed = update.change(call, vm, wanted)
    if vm.hidden["power"] == "unknown":
        vm.state = "Creating"
        vm.hidden.pop("failure", None)
        return _started(call, 200, vm, _attempt(call.world, vm), retry_after=None)
    if not changed and vm.state == "Succeeded":
        told = body_of(vm)  # recorded: nothing to wait for
        return Answer(200, told, {"ETag": told["etag"]})
    return _written(call, vm)


def _written(call: Call, vm: Resource) -> Answer:
    vm.state = "Updating"
    call.world.save(vm)
    operation = operations.begin(call.world, "vm.update", vm, call.world.seconds("vm.update"))
    return accepted(call, 200, operation, body_of(vm))


def created(world: World, operation: Operation, vm: Resource) -> Body | None:
    vm.properties["networkProfile"]["networkInterfaces"] = vm.hidden["nics"]
    failure: Body | None = operation.data["failure"]
    if vm.hidden["disks"]:
        disks.tell(vm, vm.hidden["disks"])
    if failure is None:
        power.boot(world, vm)
        return tracked.succeeded(world, operation, vm)
    vm.state = "Failed"
    vm.hidden["failure"] = failure
    world.save(vm)
    for one in vm.hidden["nics"]:
        _reserve(world, one["id"], vm)
    return failure


def _reserve(world: World, nic_id: str, vm: Resource) -> None:
    """An interface named in a failed create is kept for that VM for a while."""
    nic = world.need(nic_id)
    nic.hidden["reservedUntil"] = world.at + world.seconds("nic.reserved")
    nic.hidden["reservedFor"] = vm.id
    world.save(nic)


def patch(call: Call) -> Answer:
    vm = tracked.require(call, kinds.VM)
    require_group(call, write=True)
    given = call.body()
    check_preconditions(call, vm, vm.id)
    tracked.refuse_while_busy(call, vm)
    wanted = tracked.Draft(vm.id, vm.name, vm.location, tags_of(given), given, vm)
    update.change(call, vm, wanted, merge=True)
    return _written(call, vm)


def delete(call: Call) -> Answer:
    """Takes the place of whatever runs on the VM, a create too."""
    require_group(call)
    vm = call.world.find(call.id_of(kinds.VM))
    if vm is None:
        return Answer(204)
    check_preconditions(call, vm, vm.id)
    running = operations.pending(call.world, vm.key)
    operation = next((one for one in running if one.action == "vm.delete"), None)
    if operation is None:
        operations.preempt(call.world, vm)
        vm.state = "Deleting"
        call.world.save(vm)
        forced = call.query.get("forceDeletion", "").lower() == "true"
        seconds = call.world.seconds("vm.delete.forced" if forced else "vm.delete")
        operation = operations.begin(call.world, "vm.delete", vm, seconds)
    return accepted(call, 202, operation, None, retry_after=10)


def deleted(world: World, _: Operation, vm: Resource) -> Body | None:
    """With it goes what is marked Delete; an interface takes its address along the same way."""
    world.remove(vm)
    disks.leave(world, vm)
    for one in vm.hidden["nics"]:
        if rules.part(one, "properties", "deleteOption") != "Delete":
            continue
        nic = world.need(one["id"])
        world.remove(nic)
        for configuration in nic.properties["ipConfigurations"]:
            _remove_address(world, configuration["properties"].get("publicIPAddress"))
    return None


def _remove_address(world: World, public: Any) -> None:
    if rules.part(public, "properties", "deleteOption") == "Delete":
        world.remove(world.need(public["id"]))


def get(call: Call) -> Answer:
    vm = tracked.require(call, kinds.VM)
    shown = _expanded(call, vm)
    return Answer(200, shown, {"ETag": shown["etag"]})


def _expanded(call: Call, vm: Resource) -> Body:
    expand = call.query.get("$expand")
    shown = body_of(vm)
    if expand is None:
        return shown
    if expand != "instanceView":
        raise FakeGap(f"$expand={expand}")
    told = instance_view(call.world, vm)
    return {**shown, "properties": {**shown["properties"], "instanceView": told}}


def list_(call: Call) -> Answer:
    if len(call.names) > 1:
        require_group(call)
    found = lag.listed(call.world, kinds.VM, *call.names[1:])
    return paged(call, [_expanded(call, vm) for vm in found])


def get_instance_view(call: Call) -> Answer:
    return Answer(200, instance_view(call.world, tracked.require(call, kinds.VM)))


_ONE, _API = f"{IN_GROUP}{kinds.VM.lower()}/*", kinds.COMPUTE_API
_LISTED = Route(list_, _API, frozenset({"$expand", "$skiptoken"}))
ROUTES: Routes = {
    ("PUT", _ONE): Route(put, _API),
    ("GET", _ONE): Route(get, _API, frozenset({"$expand"})),
    ("PATCH", _ONE): Route(patch, _API),
    ("DELETE", _ONE): Route(delete, _API, frozenset({"forceDeletion"})),
    ("GET", f"{_ONE}/instanceview"): Route(get_instance_view, _API),
    ("GET", f"{IN_GROUP}{kinds.VM.lower()}"): _LISTED,
    ("GET", f"{IN_SUBSCRIPTION}{kinds.VM.lower()}"): _LISTED,
    **power.ROUTES,
}
FINISHERS = {"vm.create": created, "vm.delete": deleted, **power.FINISHERS}
