"""A VM's life cycle: create with dependents, boot, update, delete."""

import pytest

from ccgpu.fakearm import FakeGap
from support.arm import (
    REGION,
    disk_body,
    group_path,
    inline_nic,
    nic_body,
    pip_body,
    resource_path,
    subnet_path,
    vm_body,
    vm_path,
)

NIC = "Microsoft.Network/networkInterfaces"
PIP = "Microsoft.Network/publicIPAddresses"
DISK = "Microsoft.Compute/disks"
NSG = resource_path("Microsoft.Network/networkSecurityGroups", "nsg")
_SUBSCRIPTION = vm_path().partition("/resourceGroups/")[0]
_EVERYWHERE = f"{_SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines"
BASE = ["networkSecurityGroups", "resourceGroups", "virtualNetworks"]
ALL = sorted([*BASE, "disks", "networkInterfaces", "publicIPAddresses", "virtualMachines"])


def names(az, kind):
    return [one["name"] for one in az.get(resource_path(kind, "x").removesuffix("/x"))["value"]]


def test_create_is_accepted_and_ends_after_its_duration(az):
    az.network()
    answer = az.ok("PUT", vm_path(), vm_body())
    assert (answer.status, answer.headers["Retry-After"]) == (201, "10")
    assert answer.headers["Azure-AsyncNotification"] == "Enabled"
    assert "Location" not in answer.headers
    assert answer.headers["ETag"] == answer.body["etag"]
    assert answer.body["properties"]["provisioningState"] == "Creating"
    address = answer.headers["Azure-AsyncOperation"]
    az.arm.advance(43)
    assert az.get_url(address).body["status"] == "InProgress"
    az.arm.advance(1)
    assert az.get_url(address).body["status"] == "Succeeded"
    assert az.get(vm_path())["properties"]["provisioningState"] == "Succeeded"


def test_disk_encryption_takes_longer(az):
    az.network()
    body = vm_body(managed__securityProfile__securityEncryptionType="DiskWithVMGuestState")
    address = az.ok("PUT", vm_path(), body).headers["Azure-AsyncOperation"]
    az.arm.advance(899)
    assert az.get_url(address).body["status"] == "InProgress"
    az.arm.advance(1)
    assert az.get_url(address).body["status"] == "Succeeded"


def test_azure_adds_defaults(az):
    az.network()
    answer = az.ok(
        "PUT", vm_path(), vm_body(disk__name=..., disk__diskSizeGB=..., disk__deleteOption=...)
    )
    properties = answer.body["properties"]
    disk = properties["storageProfile"]["osDisk"]
    assert (disk["diskSizeGB"], disk["osType"], disk["caching"]) == (30, "Linux", "ReadWrite")
    assert disk["deleteOption"] == "Detach"
    assert "name" not in disk
    assert "id" not in disk["managedDisk"]
    reference = properties["storageProfile"]["imageReference"]
    assert (reference["version"], reference["exactVersion"]) == ("latest", "24.04.202609150")
    assert properties["osProfile"]["linuxConfiguration"]["patchSettings"] == {
        "patchMode": "ImageDefault",
        "assessmentMode": "ImageDefault",
    }
    az.arm.advance(44)
    disk = az.get(vm_path())["properties"]["storageProfile"]["osDisk"]
    assert disk["name"].startswith("vm_OsDisk_1_")
    assert disk["managedDisk"]["id"] == resource_path(DISK, disk["name"])


def test_write_only_values_are_not_returned(az):
    az.network()
    answer = az.ok("PUT", vm_path(), vm_body(os__adminPassword="hunter2"))
    az.arm.advance(44)
    for body in (answer.body, az.get(vm_path()), az.get(vm_path(), query="&$expand=instanceView")):
        assert not {"customData", "adminPassword"} & set(body["properties"]["osProfile"])
        assert "networkInterfaceConfigurations" not in body["properties"]["networkProfile"]
        assert "hunter2" not in str(body)


