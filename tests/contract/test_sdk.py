"""The pinned SDK above the simulated ARM: clients, paging, errors, no waiting.

The tool has its own clients and pollers. These tests use Microsoft's, which are an independent
reading of the protocol.
"""

import base64
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.core.rest import HttpRequest
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.compute.models import RunCommandResult
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

from ccgpu.fakearm import (
    FAKE_SUBSCRIPTION,
    FakeArm,
    FakeCredential,
    FakeGap,
    FakeTransport,
    Request,
    Response,
    kinds,
)
from ccgpu.fakeguest import guests
from support.arm import REGION, nsg_body, pip_body, vm_body, vnet_body


class Sdk:
    """The three clients over one simulated subscription."""

    def __init__(self, arm: FakeArm, credential: FakeCredential | None = None) -> None:
        def client(made: Callable[..., Any]) -> Any:
            return made(
                credential or FakeCredential(),
                FAKE_SUBSCRIPTION,
                transport=FakeTransport(arm),
                retry_total=0,
            )

        self.arm = arm
        self.compute = client(ComputeManagementClient)
        self.network = client(NetworkManagementClient)
        self.resources = client(ResourceManagementClient)

    def start(self, begin: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """Start a write; answers the raw response. The SDK's own poller stays out of it."""
        poller = begin(*args, polling=False, cls=lambda raw, *_: raw.http_response, **more)
        return poller.result()

    def finish(self, begin: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """Start a write and poll its operation, in virtual time, until it has succeeded."""
        response = self.start(begin, *args, **more)
        url = response.headers.get("azure-asyncoperation")
        while url is not None:
            told = self.compute.send_request(HttpRequest("GET", url)).json()
            if told["status"] == "Succeeded":
                break
            assert told["status"] == "InProgress", told
            self.arm.advance(15)
        return response

    def network_ready(self) -> None:
        self.resources.resource_groups.create_or_update("g", {"location": REGION})
        security, networks = self.network.network_security_groups, self.network.virtual_networks
        self.finish(security.begin_create_or_update, "g", "nsg", nsg_body())
        self.finish(networks.begin_create_or_update, "g", "vnet", vnet_body())


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    made = Sdk(FakeArm())
    guests.inhabit(made.arm)
    yield made
    assert made.arm.slept == 0


def test_vm_is_created_read_and_deleted(sdk):
    sdk.network_ready()
    machines = sdk.compute.virtual_machines
    response = sdk.finish(
        machines.begin_create_or_update,
        "g",
        "vm",
        vm_body(),
        match_condition=MatchConditions.IfMissing,
    )
    assert response.status_code == 201
    found = machines.get("g", "vm", expand="instanceView")
    assert found.provisioning_state == "Succeeded"
    assert found.security_profile.security_type == "ConfidentialVM"
    nic_name = found.network_profile.network_interfaces[0].id.rsplit("/", 1)[1]
    nic = sdk.network.network_interfaces.get("g", nic_name)
    address_id = nic.ip_configurations[0].public_ip_address.id
    address = sdk.network.public_ip_addresses.get("g", address_id.rsplit("/", 1)[1])
    assert address.ip_address
    assert [one.name for one in machines.list("g")] == ["vm"]
    assert [one.name for one in machines.list_all()] == ["vm"]
    with pytest.raises(ResourceExistsError) as caught:
        machines.begin_create_or_update(
            "g", "vm", vm_body(), match_condition=MatchConditions.IfMissing, polling=False
        )
    assert caught.value.status_code == 412
    sdk.arm.advance(60)
    (power,) = [
        one.display_status
        for one in machines.instance_view("g", "vm").statuses
        if one.code.startswith("PowerState/")
    ]
    assert power == "VM running"
    assert sdk.finish(machines.begin_delete, "g", "vm").status_code == 202
    with pytest.raises(ResourceNotFoundError):
        machines.get("g", "vm")
    assert [one["kind"].rsplit("/", 1)[1] for one in sdk.arm.show()["resources"]] == [
        "resourceGroups",
        "networkSecurityGroups",
        "virtualNetworks",
    ]
    assert sdk.arm.show()["billing"] == []


def test_sdk_poller_works_without_real_waiting():
    sdk = Sdk(FakeArm())
    sdk.network_ready()
    real_sleep = sdk.arm.clock.sleep

    class Waiting(FakeTransport):
        """Lets virtual time pass where the SDK would wait."""

        def sleep(self, duration: float) -> None:
            super().sleep(duration)
            real_sleep(duration)

    compute = ComputeManagementClient(
        FakeCredential(), FAKE_SUBSCRIPTION, transport=Waiting(sdk.arm), polling_interval=10
    )
    made = compute.virtual_machines.begin_create_or_update("g", "vm", vm_body()).result()
    assert made.provisioning_state == "Succeeded"
    compute.virtual_machines.begin_delete("g", "vm").result()
    assert sdk.arm.slept > 0


def test_a_group_is_deleted_through_its_location(sdk):
    sdk.network_ready()
    response = sdk.start(sdk.resources.resource_groups.begin_delete, "g")
    url = response.headers["location"]
    statuses = []
    while not statuses or statuses[-1] == 202:
        statuses.append(sdk.compute.send_request(HttpRequest("GET", url)).status_code)
        sdk.arm.advance(15)
    assert statuses == [202, 202, 202, 202, 200]
    assert not sdk.resources.resource_groups.check_existence("g")


def test_lists_are_followed_from_page_to_page(sdk):
    sdk.arm.settings.set("page_size", value=2)
    sdk.arm.settings.set("arm_page_size", value=2)
    for number in range(5):
        sdk.resources.resource_groups.create_or_update(
            f"g{number}", {"location": REGION, "tags": {"run": str(number % 2)}}
        )
    found = sdk.resources.resource_groups.list(filter="tagName eq 'run' and tagValue eq '0'")
    assert [one.name for one in found] == ["g0", "g2", "g4"]
    assert len(list(sdk.compute.resource_skus.list(filter="location eq 'eastus2'"))) == 3


def test_sizes_usage_and_images_are_understood(sdk):
    sizes = {
        one.name: one for one in sdk.compute.resource_skus.list(filter="location eq 'eastus2'")
    }
    gpu = sizes["Standard_NCC40ads_H100_v5"]
    assert gpu.location_info[0].zones == ["1", "2", "3"]
    usage = {
        one.name.value: (one.current_value, one.limit) for one in sdk.compute.usage.list(REGION)
    }
    assert usage["StandardNCCads2023Family"] == (0, 80)
    images = sdk.compute.virtual_machine_images
    place = (REGION, "Canonical", "ubuntu-24_04-lts", "cvm")
    newest = images.list(*place, top=1, orderby="name desc")[0].name
    features = {one.name: one.value for one in images.get(*place, newest).features}
    assert features["SecurityType"] == "ConfidentialVmSupported"
    gallery = ("cgpuimage-db870bae-5bcf-4120-9415-b841adef61d3", "cgpu-NCC-2404-base-image")
    listed = sdk.compute.community_gallery_image_versions.list(REGION, *gallery)
    assert [one.name for one in listed] == [
        *("2404.20260714.0", "2404.20260928.0", "2404.20261105.0")
    ]
    assert sdk.compute.community_gallery_images.get(REGION, *gallery).properties.os_type == "Linux"
    private = ("ccgpu-images", "golden", "ubuntu-cvm")
    assert sdk.compute.gallery_images.get(*private).hyper_v_generation == "V2"
    assert sdk.compute.gallery_image_versions.get(*private, "1.0.0").name == "1.0.0"
    assert sdk.resources.providers.get("Microsoft.Compute").registration_state == "Registered"


def test_power_and_the_serial_log_are_understood(sdk):
    sdk.network_ready()
    machines = sdk.compute.virtual_machines
    sdk.finish(machines.begin_create_or_update, "g", "vm", vm_body())
    for action in ("deallocate", "start", "restart", "power_off"):
        begin = getattr(machines, f"begin_{action}")
        assert sdk.finish(begin, "g", "vm").status_code == 202
    sdk.finish(machines.begin_start, "g", "vm")
    sdk.finish(machines.begin_update, "g", "vm", {"tags": {"a": "b"}})
    assert machines.get("g", "vm").tags == {"a": "b"}
    sdk.arm.advance(60)
    url = machines.retrieve_boot_diagnostics_data("g", "vm").serial_console_log_blob_uri
    with requests.Session() as session:
        session.mount("https://", FakeTransport(sdk.arm).session.get_adapter("https://x"))
        text = session.get(url).text
    assert "-----BEGIN SSH HOST KEY KEYS-----" in text


def test_run_command_is_understood(sdk):
    """Its 202 is empty, which `begin_run_command(polling=False)` cannot read: so it is sent raw."""
    sdk.network_ready()
    machines = sdk.compute.virtual_machines
    sdk.finish(machines.begin_create_or_update, "g", "vm", vm_body())
    sdk.arm.advance(60)
    url = f"{machines.get('g', 'vm').id}/runCommand?api-version={kinds.COMPUTE_API}"
    wanted = {"commandId": "RunShellScript", "script": ["whoami"]}
    response = sdk.compute.send_request(HttpRequest("POST", url, json=wanted))
    assert response.status_code == 202
    sdk.arm.advance(60)
    told = sdk.compute.send_request(HttpRequest("GET", response.headers["Location"])).json()
    assert (
        RunCommandResult(told).value[0].message.startswith("Enable succeeded: \n[stdout]\nroot\n")
    )


KINDS = {
    "network_security_groups": nsg_body(),
    "virtual_networks": vnet_body(),
    "public_ip_addresses": pip_body(),
    "nat_gateways": {"location": REGION, "sku": {"name": "Standard"}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_network_kinds_are_written_listed_tagged_and_deleted(sdk, kind):
    sdk.resources.resource_groups.create_or_update("g", {"location": REGION})
    calls = getattr(sdk.network, kind)
    assert sdk.finish(calls.begin_create_or_update, "g", "one", KINDS[kind]).status_code == 201
    assert calls.get("g", "one").provisioning_state == "Succeeded"
    assert calls.update_tags("g", "one", {"tags": {"a": "b"}}).tags == {"a": "b"}
    assert [one.name for one in calls.list("g")] == ["one"]
    assert [one.name for one in calls.list_all()] == ["one"]
    assert sdk.finish(calls.begin_delete, "g", "one").status_code == 202
    assert sdk.start(calls.begin_delete, "g", "one").status_code == 204


def test_errors_arrive_with_arms_code(sdk):
    sdk.network_ready()
    sdk.arm.settings.set("quota", "*", "cores", value=0)
    with pytest.raises(ResourceExistsError) as caught:
        sdk.start(sdk.compute.virtual_machines.begin_create_or_update, "g", "vm", vm_body())
    assert caught.value.error.code == "OperationNotAllowed"
    with pytest.raises(HttpResponseError) as caught:
        sdk.start(
            sdk.network.network_interfaces.begin_create_or_update,
            "g",
            "nic",
            {"location": REGION, "properties": {"ipConfigurations": []}},
        )
    assert caught.value.error.code == "InvalidParameter"


def test_headers_are_found_whatever_their_case(sdk):
    sdk.resources.resource_groups.create_or_update("g", {"location": REGION})
    response = sdk.start(
        sdk.network.public_ip_addresses.begin_create_or_update, "g", "pip", pip_body()
    )
    assert response.headers["AZURE-ASYNCOPERATION"] == response.headers["azure-asyncoperation"]


def test_gap_propagates_through_the_sdk(sdk):
    with pytest.raises(FakeGap):
        list(sdk.compute.virtual_machine_scale_sets.list_all())


def test_a_fault_may_be_raised_below_the_sdk(sdk):
    def reset(_: Request) -> Response | None:
        raise requests.exceptions.ConnectionError("reset")

    sdk.arm.faults.append(reset)
    with pytest.raises(ServiceRequestError):
        sdk.resources.resource_groups.get("g")


def test_response_may_be_text(sdk):
    page = Response(503, "<html>busy</html>", {"Content-Type": "text/html"})
    sdk.arm.faults.append(lambda _: page)
    with pytest.raises(HttpResponseError, match="Service Unavailable"):
        sdk.resources.resource_groups.get("g")


def test_sdk_sleeps_are_counted_and_instant(sdk):
    FakeTransport(sdk.arm).sleep(3600)
    assert sdk.arm.slept == 1
    sdk.arm.slept = 0


SIGNATURE = base64.b64encode(b"simulated").decode()  # of every token


def claims(credential: FakeCredential) -> Any:
    token = credential.get_token("https://management.azure.com/.default").token
    header, body, signature = token.split(".")
    assert (json.loads(base64.b64decode(header + "=="))["alg"], signature) == ("none", SIGNATURE)
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_only_a_users_token_has_an_ip_address():
    user, app = claims(FakeCredential()), claims(FakeCredential(app=True))
    assert (user["idtyp"], user["ipaddr"]) == ("user", "203.0.113.7")
    assert (app["idtyp"], "ipaddr" in app) == ("app", False)
    assert user["aud"] == "https://management.azure.com"
    assert {"oid", "tid"} <= set(user)


def test_a_token_lasts_an_hour():
    credential = FakeCredential()
    info = credential.get_token_info("https://management.azure.com/.default")
    assert info.expires_on - claims(credential)["iat"] in range(3590, 3611)
    assert info.token_type == "Bearer"


def test_no_token_is_logged_or_kept(caplog):
    caplog.set_level(logging.DEBUG)
    sdk = Sdk(FakeArm())
    sdk.network_ready()
    assert SIGNATURE not in caplog.text
    assert SIGNATURE not in json.dumps(sdk.arm.show())


def test_the_api_versions_of_the_fake_are_those_of_the_pinned_sdk(sdk):
    """Every call above would have been a gap otherwise; this test makes the remaining calls."""
    sdk.network_ready()
    disk = {"location": REGION, "properties": {"creationData": {"createOption": "Empty"}}}
    sdk.finish(sdk.compute.disks.begin_create_or_update, "g", "d", disk)
    sdk.finish(sdk.compute.disks.begin_delete, "g", "d")
    des = {"location": REGION, "properties": {}}
    sdk.finish(sdk.compute.disk_encryption_sets.begin_create_or_update, "g", "e", des)
    sdk.finish(sdk.compute.disk_encryption_sets.begin_delete, "g", "e")
    subnet = {"properties": {"addressPrefix": "10.0.1.0/24"}}
    sdk.finish(sdk.network.subnets.begin_create_or_update, "g", "vnet", "two", subnet)
    assert [one.name for one in sdk.network.subnets.list("g", "vnet")] == ["default", "two"]
    sdk.finish(sdk.network.subnets.begin_delete, "g", "vnet", "two")
    assert list(sdk.resources.resources.list_by_resource_group("g"))
    assert list(sdk.resources.providers.list())
    shared = ("00000000-1111-4222-8333-444444444444-GOLDEN", "ubuntu-cvm")
    assert list(sdk.compute.shared_gallery_image_versions.list(REGION, *shared))
