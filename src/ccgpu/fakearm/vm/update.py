"""Updates of a VM in place: tags, identity, boot diagnostics, user data, data disks.

A changed fixed property is refused with `PropertyChangeNotAllowed`; a change without a rule is a
gap. A PUT has all properties, a PATCH only those to change; both replace lists as a whole.
"""

import copy

from ccgpu.fakearm import errors, skus
from ccgpu.fakearm.call import ArmCall, new_etag
from ccgpu.fakearm.resources.tracked import PutRequest
from ccgpu.fakearm.vm import body, disks, identity, measured, rules
from ccgpu.fakearm.wire import Body, FakeGap
from ccgpu.fakearm.world import StoredResource, World


def update_in_place(
    call: ArmCall, vm: StoredResource, wanted: PutRequest, *, merge: bool = False
) -> bool:
    """Update the VM; returns whether anything changed. All checks come before writes."""
    rules.check_known(wanted)
    measured.check_user_data(wanted.properties.get("userData"))
    body.check_unchanged(vm, wanted)
    _check_interfaces(vm, wanted)
    if changed := body.unsupported_changes(vm, wanted):
        raise FakeGap(f"changing {changed} of a VM")
    identity.check_identity(call.world, wanted)
    before = copy.deepcopy((vm.body, vm.internal_state.get("userData")))
    _change_disks(call.world, vm, wanted)
    _change_rest(call.world, vm, wanted, merge=merge)
    if (vm.body, vm.internal_state.get("userData")) == before:
        return False
    vm.body["etag"] = new_etag(call.world, vm.kind, vm.body["etag"])
    return True


def _check_interfaces(vm: StoredResource, wanted: PutRequest) -> None:
    named = rules.value_at(wanted.properties, "networkProfile", "networkInterfaces")
    if not named:
        return
    if rules.value_at(wanted.properties, "networkProfile", "networkInterfaceConfigurations"):
        raise errors.invalid_parameter(
            "networkProfile",
            "The parameters 'networkInterfaces' and 'networkInterfaceConfigurations' cannot both "
            "be set.",
        )
    if {one["id"].lower() for one in named} != {
        one["id"].lower() for one in vm.internal_state["nics"]
    }:
        raise FakeGap("changing the network interfaces of a VM")


def _change_rest(world: World, vm: StoredResource, wanted: PutRequest, *, merge: bool) -> None:
    allowed = rules.value_at(wanted.properties, "osProfile", "allowExtensionOperations")
    if allowed is not None:
        rules.check_extensions({"allowExtensionOperations": allowed})
        vm.properties["osProfile"]["allowExtensionOperations"] = allowed
    if wanted.properties.get("userData") is not None:
        vm.internal_state["userData"] = wanted.properties["userData"]
    if wanted.tags is not None:
        vm.body["tags"] = wanted.tags
    if wanted.properties.get("diagnosticsProfile") is not None:
        vm.properties["diagnosticsProfile"] = wanted.properties["diagnosticsProfile"]
    if wanted.body.get("identity") is not None:
        identity.set_identity(world, vm, wanted.body["identity"], merge=merge)


def _change_disks(world: World, vm: StoredResource, wanted: PutRequest) -> None:
    given = rules.value_at(wanted.properties, "storageProfile", "dataDisks")
    if given is None:
        return
    size = skus.SIZES[vm.properties["hardwareProfile"]["vmSize"].lower()]
    there: list[Body] = vm.properties["storageProfile"]["dataDisks"]
    listed: list[Body] = []
    for one in given:
        old = _find_disk(one, there)
        if old is None:
            listed.append(body.data_disk_body(one))
        elif not one.get("toBeDetached"):
            _check_fixed_paths(one, old)
            listed.append({**old, **{key: one[key] for key in _CHANGEABLE if one.get(key)}})
    new = [one for one in listed if _find_disk(one, there) is None]
    disks.check_data_disks(world, vm, listed, new, size)
    disks.replace_data_disks(world, vm, listed)


def _find_disk(one: Body, others: list[Body]) -> Body | None:
    """The VM's data disk of the same name; of the same LUN if it has no name."""
    key = "name" if one.get("name") else "lun"
    wanted = str(one.get(key)).lower()
    return next((other for other in others if str(other.get(key)).lower() == wanted), None)


_CHANGEABLE = ("caching", "deleteOption")
_FIXED_DISK_PATHS = (
    ("lun",),
    ("diskSizeGB",),
    ("managedDisk", "id"),
    ("managedDisk", "storageAccountType"),
)


def _check_fixed_paths(one: Body, old: Body) -> None:
    for path in _FIXED_DISK_PATHS:
        new, was = rules.value_at(one, *path), rules.value_at(old, *path)
        if new is not None and str(new).lower() != str(was).lower():
            body.refuse_change(".".join(("dataDisk", *path)))
