"""Recorded traffic of real Azure, replayed: same requests, responses of the same form.

The recordings are not in the repository. Two things in them are changed: ids and API versions, and
sizes and images that the fake lacks.
"""

import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, Request, Response
from support.arm import (
    HOST,
    Client,
    api_of,
    group_path,
    image_reference,
    load_recording,
    nat_body,
    nic_body,
    pip_body,
    resource_path,
    subnet_path,
    vm_body,
    vm_path,
    vnet_body,
)

# The fake has these instead; all else of a recorded body is sent as it was.
SIZES = {"Standard_D1_v2": "Standard_D4s_v5"}
IMAGES = {"UbuntuServer": image_reference("server"), "windowsserver": image_reference("cvm")}
# Seconds that these operations took in the recording, where the usual ones differ.
TOOK = {"subnet": 0.5, "vm.delete": 30}
ASYNC = ("Azure-AsyncOperation", "Azure-AsyncNotification", "Location", "Retry-After")

# Keys that the fake tells and the recording does not: newer API versions added them.
NEWER = {"etag"}


class Replay:
    """Sends the recorded requests at their recorded times, and keeps the operations' URLs."""

    def __init__(self, calls: list[Any]) -> None:
        self.calls = calls
        self.az = Client(FakeArm())
        for name, seconds in TOOK.items():
            self.az.arm.settings.set("durations", name, value=seconds)
        self.began = _moment(calls[0])
        self.addresses: dict[str, str] = {}

    def send(self, call: Any) -> Response:
        self.az.arm.advance(max(0.0, self._due(call) - self.az.arm.now()))
        answer = self.az.arm.send(
            Request(
                call["method"],
                self._url(call["url"]),
                {"Authorization": "Bearer x"},
                _body(call.get("request")),
            )
        )
        for name in ("Azure-AsyncOperation", "Location"):
            address = _header(call, name)
            if address and name in answer.headers:
                self.addresses.setdefault(_operation(address), answer.headers[name])
        return answer

    def _due(self, call: Any) -> float:
        return float(self._start + _moment(call) + call.get("latency_s", 0) - self.began)

    @property
    def _start(self) -> float:
        return datetime.fromisoformat("2026-01-01T00:00:00+00:00").timestamp()

    def _url(self, url: str) -> str:
        if re.search(r"/(operations|operationresults)/", url):
            return self.addresses[_operation(url)]
        path = re.sub(
            r"/subscriptions/[^/]+", f"/subscriptions/{FAKE_SUBSCRIPTION}", urlsplit(url).path
        )
        return f"{HOST}{path}?api-version={api_of(path)}"


def _moment(call: Any) -> float:
    at = call["at"] if "T" in call["at"] else f"2026-01-01T{call['at']}"
    return datetime.fromisoformat(at).timestamp()


def _operation(url: str) -> str:
    return urlsplit(url).path.rsplit("/", 1)[1]


def _header(call: Any, name: str) -> str | None:
    found = {key.lower(): value for key, value in call["headers"].items()}
    return found.get(name.lower())


def _body(request: Any) -> bytes:
    if request is None:
        return b""
    text = json.dumps(request)
    text = re.sub(r"/subscriptions/[0-9a-f-]+", f"/subscriptions/{FAKE_SUBSCRIPTION}", text)
    for old, new in SIZES.items():
        text = text.replace(old, new)
    body = json.loads(text)
    storage = body.get("properties", {}).get("storageProfile", {})
    if "imageReference" in storage:
        storage["imageReference"] = IMAGES[storage["imageReference"]["offer"]]
    return json.dumps(body).encode()


def paths(value: Any, at: str = "") -> set[str]:
    """The paths of all keys. A list is represented by its first element."""
    if isinstance(value, list):
        return paths(value[0], f"{at}[]") if value else set()
    if not isinstance(value, dict):
        return set()
    return {f"{at}.{key}" for key in value}.union(
        *(paths(one, f"{at}.{key}") for key, one in value.items())
    )


