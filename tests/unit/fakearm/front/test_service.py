"""The simulated Azure for clients on this machine: time, addresses, API versions, gaps."""

import json

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, Request
from ccgpu.fakearm.front import LoopbackAzure, RealTime
from ccgpu.fakeguest import guests
from support.arm import Client, nsg_body, resource_path, vm_body, vm_path
from support.publishing import DISK, upload_body

HOST = "localhost:7443"
NSG = resource_path("Microsoft.Network/networkSecurityGroups", "nsg")


class Local:
    """A client of the front, whose real time stands still unless a test moves it."""

    def __init__(self, speed: float = 1.0) -> None:
        self.arm = FakeArm()
        guests.inhabit(self.arm)
        self.seconds = 0.0
        self.az = Client(self.arm)
        self.azure = LoopbackAzure(RealTime(self.arm, lambda: self.seconds, speed))

    def send(self, method, target, body=None, **headers):
        """Send a request with a token."""
        raw = b"" if body is None else json.dumps(body).encode()
        given = {"Authorization": "Bearer x", **headers}
        url = target if target.startswith("https:") else f"https://{HOST}{target}"
        return self.azure.send(Request(method, url, given, raw))


@pytest.fixture
def local():
    """A front at real speed."""
    return Local()


def test_virtual_time_passes_with_real_time_times_the_speed():
    local = Local(speed=60)
    began = local.arm.now()
    local.seconds = 2.5
    local.send("GET", "/metadata/endpoints?api-version=2022-09-01")
    assert local.arm.now() == began + 150
    local.send("GET", "/metadata/endpoints?api-version=2022-09-01")
    assert local.arm.now() == began + 150


def test_an_operation_ends_after_its_real_time():
    local = Local(speed=10)
    local.az.group()
    accepted = local.send("PUT", f"{NSG}?api-version=2026-03-01", nsg_body())
    where = accepted.headers["Azure-AsyncOperation"]
    assert local.send("GET", where).body["status"] == "InProgress"
    local.seconds = 0.36  # an NSG takes 3.5 s
    assert local.send("GET", where).body["status"] == "Succeeded"


@pytest.mark.parametrize(("speed", "pause"), [(1, "10"), (4, "3"), (600, "1")])
def test_pauses_are_in_real_seconds(speed, pause):
    local = Local(speed)
    local.az.network()
    answer = local.send("PUT", f"{vm_path()}?api-version=2026-04-01", vm_body())
    assert answer.headers["Retry-After"] == pause


def test_a_pause_that_arm_does_not_name_is_the_usual_one_of_clients():
    local = Local(speed=5)
    local.az.network()
    local.az.machine()
    answer = local.send("POST", f"{vm_path()}/restart?api-version=2026-04-01")
    assert answer.headers["Retry-After"] == "6"
    polled = local.send("GET", answer.headers["Azure-AsyncOperation"])
    assert (polled.body["status"], polled.headers["Retry-After"]) == ("InProgress", "6")


def test_answers_without_an_operation_name_no_pause(local):
    local.az.group()
    answer = local.send("GET", f"/subscriptions/{FAKE_SUBSCRIPTION}?api-version=2022-12-01")
    assert answer.status == 200
    assert "Retry-After" not in answer.headers


def test_addresses_in_headers_lead_back_to_the_server(local):
    local.az.network()
    local.az.machine()
    answer = local.send("DELETE", f"{vm_path()}?api-version=2026-04-01")
    for name in ("Location", "Azure-AsyncOperation"):
        assert answer.headers[name].startswith(f"https://{HOST}/subscriptions/")
        assert local.send("GET", answer.headers[name]).status in (200, 202)


def test_the_next_page_leads_back_to_the_server(local):
    for number in range(3):
        local.az.group(f"g{number}")
    local.arm.settings.set("arm_page_size", value=2)
    target = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourcegroups?api-version=2024-11-01"
    first = local.send("GET", target).body
    assert first["nextLink"].startswith(f"https://{HOST}/")
    second = local.send("GET", first["nextLink"]).body
    names = [one["name"] for one in first["value"] + second["value"]]
    assert names == ["g0", "g1", "g2"]


