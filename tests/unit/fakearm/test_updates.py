"""Updates of an existing VM: what Azure changes in place, and what it refuses."""

import pytest

from support.arm import REGION, disk_body, resource_path, vm_body, vm_path

DISK = "Microsoft.Compute/disks"
IDS = [
    resource_path("Microsoft.ManagedIdentity/userAssignedIdentities", name)
    for name in ("one", "two")
]
SIZE = "Standard_NCC40ads_H100_v5"
SCRATCH = {"name": "scratch", "lun": 0, "createOption": "Empty", "diskSizeGB": 64}
MORE = {
    "name": "more",
    "lun": 1,
    "createOption": "Empty",
    "diskSizeGB": 32,
    "deleteOption": "Delete",
}


def machine(az, **changes):
    az.network()
    for one in IDS:
        az.ok("PUT", one, {"location": REGION})
    az.machine(**changes)
    az.arm.advance(60)


def data_disks(az):
    return az.get(vm_path())["properties"]["storageProfile"]["dataDisks"]


def patch(az, **properties):
    return az.complete("PATCH", vm_path(), {"properties": properties})


def failing_start(az):
    """Deallocate the VM and take its capacity away."""
    az.complete("POST", f"{vm_path()}/deallocate")
    az.arm.settings.set("capacity", SIZE, REGION, "", value=0)
    end = az.wait_for_end(az.ok("POST", f"{vm_path()}/start").headers["Azure-AsyncOperation"])
    assert (end["status"], end["error"]["code"]) == ("Failed", "AllocationFailed")


def statuses(az):
    return [one["code"] for one in az.get(f"{vm_path()}/instanceView")["statuses"]]


def test_unchanged_put_is_synchronous(az):
    machine(az, data_disks=[SCRATCH])
    before = az.get(vm_path())
    answer = az.ok("PUT", vm_path(), vm_body(data_disks=[SCRATCH]))
    assert (answer.status, answer.body) == (200, before)
    assert "Azure-AsyncOperation" not in answer.headers
    assert az.get(vm_path()) == before


def test_extension_operations_can_be_forbidden_and_allowed_later(az):
    machine(az, os__allowExtensionOperations=False)
    profiles = [az.get(vm_path())["properties"]["osProfile"]]
    for allowed in (True, False):
        patch(az, osProfile={"allowExtensionOperations": allowed})
        profiles.append(az.get(vm_path())["properties"]["osProfile"])
    assert [one["allowExtensionOperations"] for one in profiles] == [False, True, False]
    assert profiles[0] == profiles[2]
    body = {"properties": {"osProfile": {"allowExtensionOperations": "yes"}}}
    assert az.refusal("PATCH", vm_path(), body) == (400, "InvalidParameter")


def test_etags_count_the_writes(az):
    az.network()
    told = [az.ok("PUT", vm_path(), vm_body()).body["etag"]]
    az.arm.advance(100)
    told += [
        az.get(vm_path())["etag"],
        az.ok("PATCH", vm_path(), {"tags": {"a": "b"}}).body["etag"],
    ]
    assert told == ['"1"', '"2"', '"3"']


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_data_disk_is_added_and_detached(az, method):
    machine(az, data_disks=[SCRATCH])

    def write(disks):
        storage = {"storageProfile": {"dataDisks": disks}}
        return az.complete(
            method,
            vm_path(),
            vm_body(data_disks=disks) if method == "PUT" else {"properties": storage},
        )

    assert write([SCRATCH, MORE]).headers["Azure-AsyncOperation"]
    assert [(one["name"], one["lun"], one["managedDisk"]["id"]) for one in data_disks(az)] == [
        ("scratch", 0, resource_path(DISK, "scratch")),
        ("more", 1, resource_path(DISK, "more")),
    ]
    assert az.get(resource_path(DISK, "more"))["managedBy"] == vm_path()
    assert resource_path(DISK, "more") in az.arm.show()["billing"]
    write([MORE])
    assert [one["name"] for one in data_disks(az)] == ["more"]
    assert "managedBy" not in az.get(resource_path(DISK, "scratch"))
    write(
        [
            {**MORE, "toBeDetached": True},
            {
                "lun": 3,
                "createOption": "Attach",
                "managedDisk": {"id": resource_path(DISK, "scratch")},
            },
        ]
    )
    assert [(one["name"], one["lun"]) for one in data_disks(az)] == [("scratch", 3)]
    assert "managedBy" not in az.get(resource_path(DISK, "more"))
    az.complete("DELETE", vm_path())
    assert {one["id"] for one in az.arm.show()["resources"] if one["kind"] == DISK} == {
        resource_path(DISK, "scratch"),
        resource_path(DISK, "more"),
    }