def test_inline_interfaces_and_addresses_get_names_from_azure(az):
    az.network()
    az.machine()
    (nic,) = names(az, NIC)
    (pip,) = names(az, PIP)
    assert nic.startswith("nic-")
    assert pip.startswith("pip-")
    shown = az.get(vm_path())["properties"]["networkProfile"]["networkInterfaces"]
    assert shown == [
        {"id": resource_path(NIC, nic), "properties": {"primary": True, "deleteOption": "Delete"}}
    ]
    interface = az.get(resource_path(NIC, nic))
    assert interface["tags"] == {"from": "nic"}
    assert interface["properties"]["virtualMachine"] == {"id": vm_path()}
    assert interface["properties"]["networkSecurityGroup"] == {"id": NSG}
    inside = interface["properties"]["ipConfigurations"][0]["properties"]
    assert inside["publicIPAddress"]["id"] == resource_path(PIP, pip)
    assert inside["privateIPAddress"] == "10.0.0.4"
    address = az.get(resource_path(PIP, pip))
    assert address["tags"] == {"from": "pip"}
    assert address["properties"]["ipAddress"]


def test_inline_interfaces_appear_after_the_create(az):
    az.network()
    answer = az.ok("PUT", vm_path(), vm_body())
    assert answer.body["properties"]["networkProfile"]["networkInterfaces"] == []
    assert len(names(az, NIC)) == 1


def test_a_private_vm_has_no_public_address(az):
    az.network()
    body = vm_body(
        net__networkInterfaceConfigurations=[
            inline_nic(
                ipConfigurations=[{"name": "ip", "properties": {"subnet": {"id": subnet_path()}}}]
            )
        ]
    )
    az.complete("PUT", vm_path(), body)
    assert "publicIPAddresses" not in az.kinds()


def test_vm_uses_an_existing_interface(az):
    az.network()
    az.ok("PUT", resource_path(NIC, "own"), nic_body())
    net = {"networkInterfaces": [{"id": resource_path(NIC, "own")}]}
    answer = az.ok("PUT", vm_path(), vm_body(net=net))
    assert answer.body["properties"]["networkProfile"] == net
    assert az.refusal("DELETE", resource_path(NIC, "own")) == (400, "NicInUse")
    other = vm_body("other", net=net)
    assert az.refusal("PUT", vm_path("other"), other) == (400, "NicInUse")
    az.arm.advance(44)
    az.complete("DELETE", vm_path())
    assert names(az, NIC) == ["own"]
    az.complete("DELETE", resource_path(NIC, "own"))


def test_vm_with_a_missing_interface_is_404(az):
    az.network()
    body = vm_body(net={"networkInterfaces": [{"id": resource_path(NIC, "none")}]})
    assert az.refusal("PUT", vm_path(), body) == (404, "NotFound")


def test_interface_must_be_in_the_vms_region(az):
    az.network()
    az.ok("PUT", resource_path(NIC, "own"), nic_body())
    body = vm_body(
        net={"networkInterfaces": [{"id": resource_path(NIC, "own")}]}, location="westeurope"
    )
    assert az.refusal("PUT", vm_path(), body) == (400, "InvalidResourceReference")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"net__networkApiVersion": ...}, "InvalidParameter"),
        ({"net__networkApiVersion": "2019-01-01"}, "InvalidParameter"),
        ({"net": ...}, "InvalidParameter"),
        ({"net": {"networkApiVersion": "2022-11-01"}}, "InvalidParameter"),
        ({"net__networkInterfaces": [{"id": resource_path(NIC, "own")}]}, "InvalidParameter"),
        (
            {"net__networkInterfaceConfigurations": [inline_nic(enableAcceleratedNetworking=True)]},
            "VMSizeIsNotPermittedToEnableAcceleratedNetworking",
        ),
        (
            {
                "net__networkInterfaceConfigurations": [
                    inline_nic(networkSecurityGroup={"id": f"{NSG}2"})
                ]
            },
            "InvalidResourceReference",
        ),
    ],
)
def test_invalid_network_profiles_are_refused(az, changes, code):
    az.network()
    assert az.refusal("PUT", vm_path(), vm_body(**changes)) == (400, code)
    assert az.kinds() == sorted(BASE)