def differences(call: Any, answer: Response) -> list[str]:
    """The differences in form between the fake's response and the recorded one."""
    found = []
    if answer.status != call["status"]:
        found.append(f"status {answer.status}, recorded {call['status']}: {answer.body}")
    for name in ASYNC:
        told, was = answer.headers.get(name), _header(call, name)
        if name == "Location" and call["method"] == "GET":
            continue  # of two polls of the same deletion, the recording has it in one
        if (told is None) != (was is None):
            found.append(f"{name} {told and told[:60]}, recorded {was and was[:60]}")
        if name == "Retry-After" and call["method"] != "GET" and told != was:
            found.append(f"Retry-After {told}, recorded {was}")
    tells, theirs = paths(answer.body), paths(call["body"] or None)
    found += [
        f"tells {one}" for one in sorted(tells - theirs) if one.rsplit(".", 1)[1] not in NEWER
    ]
    found += [f"does not tell {one}" for one in sorted(theirs - tells)]
    if isinstance(call["body"], dict) and "error" in call["body"]:
        code = (answer.body or {}).get("error", {}).get("code")
        if code != call["body"]["error"]["code"]:
            found.append(f"code {code}, recorded {call['body']['error']['code']}")
    return found


def states(answer: Response | Any) -> Any:
    body = answer.body if isinstance(answer, Response) else answer["body"]
    body = body or {}
    return body.get("status") or (body.get("properties") or {}).get("provisioningState")


def play(replay: Replay, calls: list[Any]) -> list[str]:
    found = []
    for number, call in enumerate(calls):
        answer = replay.send(call)
        what = f"{number} {call['method']} {urlsplit(call['url']).path[-60:]}"
        found += [f"{what}: {one}" for one in differences(call, answer)]
        if states(answer) != states(call):
            found.append(f"{what}: {states(answer)}, recorded {states(call)}")
    return found


def test_vm_life_cycle_matches_the_recording(vectors):
    calls = load_recording(vectors, "vm_lifecycle_real_ordered.json")
    extension = {
        _operation(_header(one, "Azure-AsyncOperation") or one["url"])
        for one in calls
        if "/extensions/" in one["url"]
    }
    known = [one for one in calls if _operation(one["url"]) not in extension]
    assert len(known) > 30
    assert play(Replay(calls), known) == []


def test_confidential_create_matches_the_recording(vectors):
    calls = load_recording(vectors, "confidential_vm_put_azps_real.json")["interactions"]
    replay = Replay(calls)
    az, region = replay.az, "northeurope"
    replay.az.arm.settings.set("durations", "vm.create", value=60.6)
    az.ok("PUT", group_path("rg"), {"location": region})
    vnet = resource_path("Microsoft.Network/virtualNetworks", "vnet", "rg")
    az.complete("PUT", vnet, vnet_body() | {"location": region})
    one = {"name": "ip", "properties": {"subnet": {"id": f"{vnet}/subnets/default"}}}
    nic = resource_path("Microsoft.Network/networkInterfaces", "MyNIC", "rg")
    az.ok("PUT", nic, nic_body(ipConfigurations=[one]) | {"location": region})
    replay.began -= az.arm.now() - replay._start
    assert play(replay, calls) == []


NIC = resource_path("Microsoft.Network/networkInterfaces", "nic")
VNET = resource_path("Microsoft.Network/virtualNetworks", "vnet")
NSG = resource_path("Microsoft.Network/networkSecurityGroups", "nsg")
PIP = resource_path("Microsoft.Network/publicIPAddresses", "pip")
NAT = resource_path("Microsoft.Network/natGateways", "nat")
DISK = resource_path("Microsoft.Compute/disks", "disk")
DES = resource_path("Microsoft.Compute/diskEncryptionSets", "des")
IDENTITY = resource_path("Microsoft.ManagedIdentity/userAssignedIdentities", "identity")
OTHER = {"properties": {"addressPrefix": "10.0.1.0/24"}}
NIC_ON_OTHER = nic_body(
    ipConfigurations=[{"name": "ip", "properties": {"subnet": {"id": f"{VNET}/subnets/other"}}}]
)
WITH_PIP = nic_body(
    ipConfigurations=[
        {
            "name": "ip",
            "properties": {"subnet": {"id": subnet_path()}, "publicIPAddress": {"id": PIP}},
        }
    ]
)
_VM_WITHOUT_NIC = vm_body(net={"networkInterfaces": [{"id": NIC}]})
_ELSEWHERE = {"location": "BadLocation"}

