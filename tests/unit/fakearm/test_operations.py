"""Operations: their URLs and responses. Only virtual time ends them."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.fakearm import FakeArm, FakeGap
from support.arm import Client, disk_body, nsg_body, pip_body, resource_path, vm_body, vm_path

NSG = resource_path("Microsoft.Network/networkSecurityGroups", "nsg")
PIP = resource_path("Microsoft.Network/publicIPAddresses", "pip")
DISK = resource_path("Microsoft.Compute/disks", "disk")


def address(az, path, body):
    return az.ok("PUT", path, body).headers["Azure-AsyncOperation"]


@pytest.mark.parametrize(
    ("path", "body", "part", "keys"),
    [
        (PIP, pip_body(), "Microsoft.Network/locations/eastus2/operations/", {"status"}),
        (
            DISK,
            disk_body(),
            "Microsoft.Compute/locations/eastus2/DiskOperations/",
            {"startTime", "name", "status"},
        ),
        (
            vm_path(),
            vm_body(),
            "Microsoft.Compute/locations/eastus2/operations/",
            {"startTime", "name", "status"},
        ),
    ],
)
def test_operation_urls_follow_their_provider(az, path, body, part, keys):
    az.network()
    url = address(az, path, body)
    assert part in url
    assert 2000 < len(url) < 4096
    assert {"t", "c", "s", "h", "api-version"} <= set(parse_qs(urlsplit(url).query))
    running = az.get_url(url)
    assert (running.status, set(running.body)) == (200, keys)
    az.arm.advance(50)
    ended = az.get_url(url).body
    assert set(ended) == keys | ({"endTime"} if "name" in keys else set())
    assert "name" not in keys or url.split("?")[0].endswith(ended["name"])


def test_a_failed_operation_is_answered_200_with_its_error(az):
    az.network()
    az.arm.settings.set("capacity", "Standard_NCC40ads_H100_v5", "eastus2", "", value=0)
    url = address(az, vm_path(), vm_body())
    az.arm.advance(30)
    answer = az.get_url(url)
    assert (answer.status, set(answer.body["error"])) == (200, {"code", "message"})
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("part", ["t", "c", "s", "h"])
def test_changed_operation_url_is_a_gap(az, part):
    az.group()
    url = address(az, PIP, pip_body())
    with pytest.raises(FakeGap, match="changed"):
        az.get_url(url.replace(f"&{part}=", f"&{part}=x"))
    with pytest.raises(FakeGap, match="changed"):
        az.get_url(url.partition(f"&{part}=")[0])


def test_an_unknown_operation_is_not_found(az):
    az.group()
    url = address(az, PIP, pip_body())
    id_ = url.partition("?")[0].rsplit("/", 1)[1]
    assert az.get_url(url.replace(id_, id_[::-1])).status == 404


def test_network_retry_after_grows(az):
    az.group()
    az.arm.settings.set("durations", "publicIp", value=100)
    url = address(az, PIP, pip_body())
    told = [az.get_url(url).headers["Retry-After"] for _ in range(6)]
    assert told == ["1", "2", "4", "8", "16", "16"]
    az.arm.advance(100)
    gone = az.ok("DELETE", PIP).headers["Azure-AsyncOperation"]
    assert [az.get_url(gone).headers["Retry-After"] for _ in range(3)] == ["10", "20", "40"]


def test_compute_retry_after_is_the_remaining_time(az):
    az.network()
    body = vm_body(managed__securityProfile__securityEncryptionType="DiskWithVMGuestState")
    url = address(az, vm_path(), body)
    told = []
    for seconds in (10, 845, 10):
        az.arm.advance(seconds)
        told.append(az.get_url(url).headers["Retry-After"])
    assert told == ["60", "45", "35"]


def test_short_compute_operations_have_no_retry_after(az):
    az.group()
    assert "Retry-After" not in az.get_url(address(az, DISK, disk_body())).headers


def test_only_time_ends_operations(az):
    az.network()
    url = address(az, PIP, pip_body())
    assert {az.get_url(url).body["status"] for _ in range(20)} == {"InProgress"}


def test_each_operation_ends_at_its_due_time(az):
    az.network()
    first = address(az, vm_path(), vm_body())
    az.arm.advance(10)
    second = address(az, DISK, disk_body())
    az.arm.advance(1000)
    ends = [az.get_url(url).body["endTime"] for url in (first, second)]
    starts = [az.get_url(url).body["startTime"] for url in (first, second)]
    assert ends > [starts[0], starts[1]]
    assert ends[1] < ends[0]


def test_any_request_ends_due_operations(az):
    az.group()
    az.ok("PUT", PIP, pip_body())
    az.arm.advance(3)
    listed = az.get(PIP.removesuffix("/pip"))["value"]
    assert listed[0]["properties"]["provisioningState"] == "Succeeded"


def test_durations_are_configurable(az):
    az.group()
    az.arm.settings.set("durations", "nsg", value=1000)
    url = address(az, NSG, nsg_body())
    az.arm.advance(999)
    assert az.get_url(url).body["status"] == "InProgress"
    az.arm.advance(1)
    assert az.get_url(url).body["status"] == "Succeeded"


@pytest.mark.slow
@given(st.lists(st.floats(0, 40), max_size=6))
def test_bill_does_not_depend_on_reads(steps):
    patient, curious = Client(FakeArm()), Client(FakeArm())
    for az in (patient, curious):
        az.network()
        az.machine()
        az.ok("POST", f"{vm_path()}/deallocate")
    for step in steps:
        curious.arm.advance(step)
        curious.get(vm_path())
    patient.arm.advance(curious.arm.now() - patient.arm.now())
    assert patient.arm.show()["resources"] == curious.arm.show()["resources"]
