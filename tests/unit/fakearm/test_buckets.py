"""Token buckets: size and rate of each, in virtual time."""

import json

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION
from support.arm import group_path, resource_path, vm_body, vm_path

RESOURCE = "x-ms-ratelimit-remaining-resource"
SUBSCRIPTION = "x-ms-ratelimit-remaining-subscription-"
VMS = f"/subscriptions/{FAKE_SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines"
NSG = resource_path("Microsoft.Network/networkSecurityGroups", "none")


@pytest.fixture
def vms(az):
    """Two VMs and full buckets."""
    az.network()
    az.machine()
    az.arm.settings.set("buckets", value=True)
    return az


def spend(az, method, path, body=None):
    """Send until refused. Returns the number of accepted requests and the refusal."""
    for count in range(2000):
        answer = az.send(method, path, body)
        if answer.status == 429:
            return count, answer
    raise AssertionError("never refused")


def test_buckets_are_off_by_default(az):
    az.group()
    assert not [name for name in az.send("GET", group_path()).headers if "ratelimit" in name]
    assert {az.status(group_path()) for _ in range(300)} == {200}


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "size", "rate"),
    [
        ("GET", group_path(), None, "reads", 250, 25),
        ("HEAD", group_path(), None, "reads", 250, 25),
        ("PATCH", group_path(), {"tags": {}}, "writes", 200, 10),
        ("DELETE", NSG, None, "deletes", 200, 10),
    ],
)
def test_arm_allows_a_burst_then_a_rate(az, method, path, body, kind, size, rate):
    az.group()
    az.arm.settings.set("buckets", value=True)
    assert az.send(method, path, body).headers[SUBSCRIPTION + kind] == str(size - 1)
    count, refused = spend(az, method, path, body)
    assert count == size - 1
    assert (refused.body["error"]["code"], refused.headers["Retry-After"]) == ("429", "1")
    az.arm.advance(1)
    assert spend(az, method, path, body)[0] == rate
    az.arm.advance(3600)
    assert spend(az, method, path, body)[0] == size


@pytest.mark.parametrize(
    ("method", "path", "body", "name", "size", "rate"),
    [
        ("PUT", vm_path(), {}, "PutVM", 12, 4),
        ("PATCH", vm_path(), {"tags": {}}, "UpdateVM", 12, 4),
        ("POST", f"{vm_path()}/restart", None, "UpdateVM", 12, 4),
        ("POST", f"{vm_path()}/deallocate", None, "DeleteVM", 12, 4),
        ("DELETE", vm_path(), None, "DeleteVM", 12, 4),
        ("GET", vm_path(), None, "LowCostGet", 36, 12),
        ("GET", f"{vm_path()}/instanceView", None, "LowCostGet", 36, 12),
        ("POST", f"{vm_path()}/retrieveBootDiagnosticsData", None, "LowCostGet", 36, 12),
        ("POST", f"{vm_path()}/runCommand", None, "UpdateVM", 12, 4),
    ],
)
def test_compute_counts_each_vm(vms, method, path, body, name, size, rate):
    count, refused = spend(vms, method, path, body)
    assert count == size
    error = refused.body["error"]
    assert error["code"] == "OperationNotAllowed"
    detail = error["details"][0]
    assert (detail["code"], detail["target"]) == ("TooManyRequests", f"{name}Resource")
    assert json.loads(detail["message"])["allowedRequestCount"] == size
    assert refused.headers["Retry-After"] == str(60 // rate)
    vms.arm.advance(60 // rate - 1)
    assert vms.send(method, path, body).headers["Retry-After"] == "1"
    vms.arm.advance(1)
    assert spend(vms, method, path, body)[0] == 1
    assert vms.send(method, path.replace("/vm", "/another"), body).status != 429


def test_remaining_tokens_are_returned_as_recorded(vms):
    answer = vms.send("PUT", vm_path("two"), vm_body("two"))
    assert answer.headers[RESOURCE] == (
        "Microsoft.Compute/PutVMSubscriptionMaximum;1499,Microsoft.Compute/PutVMResource;11"
    )
    polled = vms.get_url(answer.headers["Azure-AsyncOperation"])
    assert polled.headers[RESOURCE] == (
        "Microsoft.Compute/GetOperationSubscriptionMaximum;14999,"
        "Microsoft.Compute/GetOperationResource;44"
    )
    assert vms.send("GET", VMS).headers[RESOURCE] == (
        "Microsoft.Compute/HighCostGetSubscriptionMaximum;899"
    )
    assert RESOURCE not in vms.send("GET", group_path()).headers


def test_other_errors_also_take_a_token(vms):
    assert vms.status(vm_path("absent")) == 404
    assert spend(vms, "GET", vm_path("absent"))[0] == 35


def test_reset_refills_buckets(vms):
    spend(vms, "GET", vm_path())
    vms.arm.reset()
    vms.arm.settings.set("buckets", value=True)
    assert vms.status(vm_path()) == 404
