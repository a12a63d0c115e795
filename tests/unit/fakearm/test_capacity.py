"""Quota is refused at once. Missing capacity fails an accepted create."""

import re

import pytest

from support.arm import (
    REGION,
    image_reference,
    inline_nic,
    nic_body,
    resource_path,
    vm_body,
    vm_path,
    vnet_body,
)

NIC = "Microsoft.Network/networkInterfaces"
SIZE = "Standard_NCC40ads_H100_v5"
FAMILY = "StandardNCCads2023Family"
USAGES = vm_path().partition("/resourceGroups/")[0] + (
    "/providers/Microsoft.Compute/locations/eastus2/usages"
)


def usage(az):
    return {one["name"]["value"]: one["currentValue"] for one in az.get(USAGES)["value"]}


@pytest.mark.parametrize(
    ("quota", "spot", "what", "numbers"),
    [
        (FAMILY, None, f"{FAMILY} Cores", (79, 40, 40, 80)),
        ("cores", None, "Total Regional Cores", (79, 40, 40, 80)),
        ("lowPriorityCores", "Spot", "LowPriorityCores", (79, 40, 40, 80)),
    ],
)
def test_quota_error_contains_limit_and_usage(az, quota, spot, what, numbers):
    az.network()
    az.arm.settings.set("quota", REGION, quota, value=79)
    az.complete("PUT", vm_path("one"), vm_body("one", priority=spot))
    answer = az.send("PUT", vm_path("two"), vm_body("two", priority=spot))
    text = answer.body["error"]["message"]
    assert (answer.status, answer.body["error"]["code"]) == (409, "OperationNotAllowed")
    assert f"exceeding approved {what} quota" in text
    found = re.search(
        r"Limit: (\d+), Current Usage: (\d+), Additional Required: (\d+), "
        r"\(Minimum\) New Limit Required: (\d+)",
        text,
    )
    assert tuple(map(int, found.groups())) == numbers


def test_family_quota_is_checked_before_regional_quota(az):
    az.network()
    az.arm.settings.set("quota", "*", value={})
    assert FAMILY in az.send("PUT", vm_path(), vm_body()).body["error"]["message"]


def test_spot_vm_does_not_use_family_quota(az):
    az.network()
    az.arm.settings.set("quota", "*", value={"lowPriorityCores": 40})
    az.complete("PUT", vm_path(), vm_body(priority="Spot"))


def test_usage_counts_existing_vms(az):
    az.network()
    assert (usage(az)["cores"], usage(az)[FAMILY]) == (0, 0)
    az.machine()
    az.complete("PUT", vm_path("spot"), vm_body("spot", priority="Spot"))
    seen = usage(az)
    assert (seen["cores"], seen[FAMILY], seen["lowPriorityCores"]) == (40, 40, 40)
    az.complete("POST", f"{vm_path()}/deallocate")
    assert usage(az)["cores"] == 40
    az.complete("DELETE", vm_path())
    assert (usage(az)["cores"], usage(az)[FAMILY]) == (0, 0)


def test_usage_is_counted_by_region(az):
    az.network()
    az.machine()
    west = USAGES.replace("eastus2", "westeurope")
    assert {one["currentValue"] for one in az.get(west)["value"]} == {0}


def fail(az, *, zone="", **changes):
    az.arm.settings.set("capacity", SIZE, REGION, zone, value=0)
    body = vm_body(**changes) | ({"zones": [zone]} if zone else {})
    answer = az.ok("PUT", vm_path(), body)
    assert answer.status == 201
    ended = az.wait_for_end(answer.headers["Azure-AsyncOperation"])
    assert ended["status"] == "Failed"
    return ended["error"]


@pytest.mark.parametrize(
    ("zone", "code"), [("", "AllocationFailed"), ("2", "ZonalAllocationFailed")]
)
def test_create_without_capacity_is_accepted_then_fails(az, zone, code):
    az.network()
    assert fail(az, zone=zone)["code"] == code
    view = az.get(f"{vm_path()}/instanceView")["statuses"]
    assert [one["code"] for one in view] == [f"ProvisioningState/failed/{code}"]
    assert az.get(vm_path())["properties"]["provisioningState"] == "Failed"


@pytest.mark.parametrize(
    "code",
    [
        "OverconstrainedAllocationRequest",
        "OverconstrainedZonalAllocationRequest",
        "AllocationFailed",
        "SkuNotAvailable",
    ],
)
def test_allocation_error_code_is_configurable(az, code):
    az.network()
    az.arm.settings.set("allocation_error", value=code)
    assert fail(az)["code"] == code


