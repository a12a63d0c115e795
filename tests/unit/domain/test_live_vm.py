"""What a VM's own GET does not say is read from its disks and its interface."""

import copy

import pytest

from ccgpu.domain import live_vm
from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import differences
from ccgpu.domain.plan import make_plan
from ccgpu.domain.resource import Body, ResourceId, key
from support.specs import SUBNET, resources_of_spec

_NIC = "/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/networkInterfaces/demo-nic-1"
_DISK = "/subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/disks/"
_OWN = next(id_ for id_ in resources_of_spec() if id_.endswith("-vnet")) + "/subnets/default"


def _vm(**changes) -> Body:
    return next(
        copy.deepcopy(r.body) for r in resources_of_spec(**changes).values() if r.kind is Kind.VM
    )


def _deallocated_vm(**changes) -> Body:
    """A GET of it: its disks have ids, and neither size nor type."""
    vm = _vm(**changes)
    storage = vm["properties"]["storageProfile"]
    for disk in (storage["osDisk"], *storage["dataDisks"]):
        disk.pop("diskSizeGB")
        disk["managedDisk"].pop("storageAccountType")
        disk["managedDisk"]["id"] = _DISK + disk["name"]
    return vm


def _disk(name: str, size: int, type_: str) -> dict[ResourceId, Body]:
    body = {"sku": {"name": type_}, "properties": {"diskSizeGB": size}}
    return {key(_DISK + name): body}


def test_size_and_type_of_disks_are_those_of_the_disk_resources():
    disks = [{"size_gib": 64}, {"size_gib": 32, "type": "Standard_LRS"}]
    bodies = (
        _disk("demo-osdisk", 256, "Premium_LRS")
        | _disk("demo-data0", 64, "Premium_LRS")
        | _disk("DEMO-data1", 32, "Standard_LRS")
    )
    known = live_vm.with_disks(_deallocated_vm(data_disks=disks), bodies)
    assert differences(Kind.VM, _vm(data_disks=disks), known) == ()
    grown = bodies | _disk("demo-osdisk", 512, "Premium_LRS")
    known = live_vm.with_disks(_deallocated_vm(data_disks=disks), grown)
    (difference,) = differences(Kind.VM, _vm(data_disks=disks), known)
    assert (difference.path, difference.found) == (
        "properties.storageProfile.osDisk.diskSizeGB",
        512,
    )


def test_an_unreadable_disk_has_the_values_of_the_vm():
    vm = _deallocated_vm()
    assert live_vm.with_disks(vm, {}) == vm
    assert live_vm.with_disks({"properties": {}}, {}) == {"properties": {}}
    silent = {key(_DISK + "demo-osdisk"): {"properties": None}}
    assert live_vm.with_disks(vm, silent) == vm


def _interface(subnet: str, *, public: bool) -> Body:
    properties: Body = {"subnet": {"id": subnet}}
    if public:
        properties["publicIPAddress"] = {"id": "/ip"}
    return {"properties": {"ipConfigurations": [{"properties": properties}]}}


@pytest.mark.parametrize(
    ("changes", "interface", "told"),
    [
        ({}, _interface(_OWN, public=True), []),
        ({}, _interface(_OWN.upper(), public=True), []),
        ({}, _interface(_OWN, public=False), [(live_vm.PRIVATE, False, True)]),
        (
            {"private": True, "ssh_from": "auto"},
            _interface(_OWN, public=True),
            [(live_vm.PRIVATE, True, False)],
        ),
        ({"subnet": SUBNET}, _interface(_OWN, public=True), [(live_vm.SUBNET, SUBNET, _OWN)]),
        ({}, {"properties": {}}, [(live_vm.PRIVATE, False, True)]),
    ],
)
def test_the_interface_decides_private_and_subnet(changes, interface, told):
    found = live_vm.interface_differences(_vm(**changes), interface)
    assert [(one.path, one.wanted, one.found) for one in found] == told


def test_of_several_interfaces_the_primary_counts():
    named = [{"id": "/second"}, {"id": _NIC, "properties": {"primary": True}}]
    vm = {"properties": {"networkProfile": {"networkInterfaces": named}}}
    read = {key("/second"): {"name": "second"}, key(_NIC): {"name": "first"}}
    assert live_vm.interface_of(vm, read) == {"name": "first"}
    assert live_vm.interface_of(vm, {}) is None


@pytest.mark.parametrize("tags", [{"ccgpu-body": "another ccgpu's"}, {}])
def test_a_readable_interface_is_compared_instead_of_its_hash(tags):
    resources = resources_of_spec()
    vm = next(r for r in resources.values() if r.kind is Kind.VM)
    profile = {"networkInterfaces": [{"id": _NIC}]}
    body = vm.body | {"tags": {"ccgpu-deployment": "demo", **tags}, "id": vm.id}
    body["properties"] = body["properties"] | {"networkProfile": profile}
    actual = {key(vm.id): body, key(_NIC): _interface(_OWN, public=True)}
    step = make_plan({vm.id: vm}, actual, "demo").steps[0]
    assert step.action is Action.KEEP