def test_gpu_size_refuses_accelerated_networking(az):
    az.network()
    az.ok("PUT", resource_path(NIC, "own"), nic_body(enableAcceleratedNetworking=True))
    body = vm_body(net={"networkInterfaces": [{"id": resource_path(NIC, "own")}]})
    code = "VMSizeIsNotPermittedToEnableAcceleratedNetworking"
    assert az.refusal("PUT", vm_path(), body) == (400, code)


def test_inline_interface_needs_a_settled_subnet(az):
    az.network()
    az.ok(
        "PUT",
        f"{subnet_path().rsplit('/', 1)[0]}/x",
        {"properties": {"addressPrefix": "10.0.9.0/24"}},
    )
    body = vm_body()
    properties = body["properties"]["networkProfile"]["networkInterfaceConfigurations"][0]
    one = properties["properties"]["ipConfigurations"][0]["properties"]
    one["subnet"] = {"id": f"{subnet_path().rsplit('/', 1)[0]}/x"}
    answer = az.send("PUT", vm_path(), body)
    assert (answer.status, answer.body["error"]["code"]) == (429, "RetryableError")
    az.arm.advance(2)
    az.complete("PUT", vm_path(), body)


def test_if_none_match_refuses_an_existing_vm(az):
    az.network()
    az.complete("PUT", vm_path(), vm_body(), headers={"If-None-Match": "*"})
    refused = az.refusal("PUT", vm_path(), vm_body(), headers={"If-None-Match": "*"})
    assert refused == (412, "PreconditionFailed")
    assert az.refusal("PATCH", vm_path(), {"tags": {}}, headers={"If-Match": '"0"'})[0] == 412
    assert az.refusal("DELETE", vm_path(), headers={"If-Match": '"0"'})[0] == 412
    az.complete("PATCH", vm_path(), {"tags": {}}, headers={"If-Match": az.get(vm_path())["etag"]})


def test_provisioned_vm_is_not_ready_yet(az):
    az.network()
    az.ok("PUT", vm_path(), vm_body())

    def view():
        body = az.get(f"{vm_path()}/instanceView")
        codes = [one["code"] for one in body["statuses"]]
        agent = body.get("vmAgent", {"statuses": [{"displayStatus": None}]})
        return codes, agent["statuses"][0]["displayStatus"]

    assert view() == (["ProvisioningState/creating"], None)
    az.arm.advance(44)
    assert view() == (["ProvisioningState/succeeded", "PowerState/starting"], "Not Ready")
    az.arm.advance(39)
    assert view()[1] == "Not Ready"
    az.arm.advance(1)
    assert view() == (["ProvisioningState/succeeded", "PowerState/running"], "Ready")
    expanded = az.get(vm_path(), query="&$expand=instanceView")["properties"]["instanceView"]
    assert expanded == az.get(f"{vm_path()}/instanceView")


def test_a_list_of_statuses_tells_the_instance_view_and_no_tags(az):
    az.network()
    az.machine(tags={"owner": "somebody"})
    az.arm.advance(100)
    (told,) = az.get(_EVERYWHERE, query="&statusOnly=true")["value"]
    assert told["properties"]["instanceView"] == az.get(f"{vm_path()}/instanceView")
    assert "tags" not in told
    assert "storageProfile" not in told["properties"]
    az.arm.settings.set("agentless_lists", value=True)
    (told,) = az.get(_EVERYWHERE, query="&statusOnly=true")["value"]
    assert "vmAgent" not in told["properties"]["instanceView"]
    (told,) = az.get(_EVERYWHERE)["value"]
    assert told["tags"] == {"owner": "somebody"}
    assert "instanceView" not in told["properties"]


def test_vms_are_listed_in_their_group_and_in_the_subscription(az):
    az.network()
    az.machine()
    assert names(az, "Microsoft.Compute/virtualMachines") == ["vm"]
    everywhere = vm_path().partition("/resourceGroups/")[0] + "/providers/Microsoft.Compute"
    assert len(az.get(f"{everywhere}/virtualMachines")["value"]) == 1
    refused = az.refusal("GET", group_path("none") + "/providers/Microsoft.Compute/virtualMachines")
    assert refused == (404, "ResourceGroupNotFound")


