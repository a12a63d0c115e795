"""Reads without the SDK's models: the same requests as the pinned SDK's, and pages to their end."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

from ccgpu.azure.account import Account
from ccgpu.azure.arm import Arm
from ccgpu.azure.boot_diagnostics import SerialLogs
from ccgpu.azure.images import ImageReader
from ccgpu.azure.queries import Queries
from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import ResourceId, group_id, resource_id
from ccgpu.errors import AzureUnavailable, CcgpuError, ForeignAnswer
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Request, Response

_GROUP = "my group & co"
_IMAGE = ("eastus2", "canonical", "ubuntu", "cvm")
_GALLERY = ("eastus2", "gallery-1", "image")
_TAG = "tagName eq 'ccgpu-deployment' and tagValue eq 'a&b=c d'"


def _id(kind: Kind, name: str = "one") -> ResourceId:
    return resource_id(FAKE_SUBSCRIPTION, _GROUP, kind, name)


_SET = ResourceId(
    f"{group_id(FAKE_SUBSCRIPTION, _GROUP)}/providers/Microsoft.Compute/diskEncryptionSets/des"
)


class Sdk:
    """The pinned SDK's typed clients, over the same transport."""

    def __init__(self, wire: Any) -> None:
        session = wire.session()
        self.compute: Any = session.client(ComputeManagementClient)
        self.network: Any = session.client(NetworkManagementClient)
        self.resources: Any = session.client(ResourceManagementClient)


Read = Callable[[Arm], object]
# A read of ccgpu's → the typed call of the SDK that it stands for.
_READS: dict[str, tuple[Read, Callable[[Sdk], object]]] = {
    "sizes": (
        lambda arm: Queries(arm).offers("Standard_X", "eastus2"),
        lambda sdk: list(sdk.compute.resource_skus.list(filter="location eq 'eastus2'")),
    ),
    "provider": (
        lambda arm: Queries(arm).provider("Microsoft.Compute"),
        lambda sdk: sdk.resources.providers.get("Microsoft.Compute"),
    ),
    "usages": (
        lambda arm: Queries(arm).usages("eastus2"),
        lambda sdk: list(sdk.compute.usage.list("eastus2")),
    ),
    "groups": (
        lambda arm: Queries(arm).tagged_groups("ccgpu-deployment", "a&b=c d"),
        lambda sdk: list(sdk.resources.resource_groups.list(filter=_TAG)),
    ),
    "resources": (
        lambda arm: Queries(arm).tagged_resources("ccgpu-deployment", "a&b=c d"),
        lambda sdk: list(sdk.resources.resources.list(filter=_TAG)),
    ),
    "inside": (
        lambda arm: Queries(arm).inside(_GROUP),
        lambda sdk: list(sdk.resources.resources.list_by_resource_group(_GROUP)),
    ),
    "machines": (
        lambda arm: Queries(arm).virtual_machines(),
        lambda sdk: list(sdk.compute.virtual_machines.list_all()),
    ),
    "first-machines": (
        lambda arm: Queries(arm).first_virtual_machines(),
        lambda sdk: list(sdk.compute.virtual_machines.list_all()),
    ),
    "statuses": (
        lambda arm: Queries(arm).virtual_machines(status_only=True),
        lambda sdk: list(sdk.compute.virtual_machines.list_all(status_only="true")),
    ),
    "encryption-set": (
        lambda arm: Queries(arm).encryption_set(_SET),
        lambda sdk: sdk.compute.disk_encryption_sets.get(_GROUP, "des"),
    ),
    "marketplace-versions": (
        lambda arm: ImageReader(arm, _IMAGE[0]).marketplace_versions(*_IMAGE[1:]),
        lambda sdk: sdk.compute.virtual_machine_images.list(*_IMAGE),
    ),
    "marketplace": (
        lambda arm: ImageReader(arm, _IMAGE[0]).marketplace(*_IMAGE[1:], "1.0.0"),
        lambda sdk: sdk.compute.virtual_machine_images.get(*_IMAGE, "1.0.0"),
    ),
    "community-versions": (
        lambda arm: list(ImageReader(arm, _GALLERY[0]).community_versions(*_GALLERY[1:])),
        lambda sdk: list(sdk.compute.community_gallery_image_versions.list(*_GALLERY)),
    ),
    "community": (
        lambda arm: ImageReader(arm, _GALLERY[0]).community(*_GALLERY[1:], "1.0.0"),
        lambda sdk: sdk.compute.community_gallery_image_versions.get(*_GALLERY, "1.0.0"),
    ),
    "vm-with-view": (
        lambda arm: arm.get(Kind.VM, _id(Kind.VM), view=True),
        lambda sdk: sdk.compute.virtual_machines.get(_GROUP, "one", expand="instanceView"),
    ),
    "group": (
        lambda arm: arm.get(Kind.GROUP, group_id(FAKE_SUBSCRIPTION, _GROUP)),
        lambda sdk: sdk.resources.resource_groups.get(_GROUP),
    ),
    "nic": (
        lambda arm: arm.get(Kind.NIC, _id(Kind.NIC)),
        lambda sdk: sdk.network.network_interfaces.get(_GROUP, "one"),
    ),
    "disk": (
        lambda arm: arm.get(Kind.DISK, _id(Kind.DISK)),
        lambda sdk: sdk.compute.disks.get(_GROUP, "one"),
    ),
}


