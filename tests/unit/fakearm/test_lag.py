"""Replication delay, as long as the setting says."""

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION
from support.arm import group_path, nsg_body, resource_path, vm_body, vm_path

NSG = resource_path("Microsoft.Network/networkSecurityGroups", "nsg")
GROUPS = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourcegroups"
LISTS = {
    "of a kind in a group": NSG.rpartition("/")[0],
    "of a kind": f"/subscriptions/{FAKE_SUBSCRIPTION}/providers/Microsoft.Network/"
    "networkSecurityGroups",
    "of a group": f"{group_path()}/resources",
    "of the subscription": f"/subscriptions/{FAKE_SUBSCRIPTION}/resources",
}


def names(az, path):
    return [one["name"] for one in az.get(path)["value"]]


@pytest.mark.parametrize("path", LISTS.values(), ids=LISTS)
def test_list_shows_new_and_deleted_resources_late(az, path):
    az.group()
    az.group("other")
    az.arm.settings.set("lag", value={"lists": 30})
    az.ok("PUT", NSG, nsg_body())
    assert names(az, path) == []
    az.arm.advance(29)
    assert names(az, path) == []
    az.arm.advance(1)
    assert names(az, path) == ["nsg"]
    az.ok("DELETE", NSG)
    az.arm.advance(10)
    assert az.status(NSG) == 404
    assert names(az, f"{group_path('other')}/resources") == []
    assert names(az, path.replace("networkSecurityGroups", "natGateways")) == (
        ["nsg"] if path.endswith("resources") else []
    )
    az.arm.advance(29)
    assert names(az, path) == ["nsg"]
    az.arm.advance(1)
    assert names(az, path) == []


def test_list_of_groups_lags_too(az):
    az.arm.settings.set("lag", value={"lists": 30})
    az.group()
    assert names(az, GROUPS) == []
    az.arm.advance(30)
    assert names(az, GROUPS) == ["g"]
    az.ok("DELETE", group_path())
    az.arm.advance(60)
    assert names(az, GROUPS) == ["g"]
    assert names(az, LISTS["of the subscription"]) == []


def test_a_list_of_vms_lags_too(az):
    az.network()
    az.arm.settings.set("lag", value={"lists": 300})
    az.ok("PUT", vm_path(), vm_body())
    assert names(az, vm_path().rpartition("/")[0]) == []
    az.arm.advance(300)
    assert names(az, vm_path().rpartition("/")[0]) == ["vm"]


def test_older_resources_are_listed(az):
    az.group()
    az.complete("PUT", NSG, nsg_body())
    az.arm.advance(30)
    az.arm.settings.set("lag", value={"lists": 30})
    assert names(az, LISTS["of a group"]) == ["nsg"]


def test_recreated_resource_is_listed_once(az):
    az.group()
    az.complete("PUT", NSG, nsg_body())
    az.arm.settings.set("lag", value={"lists": 30})
    az.ok("DELETE", NSG)
    az.arm.advance(10)
    az.ok("PUT", NSG, {**nsg_body(), "tags": {"again": "yes"}})
    told = []
    for _ in range(2):
        told.append([one.get("tags") for one in az.get(LISTS["of a group"])["value"]])
        az.arm.advance(30)
    assert told == [[None], [{"again": "yes"}]]


def test_new_resource_is_hidden_for_the_configured_reads(az):
    az.group()
    az.arm.settings.set("lag", value={"reads": 2})
    az.ok("PUT", NSG, nsg_body())
    assert [az.status(NSG.replace("/g/", "/G/")) for _ in range(4)] == [404, 404, 200, 200]
    az.arm.advance(10)
    az.ok("PUT", NSG, nsg_body())
    assert az.status(NSG) == 200


def test_hidden_resource_has_the_gateways_404(az):
    az.group()
    az.arm.settings.set("lag", value={"reads": 1})
    az.ok("PUT", NSG, nsg_body())
    error = az.send("GET", NSG).body["error"]
    assert error["code"] == "ResourceNotFound"
    assert (
        "'Microsoft.Network/networkSecurityGroups/nsg' under resource group 'g'"
        in (error["message"])
    )


def test_new_group_is_hidden_from_writes_and_reads(az):
    az.arm.settings.set("lag", value={"reads": 3})
    az.group()
    assert az.refusal("PUT", NSG, nsg_body()) == (404, "ResourceGroupNotFound")
    assert az.refusal("GET", group_path()) == (404, "ResourceGroupNotFound")
    assert az.send("HEAD", group_path()).status == 404
    az.ok("PUT", NSG, nsg_body())


def test_delete_finds_a_new_resource(az):
    az.arm.settings.set("lag", value={"reads": 9})
    az.group()
    assert az.send("DELETE", group_path()).status == 202


def test_older_resources_are_found(az):
    az.group()
    az.arm.settings.set("lag", value={"reads": 1})
    assert az.status(group_path()) == 200


def test_reset_clears_delayed_changes(az):
    az.arm.settings.set("lag", value={"reads": 1, "lists": 99})
    az.group()
    az.ok("DELETE", group_path())
    az.arm.advance(60)
    assert names(az, GROUPS) == ["g"]
    az.group()
    az.arm.reset()
    az.group("other")
    az.arm.settings.set("lag", value={"reads": 1, "lists": 99})
    assert names(az, GROUPS) == []
    az.arm.settings.set("lag", value={})
    az.group()
    az.arm.settings.set("lag", value={"reads": 1})
    assert az.status(group_path()) == 200