def test_omitted_data_disks_are_unchanged(az):
    machine(az, data_disks=[SCRATCH])
    az.complete("PUT", vm_path(), vm_body(tags={"a": "b"}))
    assert [one["name"] for one in data_disks(az)] == ["scratch"]


@pytest.mark.parametrize(
    ("disks", "refusal"),
    [
        (
            [{**SCRATCH, "diskSizeGB": 128}],
            (409, "PropertyChangeNotAllowed", "dataDisk.diskSizeGB"),
        ),
        ([{**SCRATCH, "lun": 5}], (409, "PropertyChangeNotAllowed", "dataDisk.lun")),
        (
            [{**SCRATCH, "managedDisk": {"storageAccountType": "StandardSSD_LRS"}}],
            (409, "PropertyChangeNotAllowed", "dataDisk.managedDisk.storageAccountType"),
        ),
        ([SCRATCH, {**MORE, "lun": 0}], (400, "InvalidParameter", "dataDisk.lun")),
        ([SCRATCH, {"name": "more", "createOption": "Empty"}], (400, "InvalidParameter", "lun")),
        (
            [SCRATCH, {**MORE, "name": "free"}],
            (409, "ConflictingUserInput", resource_path(DISK, "free")),
        ),
        (
            [{**MORE, "name": f"d{lun}", "lun": lun} for lun in range(9)],
            (409, "OperationNotAllowed", None),
        ),
        (
            [{"lun": 1, "createOption": "Attach", "managedDisk": {"id": "/none"}}],
            (404, "NotFound", None),
        ),
    ],
)
def test_refused_data_disks_change_nothing(az, disks, refusal):
    machine(az, data_disks=[SCRATCH])
    az.complete("PUT", resource_path(DISK, "free"), disk_body())
    before, made = az.get(vm_path()), az.kinds()
    for method, body in (
        ("PUT", vm_body(data_disks=disks)),
        ("PATCH", {"properties": {"storageProfile": {"dataDisks": disks}}}),
    ):
        answer = az.send(method, vm_path(), body)
        error = answer.body["error"]
        assert (answer.status, error["code"], error.get("target")) == refusal
    assert (az.get(vm_path()), az.kinds()) == (before, made)


def test_patch_adds_and_removes_identities(az):
    machine(az)
    az.complete("PATCH", vm_path(), {"identity": {"type": "SystemAssigned"}})
    system = az.get(vm_path())["identity"]
    both = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {IDS[0]: {}}}
    az.complete("PATCH", vm_path(), {"identity": both})
    az.complete("PATCH", vm_path(), {"identity": {**both, "userAssignedIdentities": {IDS[1]: {}}}})
    told = az.get(vm_path())["identity"]
    assert told["principalId"] == system["principalId"]
    assert set(told["userAssignedIdentities"]) == set(IDS)
    assert told["userAssignedIdentities"][IDS[0]].keys() == {"principalId", "clientId"}
    az.complete(
        "PATCH",
        vm_path(),
        {"identity": {"type": "UserAssigned", "userAssignedIdentities": {IDS[0]: None}}},
    )
    told = az.get(vm_path())["identity"]
    assert (told["type"], set(told["userAssignedIdentities"])) == ("UserAssigned", {IDS[1]})
    az.complete("PATCH", vm_path(), {"identity": {"type": "None"}})
    assert "identity" not in az.get(vm_path())


