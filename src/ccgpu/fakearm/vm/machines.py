"""Virtual machines: PUT, GET, PATCH, DELETE, and the end of their operations.

An accepted create takes quota, capacity and dependents at once. Without capacity the operation
fails later and leaves the VM in `Failed`, with its dependents.
"""

from functools import partial
from typing import Any

from ccgpu.fakearm import capacity, kinds, operations
from ccgpu.fakearm.call import (
    IN_GROUP,
    IN_SUBSCRIPTION,
    ArmCall,
    Route,
    Routes,
    accepted_response,
    check_preconditions,
    read_tags,
    require_group,
)
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.pages import resource_page
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.vm import (
    body,
    confidential,
    disks,
    identity,
    measured,
    network,
    power,
    rules,
    run_command,
    update,
)
from ccgpu.fakearm.vm.view import instance_view, vm_body
from ccgpu.fakearm.wire import Body, FakeGap, Response
from ccgpu.fakearm.world import Reference, StoredResource, World


def put(call: ArmCall) -> Response:
    rules.check_name(call.names[2])
    wanted = tracked.validate_put(call, kinds.VM)
    rules.check_known(wanted)
    if wanted.existing is not None:
        return _update_vm(call, wanted.existing, wanted)
    vm = _build_vm(call.world, wanted)
    failure = _allocate(call.world, vm)
    return _begin_create(call, 201, vm, failure, retry_after=10)


def _build_vm(world: World, wanted: tracked.PutRequest) -> StoredResource:
    size = rules.check_size(world, wanted)
    measured.check_user_data(wanted.properties.get("userData"))
    image = confidential.check_confidential(world, wanted, size)
    measured.check_os_profile(wanted, image)
    rules.check_sign_in(wanted)
    identity.check_identity(world, wanted)
    properties = body.build_properties(world, wanted, image)
    vm = tracked.build_resource(world, kinds.VM, wanted, properties, "Creating")
    disks.check_new_disks(world, vm, size)
    spot = wanted.properties.get("priority") == "Spot"
    capacity.check_quota(world, size, wanted.location, spot=spot)
    nics = network.attach_interfaces(world, wanted, size)
    if "networkInterfaces" in wanted.properties["networkProfile"]:
        vm.properties["networkProfile"]["networkInterfaces"] = nics
    if vm.body.get("identity"):
        identity.set_identity(world, vm, vm.body["identity"])
    vm.internal_state = {
        "secrets": body.write_only_hashes(wanted),
        "customData": rules.value_at(wanted.properties, "osProfile", "customData"),
        "userData": wanted.properties.get("userData"),
        **measured.boot_disk(
            world, wanted.properties["storageProfile"]["imageReference"], image.exact
        ),
        "nics": nics,
        "power": "unknown",
        "disks": [],
    }
    capacity.count_against_quota(world, vm, size, spot=spot)
    return vm


def _allocate(world: World, vm: StoredResource) -> Body | None:
    """Allocate the VM and create its disks. Returns the error that the create will end with."""
    failure = capacity.allocate(world, vm)
    if not vm.internal_state["disks"] and (
        failure is None or world.settings.value("failed_create_leaves_disk")
    ):
        vm.internal_state["disks"] = disks.make_disks(world, vm)
    world.save(vm)
    world.set_references(vm, _vm_references(vm))
    return failure


def _begin_create(
    call: ArmCall, status: int, vm: StoredResource, failure: Body | None, *, retry_after: int | None
) -> Response:
    name = "vm.create.encrypted" if confidential.encrypts_disk(vm.properties) else "vm.create"
    seconds = call.world.duration("vm.fail" if failure else name)
    operation = operations.begin(call.world, "vm.create", vm, seconds, failure=failure)
    return accepted_response(call, status, operation, vm.body, retry_after=retry_after)


def _vm_references(vm: StoredResource) -> list[Reference]:
    refs = [Reference(one["id"], vm.id, vm.key, "vm-nic") for one in vm.internal_state["nics"]]
    key = rules.value_at(
        vm.properties,
        "storageProfile",
        "osDisk",
        "managedDisk",
        "securityProfile",
        "diskEncryptionSet",
        "id",
    )
    return refs + ([Reference(key, vm.id, vm.key, "vm-des")] if key else [])


def _update_vm(call: ArmCall, vm: StoredResource, wanted: tracked.PutRequest) -> Response:
    """A PUT of an existing VM retries a failed create, or updates what may change."""
    changed = update.update_in_place(call, vm, wanted)
    if vm.internal_state["power"] == "unknown":
        vm.state = "Creating"
        vm.internal_state.pop("failure", None)
        return _begin_create(call, 200, vm, _allocate(call.world, vm), retry_after=None)
    if not changed and vm.state == "Succeeded":
        body_ = vm_body(vm)  # recorded: complete at once
        return Response(200, body_, {"ETag": body_["etag"]})
    return _begin_update(call, vm)


def _begin_update(call: ArmCall, vm: StoredResource) -> Response:
    vm.state = "Updating"
    call.world.save(vm)
    operation = operations.begin(call.world, "vm.update", vm, call.world.duration("vm.update"))
    return accepted_response(call, 200, operation, vm_body(vm))


def finish_create(world: World, operation: Operation, vm: StoredResource) -> Body | None:
    vm.properties["networkProfile"]["networkInterfaces"] = vm.internal_state["nics"]
    failure: Body | None = operation.data["failure"]
    if vm.internal_state["disks"]:
        disks.show_names(vm, vm.internal_state["disks"])
    if failure is None:
        power.boot(world, vm)
        return tracked.finish_write(world, operation, vm)
    vm.state = "Failed"
    vm.internal_state["failure"] = failure
    vm.internal_state["changedAt"] = world.now
    world.save(vm)
    for one in vm.internal_state["nics"]:
        _reserve_interface(world, one["id"], vm)
    return failure


