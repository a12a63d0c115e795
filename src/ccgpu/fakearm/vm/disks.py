"""The disks of a VM: created with it, and kept or deleted with it."""

from ccgpu.fakearm import compute_errors, errors, kinds
from ccgpu.fakearm.call import resource_id
from ccgpu.fakearm.resources import uploads
from ccgpu.fakearm.resources.disks import detach, make_disk
from ccgpu.fakearm.skus import VmSize
from ccgpu.fakearm.vm.rules import required_value
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import StoredResource, World


def check_new_disks(world: World, vm: StoredResource, size: VmSize) -> None:
    """A new disk needs an unused name. The size limits the number of data disks."""
    storage = vm.properties["storageProfile"]
    _check_name(world, vm, storage["osDisk"])
    check_data_disks(world, vm, storage["dataDisks"], storage["dataDisks"], size)


def check_data_disks(
    world: World, vm: StoredResource, disks: list[Body], new: list[Body], size: VmSize
) -> None:
    """Check the VM's data disks, of which `new` do not exist yet."""
    luns = [required_value(disk, "lun") if disk.get("lun") != 0 else 0 for disk in disks]
    if twice := [lun for lun in luns if luns.count(lun) > 1]:
        raise errors.invalid_parameter(
            "dataDisk.lun", f"A disk with the LUN {twice[0]} is there already."
        )
    if len(disks) > size.data_disks:
        raise compute_errors.operation_not_allowed(
            "The maximum number of data disks allowed to be attached to a VM of this size is "
            f"{size.data_disks}."
        )
    for disk in new:
        _check_name(world, vm, disk)
        if disk["createOption"] == "Attach":
            _find_attachable(world, disk)


def _check_name(world: World, vm: StoredResource, disk: Body) -> None:
    name = disk.get("name")
    if name and disk["createOption"] != "Attach":
        id_ = resource_id(world.subscription, vm.group, kinds.DISK, name)
        if world.find(id_) is not None:
            raise compute_errors.disk_exists(id_)


def _find_attachable(world: World, disk: Body) -> StoredResource:
    found = world.find(str(disk["managedDisk"].get("id")))
    if found is None or found.kind != kinds.DISK:
        raise compute_errors.reference_not_found(str(disk["managedDisk"].get("id")))
    if found.body.get("managedBy"):
        raise compute_errors.operation_not_allowed(
            f"Cannot attach data disk '{found.name}' because the disk is currently attached to VM "
            f"'{found.body['managedBy']}'."
        )
    uploads.refuse_attach(found)
    return found


def make_disks(world: World, vm: StoredResource) -> list[str]:
    """Create or attach all disks of the VM. Returns their ids, the OS disk's first."""
    storage = vm.properties["storageProfile"]
    os_disk = storage["osDisk"]
    managed = os_disk["managedDisk"]
    properties: Body = {
        "osType": os_disk["osType"],
        "hyperVGeneration": "V2",
        "creationData": {"createOption": "FromImage"},
        "diskSizeGB": os_disk["diskSizeGB"],
    }
    if encryption := (managed.get("securityProfile") or {}).get("securityEncryptionType"):
        keyed = "diskEncryptionSet" in managed["securityProfile"]
        properties["securityProfile"] = {"securityType": _SECURITY_TYPES[encryption, keyed]}
    name = os_disk.get("name") or f"{vm.name}_OsDisk_1_{world.new_hex(32)}"
    made = [make_disk(world, name, vm, properties, managed["storageAccountType"]).id]
    return made + [_make_data_disk(world, vm, disk) for disk in storage["dataDisks"]]


# DiskSecurityTypes of the compute API.
_SECURITY_TYPES = {
    ("VMGuestStateOnly", False): "ConfidentialVM_VMGuestStateOnlyEncryptedWithPlatformKey",
    ("DiskWithVMGuestState", False): "ConfidentialVM_DiskEncryptedWithPlatformKey",
    ("DiskWithVMGuestState", True): "ConfidentialVM_DiskEncryptedWithCustomerKey",
}


def _make_data_disk(world: World, vm: StoredResource, disk: Body) -> str:
    managed = disk["managedDisk"]
    if disk["createOption"] == "Attach":
        found = _find_attachable(world, disk)
        found.body["managedBy"] = vm.id
        found.properties["diskState"] = "Attached"
        world.save(found)
        return found.id
    name = disk.get("name") or f"{vm.name}_DataDisk_{disk['lun']}_{world.new_hex(32)}"
    properties = {
        "creationData": {"createOption": "Empty"},
        "diskSizeGB": disk.get("diskSizeGB", 4),
    }
    return make_disk(world, name, vm, properties, managed["storageAccountType"]).id


def show_names(vm: StoredResource, ids: list[str]) -> None:
    """Write the disks' names and ids into the VM's body, once the create has ended."""
    storage = vm.properties["storageProfile"]
    for disk, id_ in zip((storage["osDisk"], *storage["dataDisks"]), ids, strict=True):
        disk["name"] = id_.rsplit("/", 1)[1]
        disk["managedDisk"]["id"] = id_


def replace_data_disks(world: World, vm: StoredResource, wanted: list[Body]) -> None:
    """Make `wanted` the VM's data disks: create or attach new ones, detach the others.

    A VM whose create failed before its disks existed gets them with the next attempt.
    """
    storage = vm.properties["storageProfile"]
    made: list[str] = vm.internal_state["disks"]
    before = {one["lun"]: id_ for one, id_ in zip(storage["dataDisks"], made[1:], strict=False)}
    there = {one["lun"]: one["name"] for one in storage["dataDisks"] if "name" in one}
    storage["dataDisks"] = wanted
    if not made:
        return
    kept = {lun for one in wanted if (lun := one["lun"]) in there and one["name"] == there[lun]}
    for lun, id_ in before.items():
        if lun not in kept:
            detach(world, world.require(id_))
    data = [before[d["lun"]] if d["lun"] in kept else _make_data_disk(world, vm, d) for d in wanted]
    vm.internal_state["disks"] = [made[0], *data]
    show_names(vm, vm.internal_state["disks"])


def release_disks(world: World, vm: StoredResource) -> None:
    """The VM is deleted: delete the disks whose `deleteOption` says so, detach the others."""
    storage = vm.properties["storageProfile"]
    disks = (storage["osDisk"], *storage["dataDisks"])
    for disk, id_ in zip(disks, vm.internal_state["disks"], strict=False):
        found = world.require(id_)
        if disk["deleteOption"] == "Delete":
            world.remove(found)
        else:
            detach(world, found)