def test_a_put_replaces_identities(az):
    machine(az, identity={"type": "UserAssigned", "userAssignedIdentities": {IDS[0]: {}}})
    az.complete(
        "PUT",
        vm_path(),
        vm_body(identity={"type": "UserAssigned", "userAssignedIdentities": {IDS[1]: {}}}),
    )
    assert set(az.get(vm_path())["identity"]["userAssignedIdentities"]) == {IDS[1]}
    az.complete("PUT", vm_path(), vm_body())
    assert set(az.get(vm_path())["identity"]["userAssignedIdentities"]) == {IDS[1]}


def test_missing_identity_is_refused(az):
    machine(az)
    given = {"type": "UserAssigned", "userAssignedIdentities": {f"{IDS[0]}x": {}}}
    for method, body in (("PUT", vm_body(identity=given)), ("PATCH", {"identity": given})):
        assert az.refusal(method, vm_path(), body) == (400, "FailedIdentityOperation")
    assert az.refusal("PATCH", vm_path(), {"identity": {"type": "Mine"}}) == (
        400,
        "InvalidRequestContent",
    )


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_boot_diagnostics_and_tags_are_changed(az, method):
    machine(az)
    off = {"diagnosticsProfile": {"bootDiagnostics": {"enabled": False}}}
    changes = {"properties__diagnosticsProfile": off["diagnosticsProfile"], "tags": {"a": "b"}}
    body = vm_body(**changes) if method == "PUT" else {"tags": {"a": "b"}, "properties": off}
    az.complete(method, vm_path(), body)
    told = az.get(vm_path())
    assert told["properties"]["diagnosticsProfile"] == off["diagnosticsProfile"]
    assert told["tags"] == {"a": "b"}


def test_a_patch_does_not_change_what_is_fixed(az):
    machine(az)
    other = {"hardwareProfile": {"vmSize": "Standard_D4s_v5"}}
    answer = az.send("PATCH", vm_path(), {"properties": other})
    assert (answer.status, answer.body["error"]["code"]) == (409, "PropertyChangeNotAllowed")


def test_interfaces_are_referenced_or_inline_not_both(az):
    machine(az)
    named = az.get(vm_path())["properties"]["networkProfile"]["networkInterfaces"]
    az.ok("PUT", vm_path(), vm_body(net={"networkInterfaces": named}))
    body = vm_body()
    body["properties"]["networkProfile"]["networkInterfaces"] = named
    assert az.refusal("PUT", vm_path(), body) == (400, "InvalidParameter")


@pytest.mark.parametrize("way", ["start", "reapply", "PUT"])
def test_vm_recovers_from_a_failed_start(az, way):
    machine(az)
    failing_start(az)
    assert az.get(vm_path())["properties"]["provisioningState"] == "Failed"
    assert statuses(az) == ["ProvisioningState/failed/AllocationFailed", "PowerState/deallocated"]
    assert vm_path() not in az.arm.show()["billing"]
    az.arm.settings.set("capacity", SIZE, REGION, "", value=1)
    az.complete("PUT", vm_path(), vm_body()) if way == "PUT" else az.complete(
        "POST", f"{vm_path()}/{way}"
    )
    power = "PowerState/running" if way == "start" else "PowerState/deallocated"
    assert statuses(az) == ["ProvisioningState/succeeded", power]


def test_vm_that_never_ran_stays_failed(az):
    az.network()
    az.arm.settings.set("capacity", SIZE, REGION, "", value=0)
    az.wait_for_end(az.ok("PUT", vm_path(), vm_body()).headers["Azure-AsyncOperation"])
    az.wait_for_end(az.ok("POST", f"{vm_path()}/reapply").headers["Azure-AsyncOperation"])
    az.wait_for_end(az.ok("PATCH", vm_path(), {"tags": {"a": "b"}}).headers["Azure-AsyncOperation"])
    assert statuses(az) == ["ProvisioningState/failed/AllocationFailed"]
    assert az.get(vm_path())["tags"] == {"a": "b"}


def test_a_reapply_is_an_operation_like_the_others(az):
    machine(az)
    answer = az.ok("POST", f"{vm_path()}/reapply")
    assert (answer.status, "Location" in answer.headers) == (202, True)
    assert statuses(az)[-1] == "PowerState/running"
    assert az.refusal("POST", f"{vm_path()}/reapply") == (409, "Conflict")