@pytest.mark.parametrize("forced", [False, True])
def test_vm_delete_deletes_marked_dependents(az, forced):
    az.network()
    az.machine()
    assert az.kinds() == ALL
    query = "&forceDeletion=true" if forced else ""
    answer = az.ok("DELETE", vm_path(), query=query)
    assert (answer.status, answer.headers["Retry-After"]) == (202, "10")
    assert answer.headers["Location"].count("monitor=true") == 1
    assert az.get(vm_path())["properties"]["provisioningState"] == "Deleting"
    assert az.get_url(answer.headers["Location"]).status == 202
    az.arm.advance(20 if forced else 44)
    assert (az.status(vm_path()) == 404) == forced
    az.arm.advance(1)
    assert az.get_url(answer.headers["Azure-AsyncOperation"]).body["status"] == "Succeeded"
    assert az.get_url(answer.headers["Location"]).status == 204
    assert az.kinds() == sorted(BASE)
    assert az.arm.show()["billing"] == []
    assert az.ok("DELETE", vm_path()).status == 204


def test_detached_dependents_stay_and_are_billed(az):
    az.network()
    body = vm_body(
        disk__deleteOption=..., net__networkInterfaceConfigurations=[inline_nic("Detach")]
    )
    az.complete("PUT", vm_path(), body)
    az.complete("DELETE", vm_path())
    left = sorted([*BASE, "disks", "networkInterfaces", "publicIPAddresses"])
    assert az.kinds() == left
    assert [one.rsplit("/", 2)[1] for one in az.arm.show()["billing"]] == [
        "disks",
        "publicIPAddresses",
    ]
    disk = az.get(resource_path(DISK, "vm-os"))
    assert (disk["properties"]["diskState"], "managedBy" in disk) == ("Unattached", False)
    az.complete("DELETE", resource_path(DISK, "vm-os"))


def test_deleted_interface_can_leave_its_public_ip(az):
    az.network()
    nic = inline_nic()
    inside = nic["properties"]["ipConfigurations"][0]["properties"]
    del inside["publicIPAddressConfiguration"]["properties"]["deleteOption"]
    az.complete("PUT", vm_path(), vm_body(net__networkInterfaceConfigurations=[nic]))
    az.complete("DELETE", vm_path())
    assert az.kinds() == sorted([*BASE, "publicIPAddresses"])


def test_delete_preempts_a_create(az):
    az.network()
    create = az.ok("PUT", vm_path(), vm_body()).headers["Azure-AsyncOperation"]
    az.ok("DELETE", vm_path())
    ended = az.get_url(create).body
    assert (ended["status"], ended["error"]["code"]) == ("Canceled", "OperationPreempted")
    az.arm.advance(45)
    assert az.kinds() == sorted(BASE)


def test_vm_in_deletion_accepts_only_delete(az):
    az.network()
    az.machine()
    first = az.ok("DELETE", vm_path()).headers["Azure-AsyncOperation"]
    for method, path, body in (
        ("PUT", vm_path(), vm_body()),
        ("PATCH", vm_path(), {"tags": {}}),
        ("POST", f"{vm_path()}/start", None),
    ):
        assert az.refusal(method, path, body) == (409, "OperationNotAllowed")
    assert az.ok("DELETE", vm_path()).headers["Azure-AsyncOperation"] == first


def test_an_attached_disk_is_not_deleted(az):
    az.network()
    az.machine()
    assert az.get(resource_path(DISK, "vm-os"))["managedBy"] == vm_path()
    assert az.refusal("DELETE", resource_path(DISK, "vm-os")) == (409, "OperationNotAllowed")


@pytest.mark.parametrize("where", ["disk", "data"])
def test_new_disk_needs_an_unused_name(az, where):
    az.network()
    az.complete("PUT", resource_path(DISK, "orphan"), disk_body())
    changes = (
        {"disk__name": "orphan"}
        if where == "disk"
        else {
            "data_disks": [{"lun": 0, "createOption": "Empty", "name": "orphan", "diskSizeGB": 4}]
        }
    )
    answer = az.send("PUT", vm_path(), vm_body(**changes))
    assert (answer.status, answer.body["error"]["code"]) == (409, "ConflictingUserInput")
    assert "Only CreateOption.Attach is supported" in answer.body["error"]["message"]


