"""A change in place writes what is wanted, and everything that others put there."""

import copy
from typing import Any

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import differences
from ccgpu.domain.in_place import (
    foreign_in_network,
    merge,
    never_provisioned,
    other_elements,
    patch,
    without_own_subnet,
)
from ccgpu.domain.resource import Body, key
from support.specs import IDENTITY, SUBSCRIPTION, resources_of_spec

_THEIR_RULE: Body = {
    "name": "SecurityCenter-JITRule_1",
    "properties": {"priority": 200, "access": "Allow", "direction": "Inbound", "protocol": "*"},
}
_THEIR_SUBNET: Body = {
    "name": "AzureBastionSubnet",
    "properties": {"addressPrefix": "10.71.1.0/26"},
}


def _body(kind: Kind, **changes: Any) -> Body:
    return next(
        copy.deepcopy(r.body) for r in resources_of_spec(**changes).values() if r.kind is kind
    )


def _answer(body: Body, **properties: Any) -> Body:
    """What a GET says: with what only Azure writes."""
    read_only = {"provisioningState": "Succeeded", "resourceGuid": "g"}
    more = {"properties": body["properties"] | read_only | properties}
    return body | {"id": "/x", "name": "x", "type": "t", "etag": "1"} | more


def _names(elements: list[Body]) -> list[str]:
    return [one["name"] for one in elements]


def test_a_rule_of_others_stays_and_ours_is_as_wanted():
    live = _answer(_body(Kind.NSG, ssh_from="198.51.100.1/32"), networkInterfaces=[{"id": "/n"}])
    live["properties"]["securityRules"].insert(0, _THEIR_RULE)
    body = _body(Kind.NSG)
    sent = merge(Kind.NSG, body, live)
    assert _names(sent["properties"]["securityRules"]) == [
        *("ssh", "deny-inbound"),
        _THEIR_RULE["name"],
    ]
    assert _THEIR_RULE in sent["properties"]["securityRules"]
    assert differences(Kind.NSG, body, sent) == ()
    assert "networkInterfaces" not in sent["properties"]


def test_what_is_sent_has_nothing_that_only_azure_writes():
    sent = merge(Kind.NSG, _body(Kind.NSG), _answer(_body(Kind.NSG)))
    assert not {"id", "name", "type", "etag"} & sent.keys()
    assert not {"provisioningState", "resourceGuid"} & sent["properties"].keys()


def test_subnets_peerings_and_a_wider_network_stay():
    live = _answer(_body(Kind.VNET), virtualNetworkPeerings=[{"name": "hub"}], dhcpOptions={"a": 1})
    live["properties"]["addressSpace"] = {"addressPrefixes": ["10.71.0.0/16", "10.9.0.0/24"]}
    live["properties"]["subnets"].append(_THEIR_SUBNET)
    live["properties"]["subnets"][0]["properties"]["routeTable"] = {"id": "/r"}
    sent = merge(Kind.VNET, _body(Kind.VNET), live)["properties"]
    assert sent["addressSpace"]["addressPrefixes"] == ["10.71.0.0/16", "10.9.0.0/24"]
    assert (sent["virtualNetworkPeerings"], sent["dhcpOptions"]) == ([{"name": "hub"}], {"a": 1})
    assert _names(sent["subnets"]) == ["default", "AzureBastionSubnet"]
    assert sent["subnets"][0]["properties"]["routeTable"] == {"id": "/r"}


@pytest.mark.parametrize(("gateway", "stays"), [("demo-nat", False), ("hub-nat", True)])
def test_only_our_own_gateway_is_taken_off_our_subnet(gateway, stays):
    live = _answer(_body(Kind.VNET))
    live["properties"]["subnets"][0]["properties"]["natGateway"] = {"id": f"/nat/{gateway}"}
    (subnet,) = merge(Kind.VNET, _body(Kind.VNET), live)["properties"]["subnets"]
    assert ("natGateway" in subnet["properties"]) is stays


def test_a_network_that_lost_our_subnet_gets_it_again_beside_theirs():
    live = _answer(_body(Kind.VNET), subnets=[_THEIR_SUBNET])
    sent = merge(Kind.VNET, _body(Kind.VNET), live)["properties"]
    assert _names(sent["subnets"]) == ["default", "AzureBastionSubnet"]


def test_what_has_no_list_is_merged_too():
    live = _answer(_body(Kind.NAT, private=True, ssh_from="auto"), idleTimeoutInMinutes=9)
    sent = merge(Kind.NAT, _body(Kind.NAT, private=True, ssh_from="auto"), live)
    assert sent["properties"]["idleTimeoutInMinutes"] == 9


_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/ccgpu-demo/providers"
_VM_ID = f"{_GROUP}/Microsoft.Compute/virtualMachines/demo"
_DISKS: dict[str, Any] = {
    "data_disks": [{"size_gib": 64}, {"size_gib": 32, "type": "Standard_LRS"}]
}


def _vm(*disks: Body, **changes: Any) -> Body:
    vm = _body(Kind.VM, **changes) | {"id": _VM_ID}
    vm["properties"]["storageProfile"]["dataDisks"] = list(disks)
    return vm


def _patched(vm: Body, *disks: Body, **changes: Any) -> Body:
    there = {key(disk["id"]): disk for disk in disks}
    return patch(_body(Kind.VM, **changes), vm, there)


def test_a_vm_that_is_as_wanted_is_patched_with_nothing():
    assert _patched(_vm()) == {}


