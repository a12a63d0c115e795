"""Role-based access: each request's own action, and linked actions for its references."""

import pytest

from ccgpu.fakearm import rbac
from ccgpu.fakearm.service import ROUTES
from support.arm import (
    disk_body,
    group_path,
    inline_nic,
    nat_body,
    nic_body,
    nsg_body,
    pip_body,
    resource_path,
    subnet_path,
    vm_body,
    vm_path,
    vnet_body,
)

COMPUTE, NETWORK = "Microsoft.Compute", "Microsoft.Network"
NSG = resource_path(f"{NETWORK}/networkSecurityGroups", "nsg")
NIC = resource_path(f"{NETWORK}/networkInterfaces", "own")
NAT = resource_path(f"{NETWORK}/natGateways", "nat")
PIP = resource_path(f"{NETWORK}/publicIPAddresses", "one")
DES = resource_path(f"{COMPUTE}/diskEncryptionSets", "des")
IDENTITY = resource_path("Microsoft.ManagedIdentity/userAssignedIdentities", "me")
VERSION = resource_path(f"{COMPUTE}/galleries", "golden") + "/images/cvm/versions/1.0.0"


def test_routes_and_actions_correspond():
    assert rbac.ACTIONS.keys() == ROUTES.keys()


def test_owner_may_do_everything(az):
    az.network()
    az.machine()
    assert az.arm.settings.get("principal") is None


@pytest.mark.parametrize(
    ("method", "path", "action", "scope"),
    [
        (
            "GET",
            group_path(),
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            group_path(),
        ),
        (
            "PUT",
            group_path(),
            "Microsoft.Resources/subscriptions/resourceGroups/write",
            group_path(),
        ),
        (
            "DELETE",
            group_path(),
            "Microsoft.Resources/subscriptions/resourceGroups/delete",
            group_path(),
        ),
        ("PUT", vm_path(), f"{COMPUTE}/virtualMachines/write", vm_path()),
        (
            "GET",
            f"{vm_path()}/instanceView",
            f"{COMPUTE}/virtualMachines/instanceView/read",
            vm_path(),
        ),
        ("POST", f"{vm_path()}/start", f"{COMPUTE}/virtualMachines/start/action", vm_path()),
        ("PATCH", NSG, f"{NETWORK}/networkSecurityGroups/write", NSG),
        ("DELETE", subnet_path(), f"{NETWORK}/virtualNetworks/subnets/delete", subnet_path()),
        (
            "GET",
            resource_path(f"{COMPUTE}/virtualMachines", "").rstrip("/"),
            f"{COMPUTE}/virtualMachines/read",
            f"{group_path()}/providers/{COMPUTE}",
        ),
    ],
)
def test_a_request_without_its_action_is_refused_with_action_and_scope(
    az, method, path, action, scope
):
    az.arm.settings.set("principal", value=["Microsoft.Compute/disks/*"])
    answer = az.send(method, path, {"location": "eastus2"} if method == "PUT" else None)
    error = answer.body["error"]
    assert (answer.status, error["code"]) == (403, "AuthorizationFailed")
    assert f"perform action '{action}' over scope '{scope}' or the scope" in error["message"]


def test_missing_right_is_checked_before_existence(az):
    az.arm.settings.set("principal", value=[])
    assert az.refusal("GET", group_path("absent")) == (403, "AuthorizationFailed")


@pytest.mark.parametrize(
    ("granted", "allowed"),
    [
        (["*"], True),
        (["*/read"], True),
        (["Microsoft.Resources/subscriptions/resourceGroups/*"], True),
        (["microsoft.resources/SUBSCRIPTIONS/resourcegroups/read"], True),
        (["*/write", "*/resourceGroups/read"], True),
        (["*/write"], False),
        (["Microsoft.Resources/subscriptions/read"], False),
        (["Microsoft.Resources/subscriptions/resourceGroups/rea"], False),
        (["Microsoft.Resources.subscriptions.resourceGroups.read"], False),
        ([], False),
    ],
)
def test_star_matches_any_text_and_case_is_ignored(az, granted, allowed):
    az.group()
    az.arm.settings.set("principal", value=granted)
    assert az.status(group_path()) == (200 if allowed else 403)


def _keyed():
    profile = {
        "securityEncryptionType": "DiskWithVMGuestState",
        "diskEncryptionSet": {"id": DES},
    }
    return vm_body(managed__securityProfile=profile)