def test_data_disks_follow_their_options(az):
    az.network()
    az.complete("PUT", resource_path(DISK, "own"), disk_body())
    data = [
        {"lun": 0, "createOption": "Empty", "diskSizeGB": 64, "deleteOption": "Delete"},
        {"lun": 1, "createOption": "Attach", "managedDisk": {"id": resource_path(DISK, "own")}},
    ]
    az.complete("PUT", vm_path(), vm_body(data_disks=data))
    shown = az.get(vm_path())["properties"]["storageProfile"]["dataDisks"]
    assert shown[0]["name"].startswith("vm_DataDisk_0_")
    assert shown[1]["managedDisk"]["id"] == resource_path(DISK, "own")
    assert len(names(az, DISK)) == 3
    assert az.get(resource_path(DISK, "own"))["managedBy"] == vm_path()
    other = vm_body("other", data_disks=data[1:])
    assert az.refusal("PUT", vm_path("other"), other) == (409, "OperationNotAllowed")
    az.complete("DELETE", vm_path())
    assert names(az, DISK) == ["own"]


def test_size_limits_the_data_disks(az):
    az.network()
    data = [{"lun": lun, "createOption": "Empty", "diskSizeGB": 4} for lun in range(9)]
    assert az.refusal("PUT", vm_path(), vm_body(data_disks=data)) == (409, "OperationNotAllowed")
    az.complete("PUT", vm_path(), vm_body(data_disks=data[:8]))


def test_attached_data_disk_must_exist(az):
    az.network()
    data = [
        {"lun": 1, "createOption": "Attach", "managedDisk": {"id": resource_path(DISK, "none")}}
    ]
    assert az.refusal("PUT", vm_path(), vm_body(data_disks=data)) == (404, "NotFound")


def test_repeated_put_is_an_update(az):
    az.network()
    az.machine()
    before = az.get(vm_path())
    answer = az.ok("PUT", vm_path(), vm_body(tags={"a": "b"}))
    assert (answer.status, "Retry-After" in answer.headers) == (200, False)
    assert answer.body["properties"]["provisioningState"] == "Updating"
    assert az.refusal("PUT", vm_path(), vm_body()) == (409, "Conflict")
    az.arm.advance(10)
    after = az.get(vm_path())
    assert after["tags"] == {"a": "b"}
    assert after["etag"] != before["etag"]
    assert after["properties"] == before["properties"]
    assert az.kinds() == ALL


def test_get_body_can_be_put_again(az):
    az.network()
    az.machine()
    az.complete("PUT", vm_path(), az.get(vm_path()))


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({"zones": ["1"]}, "zones"),
        ({"os__customData": "bmV3"}, "customData"),
        ({"os__computerName": "new"}, "computerName"),
        ({"os__adminUsername": "other"}, "adminUsername"),
        (
            {"os__linuxConfiguration__ssh__publicKeys": []},
            "linuxConfiguration.ssh.publicKeys",
        ),
        (
            {"os__linuxConfiguration__disablePasswordAuthentication": False},
            "linuxConfiguration.disablePasswordAuthentication",
        ),
        ({"size": "Standard_DC2as_v5"}, "hardwareProfile.vmSize"),
        ({"image__version": "24.04.202606070"}, "imageReference"),
        ({"disk__name": "new"}, "osDisk.name"),
        ({"disk__diskSizeGB": 65}, "osDisk.diskSizeGB"),
        (
            {"managed__securityProfile__securityEncryptionType": "DiskWithVMGuestState"},
            "osDisk.managedDisk.securityProfile",
        ),
        ({"security__securityType": "TrustedLaunch"}, "securityProfile.securityType"),
        ({"security__uefiSettings__secureBootEnabled": False}, "securityProfile.uefiSettings"),
        ({"priority": "Spot"}, "priority"),
        (
            {"net__networkInterfaceConfigurations": [inline_nic("Detach")]},
            "networkProfile.networkInterfaceConfigurations",
        ),
    ],
)
def test_change_of_a_fixed_property_is_refused(az, changes, target):
    az.network()
    az.machine()
    answer = az.send("PUT", vm_path(), vm_body(**changes))
    assert (answer.status, answer.body["error"]["code"]) == (409, "PropertyChangeNotAllowed")
    assert answer.body["error"]["target"] == target