@pytest.mark.parametrize("leaves", [True, False])
def test_failed_create_leaves_its_dependents(az, leaves):
    az.network()
    az.arm.settings.set("failed_create_leaves_disk", value=leaves)
    fail(az)
    left = az.kinds()
    assert {"virtualMachines", "networkInterfaces", "publicIPAddresses"} <= set(left)
    assert ("disks" in left) == leaves
    costing = {one.rsplit("/", 2)[1] for one in az.arm.show()["billing"]}
    assert costing == {"publicIPAddresses"} | ({"disks"} if leaves else set())
    shown = az.get(vm_path())["properties"]["networkProfile"]["networkInterfaces"]
    assert len(shown) == 1
    az.complete("DELETE", vm_path())
    assert az.kinds() == ["networkSecurityGroups", "resourceGroups", "virtualNetworks"]


def test_repeated_put_retries_a_failed_create(az):
    az.network()
    fail(az)
    az.arm.settings.set("capacity", value={})
    answer = az.ok("PUT", vm_path(), vm_body())
    assert (answer.status, answer.body["properties"]["provisioningState"]) == (200, "Creating")
    assert az.wait_for_end(answer.headers["Azure-AsyncOperation"])["status"] == "Succeeded"
    assert az.kinds().count("disks") == 1
    statuses = az.get(f"{vm_path()}/instanceView")["statuses"]
    assert statuses[0]["code"] == "ProvisioningState/succeeded"


def test_capacity_is_counted_by_zone(az):
    az.network()
    az.arm.settings.set("capacity", SIZE, REGION, value={"1": 1, "2": 1})
    az.arm.settings.set("quota", "*", FAMILY, value=400)
    az.machine("one", zones=["1"])
    second = az.ok("PUT", vm_path("two"), vm_body("two", zones=["1"]))
    assert az.wait_for_end(second.headers["Azure-AsyncOperation"])["status"] == "Failed"
    az.machine("three", zones=["2"])
    az.machine("four", zones=["3"])


def test_capacity_is_counted_by_size(az):
    az.network()
    az.arm.settings.set("capacity", SIZE, REGION, "", value=0)
    plain = vm_body(
        size="Standard_D4s_v5",
        security=...,
        managed__securityProfile=...,
        image=image_reference("server"),
    )
    az.complete("PUT", vm_path(), plain)


def test_failed_create_reserves_its_interface_for_a_while(az):
    az.network()
    az.ok("PUT", resource_path(NIC, "own"), nic_body())
    net = {"networkInterfaces": [{"id": resource_path(NIC, "own")}]}
    fail(az, net=net)
    assert az.refusal("DELETE", resource_path(NIC, "own")) == (400, "NicInUse")
    az.arm.settings.set("durations", "vm.delete", value=1)
    az.ok("DELETE", vm_path())
    az.arm.settings.set("capacity", value={})
    az.arm.advance(1)
    assert az.refusal("DELETE", resource_path(NIC, "own")) == (400, "NicReservedForAnotherVm")
    refused = az.refusal("PUT", vm_path("other"), vm_body("other", net=net))
    assert refused == (400, "NicReservedForAnotherVm")
    az.arm.advance(180)
    az.complete("DELETE", resource_path(NIC, "own"))


def test_reserved_interface_is_usable_by_its_vm(az):
    az.network()
    az.ok("PUT", resource_path(NIC, "own"), nic_body())
    net = {"networkInterfaces": [{"id": resource_path(NIC, "own")}]}
    fail(az, net=net)
    az.complete("DELETE", vm_path())
    az.arm.settings.set("capacity", value={})
    az.complete("PUT", vm_path(), vm_body(net=net))


def test_quota_limit_is_per_region(az):
    az.network()
    az.arm.settings.set("quota", "westeurope", FAMILY, value=0)
    west = resource_path("Microsoft.Network/virtualNetworks", "west")
    az.complete("PUT", west, vnet_body() | {"location": "westeurope"})
    nic = inline_nic(networkSecurityGroup=None)
    inside = nic["properties"]["ipConfigurations"][0]["properties"]
    inside["subnet"] = {"id": f"{west}/subnets/default"}
    body = vm_body(location="westeurope", net__networkInterfaceConfigurations=[nic])
    assert az.refusal("PUT", vm_path(), body) == (409, "OperationNotAllowed")
    az.arm.settings.set("quota", "westeurope", FAMILY, value=40)
    az.complete("PUT", vm_path(), body)
