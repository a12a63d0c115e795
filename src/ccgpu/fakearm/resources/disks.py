"""Managed disks, disk encryption sets and user-assigned identities."""

from ccgpu.fakearm import compute_errors, errors, kinds, operations
from ccgpu.fakearm.call import ArmCall, accepted_response, require_group
from ccgpu.fakearm.clock import arm_time
from ccgpu.fakearm.resources import tracked, uploads
from ccgpu.fakearm.wire import Body, Response
from ccgpu.fakearm.world import StoredResource, World


def _refuse_disk_delete(world: World, disk: StoredResource) -> None:
    uploads.refuse_delete(world, disk)
    vm = disk.body.get("managedBy")
    if vm:
        raise compute_errors.operation_not_allowed(f"Disk {disk.name} is attached to VM {vm}.")


DISK_RULES = tracked.KindRules(
    kinds.DISK, refuse_delete=_refuse_disk_delete, delete_seconds="disk.delete"
)


def put_disk(call: ArmCall) -> Response:
    wanted = tracked.validate_put(call, kinds.DISK)
    if "creationData" not in wanted.properties:
        raise errors.invalid_parameter(
            "disk.creationData", "Required parameter 'disk.creationData' is missing (null)."
        )
    old = wanted.existing
    kept = {key: old.properties[key] for key in _PRESERVED if key in old.properties} if old else {}
    awaiting, state = uploads.new_properties(call.world, wanted)
    properties = {**wanted.properties, **_new_disk_properties(call.world), **kept, **awaiting}
    disk = tracked.build_resource(call.world, kinds.DISK, wanted, properties, "Updating")
    disk.internal_state = {**disk.internal_state, **state}
    disk.body.setdefault("sku", {"name": "Standard_LRS", "tier": "Standard"})
    if old and "managedBy" in old.body:
        disk.body["managedBy"] = old.body["managedBy"]
    call.world.save(disk)
    call.world.start_billing(disk)
    operation = operations.begin(call.world, "write", disk, call.world.duration("disk"))
    return accepted_response(call, 202, operation, disk.body, retry_after=2)


_GIB = 1024**3


def _with_defaults(properties: Body, sku: str) -> Body:
    """A disk's properties with Azure's additions (recorded form)."""
    size = properties.get("diskSizeGB", 4)
    fast = sku.startswith("Premium")
    return {
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "diskIOPSReadWrite": 500 if not fast else max(120, size * 4),
        "diskMBpsReadWrite": 60 if not fast else max(25, size // 2),
        "diskSizeBytes": size * _GIB,
        **properties,
    }


_PRESERVED = ("uniqueId", "timeCreated", "diskState")


def _new_disk_properties(world: World) -> Body:
    return {
        "uniqueId": world.new_guid(),
        "timeCreated": arm_time(world.now),
        "diskState": "Unattached",
    }


def make_disk(
    world: World, name: str, vm: StoredResource, properties: Body, sku: str
) -> StoredResource:
    """Create a disk together with its VM."""
    wanted = tracked.PutRequest(
        f"{vm.id.rsplit('/providers/', 1)[0]}/providers/{kinds.DISK}/{name}",
        name,
        vm.location,
        vm.body.get("tags"),
        {"sku": {"name": sku}, "zones": vm.body.get("zones"), "managedBy": vm.id},
        None,
    )
    properties = {
        **_with_defaults(properties, sku),
        **_new_disk_properties(world),
        "diskState": "Attached",
    }
    disk = tracked.build_resource(world, kinds.DISK, wanted, properties, "Succeeded")
    world.save(disk)
    world.start_billing(disk)
    return disk


def detach(world: World, disk: StoredResource) -> None:
    """Detach the disk from its VM. It still costs."""
    disk.body.pop("managedBy", None)
    disk.properties["diskState"] = "Unattached"
    world.save(disk)


def _refuse_set_delete(world: World, encryption: StoredResource) -> None:
    users = world.references_to(encryption.id)
    if users:
        raise compute_errors.operation_not_allowed(
            f"Disk encryption set {encryption.name} is in use by {users[0].source} and cannot be "
            "deleted."
        )


SET_RULES = tracked.KindRules(
    kinds.DES, refuse_delete=_refuse_set_delete, delete_seconds="disk.delete"
)


def put_set(call: ArmCall) -> Response:
    wanted = tracked.validate_put(call, kinds.DES)
    given = wanted.properties
    properties = {
        "encryptionType": given.get("encryptionType", "EncryptionAtRestWithCustomerKey"),
        "activeKey": given.get("activeKey"),
        "previousKeys": [],
    }
    encryption = tracked.build_resource(call.world, kinds.DES, wanted, properties, "Updating")
    if "identity" in encryption.body:
        principal = {"principalId": call.world.new_guid(), "tenantId": call.world.new_guid()}
        encryption.body["identity"] = {**encryption.body["identity"], **principal}
    call.world.save(encryption)
    operation = operations.begin(call.world, "write", encryption, call.world.duration("des"))
    return accepted_response(call, 202, operation, encryption.body)


def put_identity(call: ArmCall) -> Response:
    """An identity is created at once. A 201 has a `Location`, as recorded."""
    wanted = tracked.validate_put(call, kinds.IDENTITY)
    old = wanted.existing
    properties = {
        key: old.properties[key] if old else call.world.new_guid()
        for key in ("tenantId", "principalId", "clientId")
    }
    identity = tracked.build_resource(call.world, kinds.IDENTITY, wanted, properties, "Succeeded")
    call.world.save(identity)
    location = {} if old else {"Location": f"https://{call.host}{identity.id}"}
    return Response(wanted.status, identity_view(call.world, identity), location)


def identity_view(_: World, identity: StoredResource) -> Body:
    """Identities have no provisioning state."""
    properties = dict(identity.properties)
    del properties["provisioningState"]
    return {**identity.body, "properties": properties}


def delete_identity(call: ArmCall) -> Response:
    """An identity is deleted at once, even in use."""
    require_group(call)
    found = call.world.find(call.resource_id(kinds.IDENTITY))
    if found is None:
        return Response(204)
    call.world.remove(found)
    return Response(200)


IDENTITY_RULES = tracked.KindRules(kinds.IDENTITY, view=identity_view)
