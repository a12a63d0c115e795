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


def test_foreign_rules_are_kept_and_ours_are_updated():
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


def test_read_only_properties_are_not_sent():
    sent = merge(Kind.NSG, _body(Kind.NSG), _answer(_body(Kind.NSG)))
    assert not {"id", "name", "type", "etag"} & sent.keys()
    assert not {"provisioningState", "resourceGuid"} & sent["properties"].keys()


def test_foreign_subnets_peerings_and_address_prefixes_are_kept():
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
def test_only_our_nat_gateway_is_removed_from_our_subnet(gateway, stays):
    live = _answer(_body(Kind.VNET))
    live["properties"]["subnets"][0]["properties"]["natGateway"] = {"id": f"/nat/{gateway}"}
    (subnet,) = merge(Kind.VNET, _body(Kind.VNET), live)["properties"]["subnets"]
    assert ("natGateway" in subnet["properties"]) is stays


def test_our_missing_subnet_is_added_beside_foreign_ones():
    live = _answer(_body(Kind.VNET), subnets=[_THEIR_SUBNET])
    sent = merge(Kind.VNET, _body(Kind.VNET), live)["properties"]
    assert _names(sent["subnets"]) == ["default", "AzureBastionSubnet"]


def test_bodies_without_lists_are_merged():
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


def _patch(vm: Body, *disks: Body, **changes: Any) -> Body:
    there = {key(disk["id"]): disk for disk in disks}
    return patch(_body(Kind.VM, **changes), vm, there)


def test_a_vm_as_desired_has_an_empty_patch():
    assert _patch(_vm()) == {}


def test_new_disks_are_sent_with_the_existing_ones():
    theirs = {"name": "theirs", "lun": 3, "managedDisk": {"id": "/d"}}
    change = _patch(_vm(theirs), **_DISKS)
    first, second, third = change["properties"]["storageProfile"]["dataDisks"]
    assert first == theirs
    assert [(one["name"], one["lun"]) for one in (second, third)] == [
        ("demo-data0", 0),
        ("demo-data1", 1),
    ]
    assert (second["createOption"], second["diskSizeGB"]) == ("Empty", 64)


def test_a_new_disk_takes_a_free_lun_where_its_own_is_taken():
    theirs = [{"name": "a", "lun": 0}, {"name": "b", "lun": 2}]
    change = _patch(_vm(*theirs), **_DISKS)
    made = change["properties"]["storageProfile"]["dataDisks"][2:]
    assert [(one["name"], one["lun"]) for one in made] == [("demo-data0", 1), ("demo-data1", 3)]


def test_our_detached_disk_is_attached_again():
    id_ = f"{_GROUP}/Microsoft.Compute/disks/demo-data0"
    change = _patch(_vm(), {"id": id_}, **_DISKS)
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
def test_identities_are_added_to_the_existing_ones(live, asked, sent):
    vm = _vm() | ({"identity": live} if live else {})
    change = _patch(vm, identities=asked)
    assert change == ({} if sent is None else {"identity": sent})


def test_the_serial_log_is_patched_alone():
    change = _patch(_vm(), boot_diagnostics=False)
    off = {"diagnosticsProfile": {"bootDiagnostics": {"enabled": False}}}
    assert change == {"properties": off}


def test_kept_foreign_items_are_named():
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


def test_peerings_count_as_foreign_items_of_a_network():
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
def test_only_azures_status_proves_that_a_vm_never_ran(state, codes, never):
    view = {"statuses": [{"code": code} for code in codes or ()]}
    vm = {"properties": {"provisioningState": state} | ({"instanceView": view} if codes else {})}
    assert never_provisioned(vm) is never


def test_our_subnet_is_removed_from_a_kept_network():
    vnet = _answer(_body(Kind.VNET))
    vnet["properties"]["subnets"].append(_THEIR_SUBNET)
    rest = without_own_subnet(vnet)
    assert rest is not None
    assert _names(rest["properties"]["subnets"]) == ["AzureBastionSubnet"]
    assert without_own_subnet(rest) is None
