"""The caller's subscription and roles, and the end of an image, as Azure tells them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ccgpu.azure.account import Account, Subscription
from ccgpu.domain.granted import Grant
from ccgpu.errors import AzureUnavailable, Denied
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Response

_TOP = f"/subscriptions/{FAKE_SUBSCRIPTION}"
_GALLERY = "cgpuimage-db870bae-5bcf-4120-9415-b841adef61d3"
_VERSION = {
    "publisher": "Canonical",
    "offer": "ubuntu-24_04-lts",
    "sku": "cvm",
    "version": "24.04.202609150",
}
_COMMUNITY = (
    f"/CommunityGalleries/{_GALLERY}/Images/cgpu-NCC-2404-base-image/Versions/2404.20260928.0"
)


@pytest.fixture
def account(wire: Any) -> Account:
    """The account above the simulated subscription."""
    return Account(wire.adapter)


def test_the_subscription_has_a_name_a_tenant_and_a_state(wire, account):
    wire.arm.settings.set("subscription_state", value="Warned")
    tenant = "00000000-0000-4000-8000-00000000000a"
    assert account.subscription() == Subscription("Simulated subscription", tenant, "Warned")


def test_roles_are_listed_at_a_subscription_and_at_a_group(wire, account):
    assert account.grants(_TOP) == (Grant(("*",)),)
    wire.arm.settings.set("principal", value=["*/read"])
    assert account.grants(f"{_TOP}/resourceGroups/g") == (Grant(("*/read",)),)
    assert {request.query["api-version"] for request in wire.seen} == {"2022-04-01"}


def test_a_list_that_may_not_be_read_is_denied(wire, account):
    wire.arm.settings.set("principal", value=["Microsoft.Compute/*"])
    with pytest.raises(Denied, match="permissions/read"):
        account.grants(_TOP)


@pytest.mark.parametrize(
    "body",
    [
        {"value": [{"actions": ["*"], "notActions": []}], "nextLink": "https://x"},
        {"value": [{"notActions": []}]},
        {"value": None},
        [],
    ],
    ids=["more-pages", "no-actions", "no-list", "another-form"],
)
def test_a_list_that_is_not_whole_is_no_answer(wire, account, body):
    wire.replies.append(Response(200, body))
    with pytest.raises(AzureUnavailable):
        account.grants(_TOP)


def test_not_actions_are_read(wire, account):
    wire.replies.append(Response(200, {"value": [{"actions": ["*"], "notActions": ["x/write"]}]}))
    assert account.grants(_TOP) == (Grant(("*",), ("x/write",)),)


def test_a_marketplace_image_ends_when_azure_says_so(wire, account):
    assert account.image_end("eastus2", _VERSION) is None
    urn = ":".join(_VERSION.values())
    wire.arm.settings.set("image_ends", value={urn: "2027-06-30T00:00:00+00:00"})
    end = account.image_end("eastus2", _VERSION)
    assert end is not None
    assert (end.version, end.on) == (urn, datetime(2027, 6, 30, tzinfo=UTC))


def test_a_community_image_ends_on_its_end_of_life_date(wire, account):
    reference = {"communityGalleryImageId": _COMMUNITY}
    assert account.image_end("eastus2", reference) is None
    body = {"name": "x", "properties": {"endOfLifeDate": "2027-06-30T00:00:00Z"}}
    wire.replies.append(Response(200, body))
    end = account.image_end("eastus2", reference)
    assert end is not None
    assert (end.version, end.on) == (_COMMUNITY, datetime(2027, 6, 30, tzinfo=UTC))


def test_a_private_image_has_no_end_that_is_read(wire, account):
    assert account.image_end("eastus2", {"id": f"{_TOP}/x"}) is None
    assert wire.seen == []
