"""Managed disks, disk encryption sets and user-assigned identities."""

from ccgpu.fakearm import compute_errors, errors, kinds, operations
from ccgpu.fakearm.call import Call, accepted, require_group
from ccgpu.fakearm.clock import stamp
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.wire import Answer, Body
from ccgpu.fakearm.world import Resource, World


def _refuse_disk_delete(_: World, disk: Resource) -> None:
    vm = disk.body.get("managedBy")
    if vm:
        raise compute_errors.operation_not_allowed(f"Disk {disk.name} is attached to VM {vm}.")


DISK_RULES = tracked.Rules(
    kinds.DISK, refuse_delete=_refuse_disk_delete, delete_seconds="disk.delete"
)


def put_disk(call: Call) -> Answer:
    wanted = tracked.draft(call, kinds.DISK)
    if "creationData" not in wanted.properties:
        raise errors.invalid_parameter(
            "disk.creationData", "Required parameter 'disk.creationData' is missing (null)."
        )
    old = wanted.existing
    kept = {key: old.properties[key] for key in _KEPT if key in old.properties} if old else {}
    properties = {**wanted.properties, **_fresh(call.world), **kept}
    disk = tracked.resource_of(call.world, kinds.DISK, wanted, properties, "Updating")
    disk.body.setdefault("sku", {"name": "Standard_LRS", "tier": "Standard"})
    if old and "managedBy" in old.body:
        disk.body["managedBy"] = old.body["managedBy"]
    call.world.save(disk)
    call.world.bill(disk)
    operation = operations.begin(call.world, "write", disk, call.world.seconds("disk"))
    return accepted(call, 202, operation, disk.body, retry_after=2)


_BYTES = 1024**3


def _told(properties: Body, sku: str) -> Body:
    """What Azure adds to a disk's properties (recorded shape)."""
    size = properties.get("diskSizeGB", 4)
    fast = sku.startswith("Premium")
    return {
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "diskIOPSReadWrite": 500 if not fast else max(120, size * 4),
        "diskMBpsReadWrite": 60 if not fast else max(25, size // 2),
        "diskSizeBytes": size * _BYTES,
        **properties,
    }


_KEPT = ("uniqueId", "timeCreated", "diskState")


def _fresh(world: World) -> Body:
    return {
        "uniqueId": world.guid(),
        "timeCreated": stamp(world.at),
        "diskState": "Unattached",
    }


def make_disk(world: World, name: str, vm: Resource, properties: Body, sku: str) -> Resource:
    """A disk that comes into being with its VM."""
    wanted = tracked.Draft(
        f"{vm.id.rsplit('/providers/', 1)[0]}/providers/{kinds.DISK}/{name}",
        name,
        vm.location,
        vm.body.get("tags"),
        {"sku": {"name": sku}, "zones": vm.body.get("zones"), "managedBy": vm.id},
        None,
    )
    properties = {**_told(properties, sku), **_fresh(world), "diskState": "Attached"}
    disk = tracked.resource_of(world, kinds.DISK, wanted, properties, "Succeeded")
    world.save(disk)
    world.bill(disk)
    return disk


def detach(world: World, disk: Resource) -> None:
    """Leave it behind: from now on it belongs to nobody, and goes on costing."""
    disk.body.pop("managedBy", None)
    disk.properties["diskState"] = "Unattached"
    world.save(disk)


def _refuse_set_delete(world: World, encryption: Resource) -> None:
    users = world.referrers(encryption.id)
    if users:
        raise compute_errors.operation_not_allowed(
            f"Disk encryption set {encryption.name} is in use by {users[0].source} and cannot be "
            "deleted."
        )


SET_RULES = tracked.Rules(kinds.DES, refuse_delete=_refuse_set_delete, delete_seconds="disk.delete")


def put_set(call: Call) -> Answer:
    wanted = tracked.draft(call, kinds.DES)
    given = wanted.properties
    properties = {
        "encryptionType": given.get("encryptionType", "EncryptionAtRestWithCustomerKey"),
        "activeKey": given.get("activeKey"),
        "previousKeys": [],
    }
    encryption = tracked.resource_of(call.world, kinds.DES, wanted, properties, "Updating")
    if "identity" in encryption.body:
        principal = {"principalId": call.world.guid(), "tenantId": call.world.guid()}
        encryption.body["identity"] = {**encryption.body["identity"], **principal}
    call.world.save(encryption)
    operation = operations.begin(call.world, "write", encryption, call.world.seconds("des"))
    return accepted(call, 202, operation, encryption.body)


def put_identity(call: Call) -> Answer:
    """Done at once; 201 has a `Location`, as recorded."""
    wanted = tracked.draft(call, kinds.IDENTITY)
    old = wanted.existing
    properties = {
        key: old.properties[key] if old else call.world.guid()
        for key in ("tenantId", "principalId", "clientId")
    }
    identity = tracked.resource_of(call.world, kinds.IDENTITY, wanted, properties, "Succeeded")
    call.world.save(identity)
    location = {} if old else {"Location": f"https://{call.host}{identity.id}"}
    return Answer(wanted.status, identity_view(call.world, identity), location)


def identity_view(_: World, identity: Resource) -> Body:
    """Identities have no provisioning state."""
    properties = dict(identity.properties)
    del properties["provisioningState"]
    return {**identity.body, "properties": properties}


def delete_identity(call: Call) -> Answer:
    """Done at once, whoever uses it."""
    require_group(call)
    found = call.world.find(call.id_of(kinds.IDENTITY))
    if found is None:
        return Answer(204)
    call.world.remove(found)
    return Answer(200)


IDENTITY_RULES = tracked.Rules(kinds.IDENTITY, view=identity_view)