# What comes before, the request, and the recorded refusal: status, code, method, type.
Step = tuple[str, str, Any]
REAL: dict[str, tuple[list[Step], Step, tuple[int, str, str, str]]] = {
    "nic of a subnet being written": (
        [("PUT", f"{VNET}/subnets/other", OTHER)],
        ("PUT", NIC, NIC_ON_OTHER),
        (429, "RetryableError", "PUT", "Microsoft.Network/networkInterfaces"),
    ),
    "nat of an address being written": (
        [("PUT", PIP, pip_body())],
        ("PUT", NAT, nat_body(PIP)),
        (429, "RetryableError", "PUT", "Microsoft.Network/natGateways"),
    ),
    "two writes of one resource": (
        [("PUT", PIP, pip_body())],
        ("PUT", PIP, pip_body()),
        (429, "RetryableError", "PUT", "Microsoft.Network/routeTables"),
    ),
    "two writes of one network": (
        [("PUT", VNET, vnet_body())],
        ("PUT", VNET, vnet_body()),
        (409, "AnotherOperationInProgress", "PUT", "Microsoft.Network/virtualNetworks"),
    ),
    "nic of no subnet": (
        [],
        ("PUT", NIC, NIC_ON_OTHER),
        (400, "InvalidResourceReference", "PUT", "Microsoft.Network/networkInterfaces"),
    ),
    "vm of no nic": (
        [],
        ("PUT", vm_path(), _VM_WITHOUT_NIC),
        (404, "NotFound", "PUT", "Microsoft.Compute/virtualMachines"),
    ),
    "subnet in use": (
        [("PUT", NIC, nic_body())],
        ("DELETE", subnet_path(), None),
        (400, "InUseSubnetCannotBeDeleted", "DELETE", "Microsoft.Network/virtualNetworks"),
    ),
    "address in use": (
        [("DONE", PIP, pip_body()), ("PUT", NIC, WITH_PIP)],
        ("DELETE", PIP, None),
        (400, "PublicIPAddressCannotBeDeleted", "DELETE", "Microsoft.Network/publicIPAddresses"),
    ),
    "no such region": (
        [],
        ("PUT", group_path("new"), _ELSEWHERE),
        (400, "LocationNotAvailableForResourceGroup", "PUT", "Microsoft.Resources"),
    ),
    "no disk": ([], ("GET", DISK, None), (404, "NotFound", "GET", "Microsoft.Compute/disks")),
    "no encryption set": (
        [],
        ("GET", DES, None),
        (404, "NotFound", "GET", "Microsoft.Compute/diskEncryptionSets"),
    ),
    "no child of a network": (
        [],
        ("GET", f"{VNET}/subnets/none", None),
        (404, "NotFound", "GET", "Microsoft.Network/virtualNetworks"),
    ),
    **{
        f"no {path.rsplit('/', 1)[1]}": (
            [],
            ("GET", path, None),
            (404, "ResourceNotFound", "GET", path.split("/providers/")[1].rsplit("/", 1)[0]),
        )
        for path in (f"{VNET}2", f"{NSG}2", PIP, NIC, IDENTITY)
    },
    **{
        f"no group of a {path.rsplit('/', 1)[1]}": (
            [],
            ("DELETE", path.replace("/g/", "/none/"), None),
            (
                404,
                "ResourceGroupNotFound",
                "DELETE",
                path.split("/providers/")[1].rsplit("/", 1)[0],
            ),
        )
        for path in (VNET, NSG, PIP, NIC, DISK, vm_path())
    },
}


def template(message: str) -> str:
    """The message without names, ids and numbers."""
    message = re.sub(r"List of available regions is '[^']*'", "List of …", message)
    message = re.sub(r"https://management\S+", "URL", message)
    message = re.sub(r"(/subscriptions/[^\s,']+?)(?=[\s,']|\.\s|\.$)", "ID", message)
    message = re.sub(r"Put\w+Operation \([0-9a-f-]+\)", "OPERATION", message)
    message = re.sub(r"Put\w+Operation", "OPERATION", message)
    message = re.sub(r"'[^']*'", "NAME", message)
    message = re.sub(r"^(Disk|Subnet) \S+", r"\1 NAME", message)
    return re.sub(r"\d+", "N", message)


