"""Management locks: created, read, deleted through ARM, and held by everything else."""

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION
from support.arm import group_path, resource_path, vm_path

LOCKS = "/providers/Microsoft.Authorization/locks"
SUBSCRIPTION = f"/subscriptions/{FAKE_SUBSCRIPTION}"
API = "2020-05-01"


def locked(az, scope, level="CanNotDelete", name="keep"):
    """Lock a scope; the lock's path."""
    path = f"{scope}{LOCKS}/{name}"
    body = {"properties": {"level": level, "notes": "ours"}}
    answer = az.ok("PUT", path, body, api=API)
    assert answer.body["properties"] == {"level": level, "notes": "ours"}
    return path


@pytest.mark.parametrize("scope", [SUBSCRIPTION, group_path(), vm_path()])
def test_a_lock_holds_until_it_is_deleted(az, scope):
    az.network()
    az.machine()
    path = locked(az, scope)
    assert az.get(path, api=API)["id"] == path
    assert az.refusal("DELETE", vm_path()) == (409, "ScopeLocked")
    assert az.ok("DELETE", path, api=API).status == 200
    assert az.send("DELETE", path, api=API).status == 204
    assert az.refusal("GET", path, api=API) == (404, "LockNotFound")
    az.complete("DELETE", vm_path())


def test_a_list_has_the_locks_at_its_scope_and_below(az):
    az.network()
    az.machine()
    az.group("other")
    for number, scope in enumerate((SUBSCRIPTION, group_path(), vm_path(), group_path("other"))):
        locked(az, scope, name=f"l{number}")

    def names(scope):
        return [one["name"] for one in az.get(f"{scope}{LOCKS}", api=API)["value"]]

    assert sorted(names(SUBSCRIPTION)) == ["l0", "l1", "l2", "l3"]
    assert sorted(names(group_path())) == ["l1", "l2"]
    assert names(vm_path()) == ["l2"]


def test_a_second_put_changes_the_lock(az):
    az.group()
    path = locked(az, group_path())
    answer = az.ok("PUT", path, {"properties": {"level": "ReadOnly"}}, api=API)
    assert (answer.status, answer.body["properties"]) == (200, {"level": "ReadOnly"})
    nsg = resource_path("Microsoft.Network/networkSecurityGroups", "n")
    assert az.refusal("PUT", nsg, {"location": "eastus2"}) == (409, "ScopeLocked")


@pytest.mark.parametrize("body", [{}, {"properties": {"level": "Sometimes"}}])
def test_a_lock_needs_a_level(az, body):
    az.group()
    refused = az.refusal("PUT", f"{group_path()}{LOCKS}/x", body, api=API)
    assert refused == (400, "InvalidRequestContent")


def test_what_is_locked_must_exist(az):
    body = {"properties": {"level": "ReadOnly"}}
    refused = az.refusal("PUT", f"{group_path()}{LOCKS}/x", body, api=API)
    assert refused == (404, "ResourceGroupNotFound")
    az.group()
    refused = az.refusal("PUT", f"{vm_path()}{LOCKS}/x", body, api=API)
    assert refused == (404, "ResourceNotFound")
