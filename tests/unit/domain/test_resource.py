"""Ids, tags and states of ARM resources, in every spelling that Azure uses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain import resource
from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.resource import Resource, ResourceId, holder_of

_WORD = st.text("abcXYZ019-", min_size=1, max_size=12)
_GROUP = "/subscriptions/S/resourceGroups/G"
_VM = f"{_GROUP}/providers/Microsoft.Compute/virtualMachines/x"


@given(_WORD, _WORD, st.sampled_from(Kind), _WORD)
def test_a_resource_id_round_trips_through_its_parts(subscription, group, kind, name):
    names = [f"above{at}" for at in range(kind.count("/") - 1)] + [name]
    id_ = resource.resource_id(subscription, group, kind, *names)
    if kind is not Kind.GROUP:
        assert resource.names_in(id_) == tuple(names)
    for spelt in (id_, id_.upper(), id_.lower(), id_ + "/"):
        assert resource.is_same_id(spelt, id_)
        assert resource.kind_of(spelt.rstrip("/")) is kind
        assert resource.group_of(spelt).casefold() == group.casefold()
        assert resource.subscription_of(spelt).casefold() == subscription.casefold()
        expected = group if kind is Kind.GROUP else name
        assert resource.name_of(spelt).casefold() == expected.casefold()


@given(_WORD, _WORD)
def test_the_id_of_a_group_names_no_other_resource(subscription, group):
    id_ = resource.group_id(subscription, group)
    assert id_ == resource.resource_id(subscription, group, Kind.GROUP, "ignored")
    assert id_ == f"/subscriptions/{subscription}/resourceGroups/{group}"


@pytest.mark.parametrize(
    ("id_", "kind"),
    [
        (_GROUP, Kind.GROUP),
        (_VM, Kind.VM),
        ("/subscriptions/S", None),
        (f"{_GROUP}/providers/Microsoft.Compute/galleries/x", Kind.GALLERY),
        (f"{_GROUP}/providers/Microsoft.Compute/galleries/x/images", None),
        (f"{_GROUP}/providers/Microsoft.Compute/galleries/x/images/i", Kind.GALLERY_IMAGE),
        (f"{_GROUP}/providers/Microsoft.Compute/galleries/x/images/i/versions", None),
        (f"{_VM}/extensions/y", None),
        (f"{_GROUP}/providers/Microsoft.Compute/virtualMachines", None),
        (f"{_GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets/s", None),
        (f"{_VM}/providers/Microsoft.Compute/disks/x", Kind.DISK),
    ],
)
def test_the_kind_is_that_of_the_last_provider_and_only_of_whole_resources(id_, kind):
    assert resource.kind_of(id_) is kind


def test_different_ids_are_different():
    assert not resource.is_same_id(_VM, f"{_VM}2")


@pytest.mark.parametrize("id_", ["", "/", "/subscriptions/S", "/subscriptions/S/resourceGroups"])
def test_an_id_without_a_group_has_none(id_):
    with pytest.raises(ValueError, match=f"^no resource group in {id_!r}$"):
        resource.group_of(id_)


@pytest.mark.parametrize("id_", ["", "/", "/subscriptions", "/tenants/T/x", "subscriptions/S"])
def test_an_id_without_a_subscription_has_none(id_):
    with pytest.raises(ValueError, match=f"^no subscription in {id_!r}$"):
        resource.subscription_of(id_)


def test_a_subscription_has_an_id():
    assert resource.subscription_of("/subscriptions/S") == "S"


def test_a_name_is_the_last_word_of_an_id():
    assert resource.name_of("/a/b/x-y_z.1") == "x-y_z.1"
    assert resource.key("/A/b/") == "/a/b"


def test_tag_names_are_fixed_for_all_versions():
    assert (resource.DEPLOYMENT, resource.BODY_HASH) == ("ccgpu-deployment", "ccgpu-body")
    assert {"ccgpu-run", "ccgpu-created", "ccgpu-expires"} <= resource.VOLATILE_TAGS
    assert resource.VOLATILE_TAGS.isdisjoint({resource.DEPLOYMENT, resource.BODY_HASH})


@pytest.mark.parametrize("body", [None, {}, {"tags": None}, {"tags": {}}])
def test_missing_tags_are_empty(body):
    assert resource.tags_of(body) == {}
    assert resource.tag(body, resource.RUN) is None


@pytest.mark.parametrize("spelt", ["ccgpu-run", "CCGPU-Run"])
def test_tag_names_are_case_insensitive_and_values_are_not(spelt):
    body = {"tags": {"a": "b", spelt: "X"}}
    assert resource.tag(body, resource.RUN) == "X"


@pytest.mark.parametrize("text", ["eastus2", "East US 2", "EASTUS2", "east us2"])
def test_locations_are_normalised(text):
    assert resource.location(text) == "eastus2"


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"properties": {"provisioningState": "Failed"}}, "Failed"),
        ({"properties": {"provisioningState": None}}, "Succeeded"),
        ({"properties": {}}, "Succeeded"),
        ({"properties": None}, "Succeeded"),
        ({}, "Succeeded"),
    ],
)
def test_a_resource_without_a_provisioning_state_is_settled(body, state):
    assert resource.state_of(body) == state


@pytest.mark.parametrize("kind", Kind)
def test_a_resource_knows_its_name_and_its_version(kind):
    one = Resource(kind, ResourceId("/a/b/Name"), {})
    assert (one.name, one.api_version) == ("Name", API_VERSIONS[kind])


@pytest.mark.parametrize(
    ("id_", "holder"),
    [
        ("/subscriptions/s/resourceGroups/g", "/subscriptions/s/resourceGroups/g"),
        (
            "/subscriptions/s/resourceGroups/g/providers/N/virtualNetworks/v/subnets/x",
            "/subscriptions/s/resourceGroups/g/providers/N/virtualNetworks/v",
        ),
    ],
)
def test_a_child_belongs_to_its_parent(id_, holder):
    assert holder_of(id_) == holder
