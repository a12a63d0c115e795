"""The typed readers of a VM: what ARM leaves out, or gives as null, is empty."""

import pytest

from ccgpu.domain import vm_view
from ccgpu.domain.resource import Body

_DISKS = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/"
_NIC = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/n"
_PUBLIC = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/publicIPAddresses/p"
_KEY = {"path": "/home/a/.ssh/authorized_keys", "keyData": "ssh-ed25519 AAAA"}
_IMAGE = {"publisher": "Canonical"}


def _vm(**properties: object) -> Body:
    return {"id": "/vm", "properties": properties}


def _shown(power: str | None = None, **view: object) -> Body:
    codes = [{"code": None}, {"code": "ProvisioningState/succeeded"}]
    codes += [{"code": f"PowerState/{power}"}] if power else []
    return _vm(instanceView={"statuses": codes, **view})


def test_the_ids_in_a_vm_body_are_read() -> None:
    disks = {
        "osDisk": {"managedDisk": {"id": _DISKS + "os"}},
        "dataDisks": [{"managedDisk": {"id": _DISKS + "data"}}, {"managedDisk": None}, {}],
        "imageReference": _IMAGE,
    }
    nics = {"networkInterfaces": [{"id": _NIC}, {}]}
    vm = _vm(storageProfile=disks, networkProfile=nics)
    assert vm_view.managed_disk_ids(vm) == [_DISKS + "os", _DISKS + "data"]
    assert vm_view.network_interface_ids(vm) == [_NIC]
    assert vm_view.image_reference(vm) == _IMAGE


def test_data_disks_that_stay_are_told_from_those_that_go_with_the_vm() -> None:
    options = {"stays": "Detach", "goes": "Delete", "too": "delete"}
    disks = [{"managedDisk": {"id": _DISKS + n}, "deleteOption": o} for n, o in options.items()]
    os_disk = {"managedDisk": {"id": _DISKS + "os"}, "deleteOption": "Detach"}
    more = [{"managedDisk": {"id": _DISKS + "unknown"}}, {"deleteOption": "Detach"}]
    vm = _vm(storageProfile={"osDisk": os_disk, "dataDisks": [*disks, *more]})
    assert vm_view.attached_disk_ids(vm) == [_DISKS + "stays", _DISKS + "unknown"]


def test_the_keys_and_identities_of_a_vm_are_read() -> None:
    linux = {"linuxConfiguration": {"ssh": {"publicKeys": [_KEY]}}, "adminUsername": "a"}
    vm = _vm(osProfile=linux, hardwareProfile={"vmSize": "Standard_X"})
    assert (vm_view.vm_size(vm), vm_view.admin_username(vm)) == ("Standard_X", "a")
    assert vm_view.ssh_public_keys(vm) == (_KEY["keyData"],)
    assert vm_view.user_identity_ids({"identity": {"userAssignedIdentities": {"/a": {}}}}) == (
        "/a",
    )


@pytest.mark.parametrize("vm", [{}, {"properties": None, "identity": None}, _vm()])
def test_omitted_properties_are_empty(vm: Body) -> None:
    assert vm_view.managed_disk_ids(vm) == vm_view.network_interface_ids(vm) == []
    assert vm_view.attached_disk_ids(vm) == []
    assert vm_view.agent_statuses(vm) == vm_view.ip_configurations(vm) == []
    assert vm_view.ssh_public_keys(vm) == vm_view.user_identity_ids(vm) == ()
    assert vm_view.image_reference(vm) == vm_view.instance_view(vm) == {}
    assert vm_view.power_state(vm) is vm_view.vm_size(vm) is vm_view.admin_username(vm) is None
    assert not vm_view.tells_agent(vm)


def test_an_instance_view_can_be_added_and_removed() -> None:
    vm, shown = _vm(vmId="x"), _shown("running")
    joined = vm_view.with_instance_view(vm, shown)
    assert vm_view.instance_view(joined) == vm_view.instance_view(shown)
    assert vm_view.without_instance_view(joined) == vm
    assert vm_view.with_instance_view(vm, None) == vm


@pytest.mark.parametrize(
    ("vm", "told"),
    [
        (_shown("running", vmAgent={"statuses": [{"displayStatus": "Ready"}]}), True),
        (_shown("running"), False),
        (_shown("deallocated"), True),
        (_shown(), True),
    ],
)
def test_a_running_vm_has_a_complete_view_only_with_its_agent(vm: Body, told: bool) -> None:
    assert vm_view.tells_agent(vm) is told


def test_the_addresses_of_an_interface_are_read() -> None:
    reached: Body = {"properties": {"publicIPAddress": {"id": _PUBLIC}}}
    nic = {"properties": {"ipConfigurations": [reached, {"properties": None}]}}
    found = [vm_view.public_ip_id(one) for one in vm_view.ip_configurations(nic)]
    assert found == [_PUBLIC, None]


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ({"publisher": "a", "offer": "b", "sku": "c", "version": "latest"}, "a:b:c:latest"),
        (
            {"publisher": "a", "offer": "b", "sku": "c", "version": "latest", "exactVersion": "1"},
            "a:b:c:1",
        ),
        ({"communityGalleryImageId": "/CommunityGalleries/x", "id": "/y"}, "/CommunityGalleries/x"),
        ({"id": "/subscriptions/y"}, "/subscriptions/y"),
        ({}, None),
    ],
)
def test_an_image_is_told_with_its_exact_version(reference, text):
    vm = {"properties": {"storageProfile": {"imageReference": reference}}}
    assert vm_view.image_text(vm) == text