def _reserve_interface(world: World, nic_id: str, vm: StoredResource) -> None:
    """An interface named in a failed create stays reserved for that VM for a while."""
    nic = world.require(nic_id)
    nic.internal_state["reservedUntil"] = world.now + world.duration("nic.reserved")
    nic.internal_state["reservedFor"] = vm.id
    world.save(nic)


def patch(call: ArmCall) -> Response:
    vm = tracked.require(call, kinds.VM)
    require_group(call, write=True)
    given = call.body()
    check_preconditions(call, vm, vm.id)
    tracked.refuse_while_busy(call, vm)
    wanted = tracked.PutRequest(vm.id, vm.name, vm.location, read_tags(given), given, vm)
    update.update_in_place(call, vm, wanted, merge=True)
    return _begin_update(call, vm)


def delete(call: ArmCall) -> Response:
    """Delete the VM. This preempts every operation on it, a create too."""
    require_group(call)
    vm = call.world.find(call.resource_id(kinds.VM))
    if vm is None:
        return Response(204)
    check_preconditions(call, vm, vm.id)
    running = operations.running_operations(call.world, vm.key)
    operation = next((one for one in running if one.action == "vm.delete"), None)
    if operation is None:
        operations.preempt(call.world, vm)
        vm.state = "Deleting"
        call.world.save(vm)
        forced = call.query.get("forceDeletion", "").lower() == "true"
        seconds = call.world.duration("vm.delete.forced" if forced else "vm.delete")
        operation = operations.begin(call.world, "vm.delete", vm, seconds)
    return accepted_response(call, 202, operation, None, retry_after=10)


def finish_delete(world: World, _: Operation, vm: StoredResource) -> Body | None:
    """Delete the VM and what its `deleteOption`s say, an interface's public IP too."""
    world.remove(vm)
    disks.release_disks(world, vm)
    for one in vm.internal_state["nics"]:
        if rules.value_at(one, "properties", "deleteOption") != "Delete":
            continue
        nic = world.require(one["id"])
        world.remove(nic)
        for configuration in nic.properties["ipConfigurations"]:
            _remove_address(world, configuration["properties"].get("publicIPAddress"))
    return None


def _remove_address(world: World, public: Any) -> None:
    if rules.value_at(public, "properties", "deleteOption") == "Delete":
        world.remove(world.require(public["id"]))


def get(call: ArmCall) -> Response:
    vm = tracked.require(call, kinds.VM)
    shown = _with_expansion(call, vm)
    return Response(200, shown, {"ETag": shown["etag"]})


def _with_expansion(call: ArmCall, vm: StoredResource) -> Body:
    expand = call.query.get("$expand")
    shown = vm_body(vm)
    if expand is None:
        return shown
    if expand == "userData":
        data = vm.internal_state.get("userData")
        more = {} if data is None else {"userData": data}
        return {**shown, "properties": {**shown["properties"], **more}}
    if expand != "instanceView":
        raise FakeGap(f"$expand={expand}")
    status = instance_view(call.world, vm)
    return {**shown, "properties": {**shown["properties"], "instanceView": status}}


def list_(call: ArmCall) -> Response:
    if len(call.names) > 1:
        require_group(call)
    return resource_page(call, kinds.VM, vm_body)


def list_all(call: ArmCall) -> Response:
    """Every VM of the subscription; with `statusOnly=true` its run-time status and little else.

    Clients of the real list ask twice and join the answers: the one with statuses has neither tags
    nor the hardware and storage profiles (cloudigrade, cloud-provider-azure).
    """
    if call.query.get("statusOnly", "").lower() != "true":
        return list_(call)
    return resource_page(call, kinds.VM, partial(_status, call))


def _status(call: ArmCall, vm: StoredResource) -> Body:
    told = {key: vm.body[key] for key in ("id", "name", "type", "location")}
    properties = {key: vm.properties[key] for key in ("vmId", "provisioningState")}
    view = instance_view(call.world, vm)
    if call.world.settings.value("agentless_lists"):
        view.pop("vmAgent", None)
    return told | {"properties": properties | {"instanceView": view}}


def get_instance_view(call: ArmCall) -> Response:
    return Response(200, instance_view(call.world, tracked.require(call, kinds.VM)))


def list_extensions(call: ArmCall) -> Response:
    """A simulated VM has no extensions, and its PUT of one is a gap."""
    tracked.require(call, kinds.VM)
    return Response(200, {"value": []})


_ONE, _API = f"{IN_GROUP}{kinds.VM.lower()}/*", kinds.COMPUTE_API
_PAGE = frozenset({"$skiptoken"})
ROUTES: Routes = {
    ("PUT", _ONE): Route(put, _API),
    ("GET", _ONE): Route(get, _API, frozenset({"$expand"})),
    ("PATCH", _ONE): Route(patch, _API),
    ("DELETE", _ONE): Route(delete, _API, frozenset({"forceDeletion"})),
    ("GET", f"{_ONE}/extensions"): Route(list_extensions, _API, frozenset({"$expand"})),
    ("GET", f"{_ONE}/instanceview"): Route(get_instance_view, _API),
    ("GET", f"{IN_GROUP}{kinds.VM.lower()}"): Route(list_, _API, _PAGE),
    ("GET", f"{IN_SUBSCRIPTION}{kinds.VM.lower()}"): Route(list_all, _API, _PAGE | {"statusOnly"}),
    **power.ROUTES,
    **run_command.ROUTES,
}
FINISHERS = {"vm.create": finish_create, "vm.delete": finish_delete}
FINISHERS |= {**power.FINISHERS, **run_command.FINISHERS}