def test_the_serial_log_is_read_here_and_without_a_token(local):
    local.az.network()
    local.az.machine()
    local.arm.advance(600)
    asked = f"{vm_path()}/retrieveBootDiagnosticsData?api-version=2026-04-01"
    where = local.send("POST", asked).body["serialConsoleLogBlobUri"]
    assert where.startswith(f"https://{HOST}/blobs/")
    answer = local.azure.send(Request("GET", where))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain")
    assert "Linux" in answer.body
    assert local.send("GET", where).status == 501  # a token would leak


def test_a_disk_is_uploaded_to_here(local):
    local.az.group()
    local.az.complete("PUT", DISK, upload_body())
    grant = {"access": "Write", "durationInSeconds": 60}
    accepted = local.send("POST", f"{DISK}/beginGetAccess?api-version=2023-04-02", grant)
    local.arm.advance(60)
    where = local.send("GET", accepted.headers["Location"]).body["accessSAS"]
    assert where.startswith(f"https://{HOST}/blobs/md-impexp-")
    told = local.send("GET", accepted.headers["Azure-AsyncOperation"]).body
    assert told["properties"]["output"]["accessSAS"] == where
    headers = {"x-ms-page-write": "update", "x-ms-range": "bytes=0-511"}
    sent = Request("PUT", f"{where}&comp=page", headers, b"a" * 512)
    assert local.azure.send(sent).status == 201
    assert local.azure.send(Request("GET", where, {"Range": "bytes=0-511"})).body == b"a" * 512


def test_empty_parts_of_a_path_are_left_out(local):
    local.az.network()
    local.az.machine()
    odd = vm_path().replace("Microsoft.Compute/", "Microsoft.Compute//")
    assert local.send("GET", f"{odd}?api-version=2026-04-01").body["name"] == "vm"


@pytest.mark.parametrize("version", ["2022-11-01", "2024-11-01", "2026-04-01"])
def test_versions_of_azures_cli_are_understood(local, version):
    local.az.network()
    local.az.machine()
    assert local.send("GET", f"{vm_path()}?api-version={version}").status == 200


@pytest.mark.parametrize(
    ("method", "target", "named"),
    [
        ("GET", f"{vm_path()}?api-version=2013-01-01", "api-version '2013-01-01'"),
        (
            "GET",
            f"{vm_path()}?api-version=2024-11-01&$expand=publish",
            "$expand=publish",
        ),
        ("POST", f"{vm_path()}/reimage?api-version=2026-04-01", "virtualmachines/*/reimage"),
        ("GET", "/?api-version=1", "GET  (asked: GET /)"),
        ("GET", "/metadata/endpoints?api-version=1", "/metadata/endpoints"),
    ],
)
def test_what_is_not_simulated_is_501_with_its_name(local, method, target, named):
    local.az.network()
    local.az.machine()
    before = local.arm.show()["requests"]
    answer = local.send(method, target)
    assert (answer.status, answer.body["error"]["code"]) == (501, "NotSimulated")
    assert named in answer.body["error"]["message"]
    assert local.arm.show()["requests"] == before


def test_a_deployment_is_refused_and_named(local):
    local.az.group()
    path = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourcegroups/g/providers/"
    path += "Microsoft.Resources/deployments/x?api-version=2024-11-01"
    answer = local.send("PUT", path, {"properties": {}})
    assert answer.status == 501
    assert "`az vm create`" in answer.body["error"]["message"]


def test_errors_of_azure_stay_errors_of_azure(local):
    answer = local.send("GET", f"{vm_path()}?api-version=2024-11-01")
    assert (answer.status, answer.body["error"]["code"]) == (404, "ResourceGroupNotFound")
    missing = Request("GET", f"https://{HOST}{vm_path()}?api-version=2024-11-01")
    assert local.azure.send(missing).status == 401