def _shown(request: Request) -> tuple[Any, ...]:
    return request.method, request.path.lower(), request.query, request.headers["Accept"]


@pytest.mark.parametrize("name", _READS)
def test_a_read_sends_the_request_of_the_pinned_sdk(name, wire):
    ours, sdks = _READS[name]
    wire.replies += [Response(200, [] if name == "marketplace-versions" else {"value": []})] * 2
    with suppress(CcgpuError):  # the answer has not all that the read looks for
        ours(wire.adapter)
    sdks(Sdk(wire))
    mine, sdk = wire.seen
    assert _shown(mine) == _shown(sdk)


def test_the_serial_log_is_asked_for_with_the_request_of_the_pinned_sdk(wire):
    wire.replies += [Response(200, {}), Response(200, {})]
    assert SerialLogs(wire.session(), wire.adapter).read(_id(Kind.VM)) == ""
    Sdk(wire).compute.virtual_machines.retrieve_boot_diagnostics_data(
        _GROUP, "one", sas_uri_expiration_time_in_minutes=5
    )
    mine, sdk = wire.seen
    assert _shown(mine) == _shown(sdk)


def _page(wire: Any, link: object, *names: str) -> None:
    wire.replies.append(Response(200, {"value": [{"id": one} for one in names], "nextLink": link}))


def test_pages_are_read_to_the_last_one(wire):
    _page(wire, "https://management.azure.com/next?$skiptoken=a%20b&api-version=1", "a", "b")
    _page(wire, None, "c")
    assert [one["id"] for one in wire.queries.virtual_machines()] == ["a", "b", "c"]
    assert wire.seen[1].path == "/next"
    assert wire.seen[1].query == {"$skiptoken": "a b", "api-version": "1"}


def test_a_list_goes_on_at_the_link_of_its_first_page(wire):
    link = "https://management.azure.com/next?api-version=1"
    _page(wire, link, "a")
    _page(wire, None, "b")
    first, following = wire.queries.first_virtual_machines()
    assert ([one["id"] for one in first], following) == (["a"], link)
    assert [one["id"] for one in wire.queries.further_virtual_machines(following)] == ["b"]
    assert wire.seen[1].path == "/next"


@pytest.mark.parametrize("link", ["", None])
def test_a_list_of_one_page_has_no_link(link, wire):
    _page(wire, link, "a")
    assert wire.queries.first_virtual_machines() == (({"id": "a"},), None)


@pytest.mark.parametrize("body", [{}, [], {"value": None}, {"value": [], "nextLink": 5}])
def test_a_first_page_of_another_form_is_refused(body, wire):
    wire.replies.append(Response(200, body))
    with pytest.raises(AzureUnavailable):
        wire.queries.first_virtual_machines()


def test_a_page_that_names_itself_as_the_next_one_is_refused(wire):
    link = "https://management.azure.com/next?api-version=1"
    _page(wire, link)
    _page(wire, link)
    with pytest.raises(AzureUnavailable, match="not from Azure Resource Manager"):
        wire.queries.virtual_machines()
    assert len(wire.seen) == 2


@pytest.mark.parametrize(
    "body", [{}, {"value": None}, {"value": 5}, [], "text", None, {"value": [1]}]
)
def test_a_list_of_another_form_is_never_an_empty_list(body, wire):
    wire.replies.append(Response(200, body))
    with pytest.raises(AzureUnavailable):
        wire.queries.virtual_machines()


@pytest.mark.parametrize("time", ["soon", 5, ["2027"]])
def test_an_end_of_an_image_that_is_no_time_is_an_answer_of_another_form(time, wire):
    properties = {"imageDeprecationStatus": {"scheduledDeprecationTime": time}}
    wire.replies.append(Response(200, {"name": "x", "properties": properties}))
    reference = dict(zip(("publisher", "offer", "sku", "version"), "abcd", strict=True))
    with pytest.raises(AzureUnavailable, match="not from Azure Resource Manager"):
        Account(wire.adapter).image_end("eastus2", reference)


def test_a_next_link_elsewhere_is_refused(wire):
    _page(wire, "https://evil.example/next")
    with pytest.raises(ForeignAnswer, match=r"evil\.example"):
        wire.queries.virtual_machines()
    assert len(wire.seen) == 1


def test_all_clients_share_one_token(wire):
    wire.replies += [Response(404, {"error": {"code": "NotFound", "message": "no"}})] * 3
    adapter = wire.adapter
    for kind in (Kind.VM, Kind.NIC, Kind.GROUP):
        ours = group_id(FAKE_SUBSCRIPTION, "g") if kind is Kind.GROUP else _id(kind)
        assert adapter.get(kind, ours) is None
        adapter.delete(kind, ours)
    assert len(wire.tokens.asked) == 1


def test_a_client_is_made_by_the_first_write_of_its_kind(wire):
    adapter = wire.adapter
    adapter.get(Kind.NIC, _id(Kind.NIC))
    assert adapter._clients == {}
    adapter.delete(Kind.VM, _id(Kind.VM))
    (typed,) = adapter._clients.values()
    assert {name for name in vars(typed) if name.startswith("_")} >= {"_compute"}
    assert "_network" not in vars(typed)
    assert "_resources" not in vars(typed)