@pytest.mark.parametrize("what", REAL)
def test_refusals_match_recorded_ones(vectors, what):
    before, (method, path, body), wanted = REAL[what]
    az = Client(FakeArm())
    az.network()
    for verb, one, given in before:
        az.complete("PUT", one, given) if verb == "DONE" else az.ok(verb, one, given)
    answer = az.send(method, path, body)
    (was,) = [
        one
        for one in load_recording(vectors, "errors_real.json")
        if (one["http_status"], one["code"], one["method"], one["type"]) == wanted
    ][:1]
    told, error = answer.body["error"], was["body"]["error"]
    assert (answer.status, told["code"]) == wanted[:2]
    assert set(told) == set(error)
    assert template(told["message"]) == template(error["message"])
    for mine, its in zip(told.get("details", ()), error.get("details", ()), strict=True):
        assert mine["code"] == its["code"]
        assert template(mine["message"]) == template(its["message"])
    cause = "x-ms-failure-cause"
    if was["headers"].get(cause) == "gateway":
        assert answer.headers[cause] == "gateway"


# Refusals that users quoted: the changed body or settings, and how the quoted text begins.
PLAIN_DISK = {"managed__securityProfile": ...}
QUOTED: dict[str, tuple[dict[str, Any], tuple[str, ...], Any, int, str, str]] = {
    "quota": (
        {},
        ("quota", "*", "cores"),
        0,
        409,
        "OperationNotAllowed",
        "Operation could not be completed as it results in exceeding approved",
    ),
    "size restricted": (
        {},
        ("restrictions", "Standard_NCC40ads_H100_v5", "eastus2"),
        [{"type": "Location", "reasonCode": "NotAvailableForSubscription"}],
        409,
        "SkuNotAvailable",
        "The requested VM size for resource 'Following SKUs have failed for Capacity "
        "Restrictions: Standard_NCC40ads_H100_v5' is currently not available in location",
    ),
    "size not confidential": (
        {"size": "Standard_D4s_v5"},
        (),
        None,
        400,
        "BadRequest",
        "The VM size 'Standard_D4s_v5' is not supported for creation of VMs and Virtual Machine "
        "Scale Set with 'ConfidentialVM'",
    ),
    "no security type": (
        {"security": ..., **PLAIN_DISK},
        (),
        None,
        400,
        "BadRequest",
        "The VM size 'Standard_NCC40ads_H100_v5' is not supported for creation of VMs and Virtual "
        "Machine Scale Set with '<NULL>'",
    ),
    "enum by its name": (
        {"managed__securityProfile__securityEncryptionType": "DISK_WITH_VM_GUEST_STATE"},
        (),
        None,
        400,
        "BadRequest",
        'Error converting value "DISK_WITH_VM_GUEST_STATE" to type',
    ),
}


@pytest.mark.parametrize("what", QUOTED)
def test_refusals_match_quoted_ones(vectors, what):
    changes, setting, value, status, code, text = QUOTED[what]
    az = Client(FakeArm())
    az.network()
    if setting:
        az.arm.settings.set(*setting, value=value)
    answer = az.send("PUT", vm_path(), vm_body(**changes))
    told = answer.body["error"]
    assert (answer.status, told["code"]) == (status, code)
    assert told["message"].startswith(text)
    start = template(text.replace("Standard_D4s_v5", "").replace("Standard_NCC40ads_H100_v5", ""))
    quoted = [
        template(one["body"]["error"]["message"])
        for one in load_recording(vectors, "errors_from_issues.json")
        if one["http_status"] == status and one["body"]["error"]["code"] == code
    ]
    assert any(one.startswith(start[:60]) for one in quoted), quoted


@pytest.mark.parametrize("code", ["OverconstrainedZonalAllocationRequest", "AllocationFailed"])
def test_late_failure_is_a_poll_with_status_200(vectors, code):
    known = {
        error["code"]
        for one in load_recording(vectors, "errors_from_issues.json")
        if "200" in str(one["http_status"])
        for error in (one["body"]["error"], *one["body"]["error"].get("details", ()))
    }
    assert code in known
    az = Client(FakeArm())
    az.network()
    az.arm.settings.set("capacity", "Standard_NCC40ads_H100_v5", "eastus2", "", value=0)
    az.arm.settings.set("allocation_error", value=code)
    answer = az.ok("PUT", vm_path(), vm_body())
    az.arm.advance(60)
    poll = az.get_url(answer.headers["Azure-AsyncOperation"])
    assert (poll.status, poll.body["status"], poll.body["error"]["code"]) == (200, "Failed", code)