def test_omitted_properties_are_unchanged(az):
    az.network()
    az.machine()
    body = vm_body(os__customData=..., net=..., os__linuxConfiguration=...)
    az.complete("PUT", vm_path(), body)


PLAIN = {
    "size": "Standard_D4s_v5",
    "security": ...,
    "managed__securityProfile": ...,
    "image__sku": "server",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"size": "Standard_DC2as_v5"},
        {"properties__evictionPolicy": "Delete"},
    ],
)
def test_unsupported_change_is_a_gap(az, changes):
    az.network()
    az.complete("PUT", vm_path(), vm_body(**PLAIN))
    with pytest.raises(FakeGap, match="changing"):
        az.send("PUT", vm_path(), vm_body(**PLAIN | changes))


def test_passwords_and_disks_may_be_repeated(az):
    az.network()
    data = [{"lun": 0, "createOption": "empty", "diskSizeGB": 4}]
    body = vm_body(data_disks=data, os__adminPassword="x", disk__createOption="fromImage")
    az.complete("PUT", vm_path(), body)
    az.complete("PUT", vm_path(), body)


def test_change_of_interfaces_is_a_gap(az):
    az.network()
    az.machine()
    with pytest.raises(FakeGap):
        az.send(
            "PUT",
            vm_path(),
            vm_body(net={"networkInterfaces": [{"id": resource_path(NIC, "new")}]}),
        )


@pytest.mark.parametrize("body", [vm_body(placement={}), vm_body(properties__availabilitySet={})])
def test_unknown_properties_are_a_gap(az, body):
    az.network()
    with pytest.raises(FakeGap, match=r"placement|availabilitySet"):
        az.send("PUT", vm_path(), body)


def test_patch_replaces_the_tags_in_an_operation(az):
    az.network()
    az.machine(tags={"a": "b"})
    answer = az.ok("PATCH", vm_path(), {"tags": {"c": "d"}})
    assert (answer.status, answer.body["tags"]) == (200, {"c": "d"})
    assert answer.headers["Azure-AsyncOperation"]
    assert az.refusal("PATCH", vm_path(), {"tags": {}}) == (409, "Conflict")
    az.arm.advance(10)
    assert az.get(vm_path())["tags"] == {"c": "d"}


def test_identities_must_exist_and_have_principals(az):
    az.network()
    path = resource_path("Microsoft.ManagedIdentity/userAssignedIdentities", "id")
    body = vm_body(
        identity={"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {path: {}}}
    )
    assert az.refusal("PUT", vm_path(), body) == (400, "FailedIdentityOperation")
    principal = az.ok("PUT", path, {"location": REGION}).body["properties"]["principalId"]
    az.complete("PUT", vm_path(), body)
    identity = az.get(vm_path())["identity"]
    assert identity["userAssignedIdentities"][path]["principalId"] == principal
    assert identity["principalId"]


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_missing_vm_is_not_found(az, method):
    az.network()
    assert az.refusal(method, vm_path(), {"tags": {}}) == (404, "ResourceNotFound")


def test_an_attached_disk_stays_attached_when_it_is_written(az):
    az.network()
    az.machine()
    az.complete("PUT", resource_path(DISK, "vm-os"), disk_body())
    assert az.get(resource_path(DISK, "vm-os"))["managedBy"] == vm_path()
    assert az.get(resource_path(DISK, "vm-os"))["properties"]["diskState"] == "Attached"


def test_diagnostics_can_be_changed(az):
    az.network()
    az.machine(properties__diagnosticsProfile=...)
    az.complete("PUT", vm_path(), vm_body())
    assert az.get(vm_path())["properties"]["diagnosticsProfile"]["bootDiagnostics"]["enabled"]


def test_vm_delete_cancels_operations_on_deleted_dependents(az):
    az.network()
    az.machine()
    az.arm.settings.set("durations", "publicIp", value=100)
    (pip,) = names(az, PIP)
    write = az.ok("PUT", resource_path(PIP, pip), pip_body()).headers["Azure-AsyncOperation"]
    az.complete("DELETE", vm_path())
    az.arm.advance(100)
    assert az.get_url(write).body["status"] == "Canceled"
