"""Locks and denied types apply to every caller."""

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION
from support.arm import (
    REGION,
    group_path,
    nsg_body,
    pip_body,
    resource_path,
    subnet_path,
    vm_body,
    vm_path,
)

NSG = resource_path("Microsoft.Network/networkSecurityGroups", "nsg")
VNET = resource_path("Microsoft.Network/virtualNetworks", "vnet")
PIP = resource_path("Microsoft.Network/publicIPAddresses", "one")
SUBSCRIPTION = f"/subscriptions/{FAKE_SUBSCRIPTION}"


@pytest.mark.parametrize(
    ("level", "method", "path", "locked"),
    [
        ("CanNotDelete", "DELETE", NSG, NSG),
        ("CanNotDelete", "DELETE", NSG, group_path()),
        ("CanNotDelete", "DELETE", NSG, SUBSCRIPTION),
        ("CanNotDelete", "DELETE", NSG.replace("/g/", "/G/"), f"{group_path()}/"),
        ("CanNotDelete", "DELETE", group_path(), NSG),
        ("CanNotDelete", "DELETE", VNET, subnet_path()),
        ("ReadOnly", "DELETE", NSG, NSG),
        ("ReadOnly", "PUT", NSG, group_path()),
        ("ReadOnly", "PATCH", NSG, NSG),
        ("ReadOnly", "POST", f"{vm_path()}/start", vm_path()),
        ("ReadOnly", "POST", f"{vm_path()}/retrieveBootDiagnosticsData", group_path()),
    ],
)
def test_lock_refuses_its_kind_of_change(az, level, method, path, locked):
    az.network()
    az.arm.settings.set("locks", value={locked: level})
    answer = az.send(method, path, nsg_body() if method == "PUT" else {"tags": {}})
    error = answer.body["error"]
    assert (answer.status, error["code"]) == (409, "ScopeLocked")
    verb = "delete" if method == "DELETE" else "write"
    assert f"cannot perform {verb} operation" in error["message"]
    assert f"locked: '{locked}'." in error["message"]


@pytest.mark.parametrize(
    ("level", "method", "path", "locked"),
    [
        ("CanNotDelete", "PUT", NSG, group_path()),
        ("CanNotDelete", "PATCH", NSG, NSG),
        (
            "CanNotDelete",
            "DELETE",
            NSG,
            resource_path("Microsoft.Network/networkSecurityGroups", "ns"),
        ),
        ("CanNotDelete", "DELETE", NSG, VNET),
        ("ReadOnly", "GET", NSG, NSG),
        ("ReadOnly", "HEAD", group_path(), group_path()),
        ("ReadOnly", "PATCH", group_path(), NSG),
    ],
)
def test_lock_allows_other_requests(az, level, method, path, locked):
    az.group()
    az.complete("PUT", NSG, nsg_body())
    az.arm.settings.set("locks", value={locked: level})
    body = {"PUT": nsg_body(), "PATCH": {"tags": {}}}.get(method)
    assert az.send(method, path, body).status in (200, 202, 204)


def test_denied_type_is_refused_with_the_message(az):
    az.group()
    az.arm.settings.set(
        "denied", value=[{"kind": "microsoft.network/PUBLICIPADDRESSES", "message": "no addresses"}]
    )
    answer = az.send("PUT", PIP, pip_body())
    error = answer.body["error"]
    assert (answer.status, error["code"]) == (403, "RequestDisallowedByPolicy")
    assert (error["target"], error["additionalInfo"][0]["type"]) == ("one", "PolicyViolation")
    assert "Resource 'one'" in error["message"]
    assert "Reasons: 'no addresses'" in error["message"]
    az.complete("PUT", NSG, nsg_body())
    assert az.send("DELETE", PIP).status == 204


def test_a_policy_refuses_a_group(az):
    kind = "Microsoft.Resources/subscriptions/resourceGroups"
    az.arm.settings.set("denied", value=[{"kind": kind, "message": "no"}])
    assert az.refusal("PUT", group_path(), {"location": REGION}) == (
        403,
        "RequestDisallowedByPolicy",
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Microsoft.Network/publicIPAddresses", "pip"),
        ("Microsoft.Network/networkInterfaces", "nic"),
        ("Microsoft.Compute/disks", "vm-os"),
        ("Microsoft.Compute/virtualMachines", "vm"),
    ],
)
def test_denied_type_inline_in_a_vm_is_refused(az, kind, name):
    az.network()
    az.arm.settings.set("denied", value=[{"kind": kind, "message": "no"}])
    answer = az.send("PUT", vm_path(), vm_body())
    assert answer.body["error"]["target"] == name
    assert az.status(vm_path()) == 404


def test_start_is_not_a_write_of_a_type(az):
    az.network()
    az.machine()
    kind = "Microsoft.Compute/virtualMachines"
    az.arm.settings.set("denied", value=[{"kind": kind, "message": "no"}])
    assert az.send("POST", f"{vm_path()}/deallocate").status == 202