def test_new_disks_are_sent_with_those_that_are_there():
    theirs = {"name": "theirs", "lun": 3, "managedDisk": {"id": "/d"}}
    change = _patched(_vm(theirs), **_DISKS)
    first, second, third = change["properties"]["storageProfile"]["dataDisks"]
    assert first == theirs
    assert [(one["name"], one["lun"]) for one in (second, third)] == [
        ("demo-data0", 0),
        ("demo-data1", 1),
    ]
    assert (second["createOption"], second["diskSizeGB"]) == ("Empty", 64)


def test_a_new_disk_takes_a_free_lun_where_its_own_is_taken():
    theirs = [{"name": "a", "lun": 0}, {"name": "b", "lun": 2}]
    change = _patched(_vm(*theirs), **_DISKS)
    made = change["properties"]["storageProfile"]["dataDisks"][2:]
    assert [(one["name"], one["lun"]) for one in made] == [("demo-data0", 1), ("demo-data1", 3)]


def test_a_disk_of_ours_that_was_detached_is_attached_again_with_its_data():
    id_ = f"{_GROUP}/Microsoft.Compute/disks/demo-data0"
    change = _patched(_vm(), {"id": id_}, **_DISKS)
    again, new = change["properties"]["storageProfile"]["dataDisks"]
    assert again == {
        "lun": 0,
        "name": "demo-data0",
        "caching": "None",
        "deleteOption": "Delete",
        "createOption": "Attach",
        "managedDisk": {"id": id_},
    }
    assert new["createOption"] == "Empty"


_OTHER = IDENTITY + "-other"


@pytest.mark.parametrize(
    ("live", "asked", "sent"),
    [
        pytest.param(None, ["system"], {"type": "SystemAssigned"}, id="the first"),
        pytest.param(
            {"type": "SystemAssigned"},
            [IDENTITY],
            {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
            id="one more kind",
        ),
        pytest.param(
            {"type": "UserAssigned", "userAssignedIdentities": {_OTHER: {"clientId": "c"}}},
            [IDENTITY],
            {"type": "UserAssigned", "userAssignedIdentities": {_OTHER: {}, IDENTITY: {}}},
            id="one more",
        ),
        pytest.param(
            {
                "type": "SystemAssigned, UserAssigned",
                "userAssignedIdentities": {IDENTITY.upper(): {}},
            },
            [IDENTITY],
            None,
            id="it is there",
        ),
    ],
)
def test_identities_are_added_to_those_that_are_there(live, asked, sent):
    vm = _vm() | ({"identity": live} if live else {})
    change = _patched(vm, identities=asked)
    assert change == ({} if sent is None else {"identity": sent})


def test_the_serial_log_is_switched_by_itself():
    change = _patched(_vm(), boot_diagnostics=False)
    off = {"diagnosticsProfile": {"bootDiagnostics": {"enabled": False}}}
    assert change == {"properties": off}


def test_what_stays_is_named():
    disk = {"name": "demo-data0", "lun": 0}
    vm = _vm(disk) | {
        "identity": {
            "type": "SystemAssigned, UserAssigned",
            "userAssignedIdentities": {IDENTITY: {}, _OTHER: {}},
        }
    }
    named = [
        tuple(one) for one in other_elements(Kind.VM, _body(Kind.VM, identities=[IDENTITY]), vm)
    ]
    assert named == [
        ("data disk", "demo-data0"),
        ("identity", "system"),
        ("identity", "reader-other"),
    ]
    nsg = _answer(_body(Kind.NSG))
    nsg["properties"]["securityRules"].append(_THEIR_RULE)
    assert [one.name for one in other_elements(Kind.NSG, _body(Kind.NSG), nsg)] == [
        _THEIR_RULE["name"]
    ]
    assert other_elements(Kind.NAT, {}, {"properties": {"subnets": [{"name": "x"}]}}) == ()


def test_peerings_count_as_others_in_a_network():
    vnet = {"properties": {"subnets": [{"name": "DEFAULT"}], "virtualNetworkPeerings": None}}
    assert foreign_in_network(vnet) == ()
    vnet["properties"]["virtualNetworkPeerings"] = [{"name": "hub"}]
    assert other_elements(Kind.VNET, {}, vnet) == (("peering", "hub"),)


@pytest.mark.parametrize(
    ("state", "codes", "never"),
    [
        ("Failed", ["ProvisioningState/failed/AllocationFailed"], True),
        ("Failed", ["ProvisioningState/Failed"], True),
        ("Failed", ["ProvisioningState/failed", "PowerState/deallocated"], False),
        ("Failed", ["ProvisioningState/failed", "PowerState/running"], False),
        ("Failed", [], False),
        ("Failed", None, False),
        ("Succeeded", ["ProvisioningState/succeeded"], False),
        ("Creating", ["ProvisioningState/failed"], False),
    ],
)
def test_a_vm_never_ran_only_if_azure_says_so(state, codes, never):
    view = {"statuses": [{"code": code} for code in codes or ()]}
    vm = {"properties": {"provisioningState": state} | ({"instanceView": view} if codes else {})}
    assert never_provisioned(vm) is never


def test_our_subnet_is_taken_out_of_a_network_that_stays():
    vnet = _answer(_body(Kind.VNET))
    vnet["properties"]["subnets"].append(_THEIR_SUBNET)
    rest = without_own_subnet(vnet)
    assert rest is not None
    assert _names(rest["properties"]["subnets"]) == ["AzureBastionSubnet"]
    assert without_own_subnet(rest) is None