_JOINS = {
    "an inline interface": (
        vm_path(),
        vm_body(),
        {
            (
                f"{NETWORK}/networkInterfaces/write",
                resource_path(f"{NETWORK}/networkInterfaces", "nic"),
            ),
            (
                f"{NETWORK}/networkInterfaces/join/action",
                resource_path(f"{NETWORK}/networkInterfaces", "nic"),
            ),
            (
                f"{NETWORK}/publicIPAddresses/write",
                resource_path(f"{NETWORK}/publicIPAddresses", "pip"),
            ),
            (
                f"{NETWORK}/publicIPAddresses/join/action",
                resource_path(f"{NETWORK}/publicIPAddresses", "pip"),
            ),
            (f"{NETWORK}/virtualNetworks/subnets/join/action", subnet_path()),
            (f"{NETWORK}/networkSecurityGroups/join/action", NSG),
            (f"{COMPUTE}/disks/write", resource_path(f"{COMPUTE}/disks", "vm-os")),
        },
    ),
    "an own interface": (
        vm_path(),
        vm_body(net={"networkInterfaces": [{"id": NIC}]}),
        {(f"{NETWORK}/networkInterfaces/join/action", NIC)},
    ),
    "an encryption set": (vm_path(), _keyed(), {(f"{COMPUTE}/diskEncryptionSets/read", DES)}),
    "an identity": (
        vm_path(),
        vm_body(identity={"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}),
        {("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", IDENTITY)},
    ),
    "a gallery's version": (
        vm_path(),
        vm_body(image={"id": VERSION}),
        {(f"{COMPUTE}/galleries/images/versions/read", VERSION)},
    ),
    "a gallery's image": (
        vm_path(),
        vm_body(image={"id": VERSION.partition("/versions")[0]}),
        {(f"{COMPUTE}/galleries/images/read", VERSION.partition("/versions")[0])},
    ),
    "a disk of its own": (
        vm_path(),
        vm_body(
            data_disks=[
                {"lun": 0, "managedDisk": {"id": resource_path(f"{COMPUTE}/disks", "data")}}
            ]
        ),
        {(f"{COMPUTE}/disks/write", resource_path(f"{COMPUTE}/disks", "data"))},
    ),
    "a disk that Azure names": (
        vm_path(),
        vm_body(data_disks=[{"lun": 0, "createOption": "Empty"}]),
        {(f"{COMPUTE}/disks/write", group_path())},
    ),
    "a network's gateway": (
        resource_path(f"{NETWORK}/virtualNetworks", "vnet"),
        vnet_body(natGateway={"id": NAT}),
        {(f"{NETWORK}/natGateways/join/action", NAT)},
    ),
    "a gateway's address": (
        NAT,
        nat_body(PIP),
        {(f"{NETWORK}/publicIPAddresses/join/action", PIP)},
    ),
    "an interface's subnet": (
        NIC,
        nic_body(),
        {(f"{NETWORK}/virtualNetworks/subnets/join/action", subnet_path())},
    ),
}


@pytest.mark.parametrize(("path", "body", "needs"), _JOINS.values(), ids=_JOINS)
def test_references_need_linked_actions(az, path, body, needs):
    own = ["virtualMachines", "virtualNetworks", "natGateways", "networkInterfaces"]
    granted = [f"*/{kind}/write" for kind in own if f"/{kind}/" in path]
    az.arm.settings.set("principal", value=granted)
    answer = az.send("PUT", path, body)
    error = answer.body["error"]
    assert (answer.status, error["code"]) == (403, "LinkedAuthorizationFailed")
    actions, scopes = (
        error["message"].split(f"{start} '")[1].split("'")[0].split(",")
        for start in ("perform action(s)", "the linked scope(s)")
    )
    assert needs <= set(zip(actions, scopes, strict=True))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (NSG, nsg_body()),
        (PIP, pip_body()),
        (resource_path(f"{COMPUTE}/disks", "d"), disk_body()),
        (resource_path(f"{NETWORK}/virtualNetworks", "vnet"), vnet_body()),
    ],
)
def test_write_without_references_needs_its_own_action_only(az, path, body):
    az.group()
    az.arm.settings.set("principal", value=["*/write", "Microsoft.Resources/*"])
    assert az.send("PUT", path, body).status in (200, 201, 202)


@pytest.mark.parametrize("kind", ["disks", "networkInterfaces", "publicIPAddresses"])
def test_cascade_deletes_need_delete_actions(az, kind):
    az.network()
    az.machine()
    all_ = ("virtualMachines", "disks", "networkInterfaces", "publicIPAddresses")
    az.arm.settings.set("principal", value=[f"*/{one}/delete" for one in all_ if one != kind])
    answer = az.send("DELETE", vm_path())
    assert (answer.status, answer.body["error"]["code"]) == (403, "LinkedAuthorizationFailed")
    assert f"{kind}/delete" in answer.body["error"]["message"]
    az.arm.settings.set("principal", value=[f"*/{one}/delete" for one in all_])
    assert az.send("DELETE", vm_path()).status == 202


def test_detached_dependents_need_no_action(az):
    az.network()
    az.machine(
        disk__deleteOption="Detach", net__networkInterfaceConfigurations__0__properties=_left()
    )
    az.arm.settings.set("principal", value=["*/virtualMachines/delete"])
    assert az.send("DELETE", vm_path()).status == 202


def test_detached_public_ip_needs_no_action(az):
    az.network()
    nic = inline_nic()
    address = nic["properties"]["ipConfigurations"][0]["properties"]["publicIPAddressConfiguration"]
    address["properties"]["deleteOption"] = "Detach"
    az.machine(net__networkInterfaceConfigurations=[nic])
    granted = ["*/virtualMachines/delete", "*/disks/delete", "*/networkInterfaces/delete"]
    az.arm.settings.set("principal", value=granted)
    assert az.send("DELETE", vm_path()).status == 202


def _left():
    configuration = {"name": "ip", "properties": {"subnet": {"id": subnet_path()}}}
    return {"deleteOption": "Detach", "ipConfigurations": [configuration]}


def test_reader_may_poll_but_not_write(az):
    az.network()
    accepted = az.ok("PUT", vm_path(), vm_body())
    az.arm.settings.set("principal", value=["*/read"])
    assert az.get_url(accepted.headers["Azure-AsyncOperation"]).body["status"] == "InProgress"
    assert az.refusal("DELETE", vm_path()) == (403, "AuthorizationFailed")
