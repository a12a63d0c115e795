"""What nobody gave says what is there already: a default is no reason to change or replace it."""

import copy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names, Placement, RunTags, desired_resources
from ccgpu.domain.first_boot import FirstBoot
from ccgpu.domain.given import GivenFields, field_values, remember
from ccgpu.domain.live_spec import live_fields, resumable, with_live_values
from ccgpu.domain.plan import make_plan
from ccgpu.domain.resource import key
from ccgpu.domain.spec.vm import VmSpec
from support.arm_bodies import get_bodies
from support.public_keys import ed25519_line
from support.specs import ENCRYPTION_SET, IDENTITY, IMAGE, SUBNET, SUBSCRIPTION, VARIANTS

_BLANK = VmSpec(name="demo")
_STAMP = RunTags("0123456789abcdef", "2026-10-01T12:00:00Z", "2026-10-01T20:00:00Z")
_LATER = RunTags("fedcba9876543210", "2026-10-02T12:00:00Z")
_URN = ":".join(IMAGE.values())
_COMMUNITY = "/CommunityGalleries/pub-1/Images/cvm/Versions/1.2.3"


def _spec(**changes) -> VmSpec:
    base = {"name": "demo", "ssh_from": "203.0.113.7/32", "ssh_keys": [ed25519_line()]}
    return VmSpec.model_validate(base | changes)


def _placement(spec: VmSpec) -> Placement:
    image = {"communityGalleryImageId": spec.image} if spec.image[0] == "/" else IMAGE
    return Placement(spec.regions[0], spec.zone, image)


def _names(spec: VmSpec) -> Names:
    return Names(SUBSCRIPTION, spec.group, spec.name)


def _live_bodies(spec: VmSpec, **how):
    return get_bodies(desired_resources(spec, SUBSCRIPTION, _placement(spec), _STAMP), **how)


def _fill_in(spec: VmSpec, actual, asked: VmSpec = _BLANK, named=()) -> VmSpec:
    group = asked.model_copy(update={"resource_group": spec.resource_group})
    return with_live_values(group, named, _names(spec), actual)


def _changes(spec: VmSpec, actual):
    wanted = desired_resources(spec, SUBSCRIPTION, _placement(spec), _LATER)
    return [
        (one.resource.name, one.action, one.reasons)
        for one in make_plan(wanted, actual, "demo").changes
    ]


_DISK = st.fixed_dictionaries(
    {"size_gib": st.integers(1, 4000), "type": st.sampled_from(["Premium_LRS", "Standard_LRS"])}
)
_OPEN = st.sampled_from(
    [
        {},
        {"private": True, "ssh_from": "auto"},
        {"subnet": SUBNET},
        {"subnet": SUBNET, "private": True, "ssh_from": "10.20.0.0/16"},
        {"ssh_from": "0.0.0.0/0", "ssh_from_anywhere": True},
    ]
)
_ENCRYPTED = st.sampled_from(
    [
        {},
        {"os_disk": {"encryption": "state-only", "size_gib": 512}, "secure_boot": False},
        {"os_disk": {"encryption": "state-only", "type": "StandardSSD_LRS"}},
        {"os_disk": {"encryption_set": ENCRYPTION_SET, "size_gib": 300}},
    ]
)
_SPOT = st.sampled_from([{}, {"spot": True}, {"spot": True, "max_price": 3.5}])
_REST = st.fixed_dictionaries(
    {},
    optional={
        "zone": st.sampled_from(["1", "2", "3"]),
        "regions": st.permutations(["eastus2", "westeurope", "swedencentral"]),
        "size": st.just("Standard_NCC80ads_H100_v5"),
        "image": st.sampled_from([_URN, _COMMUNITY]),
        "data_disks": st.lists(_DISK, max_size=4),
        "admin_user": st.just("ada"),
        "identities": st.sampled_from([["system"], [IDENTITY], ["system", IDENTITY]]),
        "tags": st.dictionaries(st.sampled_from(["Team", "cost.center", "b"]), st.just("x")),
        "boot_diagnostics": st.booleans(),
        "resource_group": st.just("Research"),
        "ttl": st.just("8h"),
    },
)


@given(_OPEN, _ENCRYPTED, _SPOT, _REST, st.booleans())
@example({}, {}, {}, {"data_disks": [{"size_gib": 64, "type": "Premium_LRS"}]}, True)
def test_without_given_fields_the_plan_has_no_changes(open_, encrypted, spot, rest, deallocated):
    spec = _spec(**open_, **encrypted, **spot, **rest)
    actual = _live_bodies(spec, deallocated=deallocated)
    filled = _fill_in(spec, actual)
    assert _changes(filled, _live_bodies(spec)) == []
    same = spec.model_dump(exclude={"ttl", "regions", "image"})
    assert filled.model_dump(exclude={"ttl", "regions", "image"}) == same
    assert filled.regions[0] == spec.regions[0]
    assert filled.ttl is None


@pytest.mark.parametrize("name", VARIANTS)
def test_every_spec_is_read_back_from_its_resources(name):
    spec = _spec(**VARIANTS[name])
    assert _changes(_fill_in(spec, _live_bodies(spec)), _live_bodies(spec)) == []


def test_without_resources_the_spec_is_unchanged():
    assert _fill_in(_BLANK, {}) == _BLANK


def test_foreign_resources_are_ignored():
    spec = _spec(os_disk={"size_gib": 512}, private=True, regions=["westeurope"])
    actual = _live_bodies(spec)
    for body in actual.values():
        body["tags"] = {"ccgpu-deployment": "another"}
    assert _fill_in(spec, actual) == _BLANK


def test_given_fields_keep_their_value():
    actual = _live_bodies(_spec(os_disk={"size_gib": 512}, tags={"a": "1", "b": "2"}, zone="2"))
    asked = VmSpec.model_validate({"name": "demo", "os_disk": {"size_gib": 64}, "tags": {"A": "3"}})
    filled = _fill_in(_BLANK, actual, asked, ["os_disk.size_gib", "tags.A"])
    assert (filled.os_disk.size_gib, filled.tags, filled.zone) == (64, {"A": "3", "b": "2"}, "2")


@pytest.mark.parametrize(
    ("live", "asked", "named"),
    [
        ({"spot": True, "max_price": 3.5}, {"spot": False}, ["spot"]),
        (
            {"os_disk": {"encryption": "state-only"}, "secure_boot": False},
            {"os_disk": {"encryption": "full"}},
            ["os_disk.encryption"],
        ),
        (
            {"os_disk": {"encryption_set": ENCRYPTION_SET}},
            {"os_disk": {"encryption": "state-only"}},
            ["os_disk.encryption"],
        ),
        (
            {"os_disk": {"encryption": "state-only"}},
            {"os_disk": {"encryption_set": ENCRYPTION_SET}},
            ["os_disk.encryption_set"],
        ),
        (
            {"ssh_from": "0.0.0.0/0", "ssh_from_anywhere": True},
            {"ssh_from": "203.0.113.0/24"},
            ["ssh_from"],
        ),
    ],
)
def test_a_given_field_overrides_a_contradicting_live_value(live, asked, named):
    wanted = VmSpec.model_validate({"name": "demo"} | asked)
    filled = _fill_in(_BLANK, _live_bodies(_spec(zone="3", **live)), wanted, named)
    assert VmSpec.model_validate(filled.model_dump(mode="json")) == filled
    assert filled.zone == "3"
    kept, meant = (dict(field_values(one.model_dump(mode="json"))) for one in (filled, wanted))
    assert [kept[field] for field in named] == [meant[field] for field in named]


@pytest.mark.parametrize(
    "rule",
    [
        {"sourceAddressPrefix": "Internet"},
        {"sourceAddressPrefix": "*"},
        {"sourceAddressPrefix": "203.0.113.7"},
        {"sourceAddressPrefix": "VirtualNetwork"},
        {"sourceAddressPrefixes": ["203.0.113.7/32", "198.51.100.0/24"]},
    ],
)
def test_a_rule_changed_by_hand_is_kept(rule):
    spec = _spec()
    actual = _live_bodies(spec)
    nsg = actual[key(_names(spec).of(Kind.NSG, "-nsg"))]
    properties = nsg["properties"]["securityRules"][0]["properties"]
    del properties["sourceAddressPrefix"]
    properties |= rule
    assert _changes(_fill_in(spec, actual), actual) == []


def test_a_tag_of_one_resource_is_not_added_to_others():
    spec = _spec()
    actual = _live_bodies(spec)
    actual[key(_names(spec).vm)]["tags"]["owner"] = "ada"
    assert _fill_in(spec, actual).tags == {}


def test_data_disks_are_read_up_to_the_first_missing_one():
    spec = _spec(data_disks=[{"size_gib": 8}, {"size_gib": 16}, {"size_gib": 32}])
    actual = _live_bodies(spec)
    storage = actual[key(_names(spec).vm)]["properties"]["storageProfile"]
    theirs = copy.deepcopy(storage["dataDisks"][0]) | {"name": "theirs", "lun": 9}
    del storage["dataDisks"][1]
    storage["dataDisks"].append(theirs)
    assert [disk.size_gib for disk in _fill_in(spec, actual).data_disks] == [8]


def test_the_zone_is_not_kept_in_another_region():
    asked = VmSpec.model_validate({"name": "demo", "regions": ["westeurope"]})
    actual = _live_bodies(_spec(zone="2", regions=["eastus2"]))
    assert _fill_in(_BLANK, actual, asked, ["regions"]).zone is None


def test_without_a_vm_the_spec_of_an_unfinished_create_is_used():
    spec = _spec(regions=["swedencentral"], private=True, ssh_from="10.0.0.0/24")
    actual = {
        one: body for one, body in _live_bodies(spec).items() if "microsoft.compute" not in one
    }
    filled = _fill_in(spec, actual)
    assert filled.regions == ("swedencentral", *_BLANK.regions)
    assert (filled.private, filled.ssh_from) == (True, "10.0.0.0/24")


def test_fields_taken_from_live_resources_are_listed():
    spec = _spec(os_disk={"size_gib": 512}, zone="1")
    filled = _fill_in(spec, _live_bodies(spec))
    assert {"os_disk.size_gib", "zone", "ssh_from"} <= live_fields(_BLANK, filled)
    assert "os_disk.type" not in live_fields(_BLANK, filled)
    assert live_fields(filled, filled) == frozenset()


def _body(actual, kind: Kind):
    return next(body for id_, body in actual.items() if f"/{kind.lower()}/" in id_)


def test_missing_or_unreadable_properties_are_ignored():
    spec = _spec(data_disks=[{"size_gib": 64}])
    actual = _live_bodies(spec)
    vm = _body(actual, Kind.VM)["properties"]
    vm["storageProfile"]["imageReference"] = None
    vm["storageProfile"]["dataDisks"][0].pop("diskSizeGB")
    vm["osProfile"]["linuxConfiguration"]["ssh"]["publicKeys"] = [{"keyData": "ssh-dss AAAA"}]
    _body(actual, Kind.NIC)["properties"]["ipConfigurations"] = []
    _body(actual, Kind.NSG)["properties"]["securityRules"].insert(0, {"name": "theirs"})
    for id_ in [id_ for id_ in actual if id_.endswith("/demo-data0")]:
        del actual[id_]
    filled = _fill_in(spec, actual)
    assert (filled.image, filled.data_disks, filled.ssh_keys) == (_BLANK.image, (), ())
    assert filled.ssh_from == spec.ssh_from


def test_an_invalid_spec_is_returned_unchanged():
    wrong = _BLANK.model_copy(update={"max_price": 2.0})
    assert with_live_values(wrong, (), _names(_BLANK), {}) == wrong


def test_invalid_live_values_are_not_remembered():
    given = GivenFields(frozenset({"zone"}))
    asked = _spec(zone="2")
    filled = asked.model_copy(update={"max_price": 2.0})
    assert resumable(asked, given, filled) == remember(asked, given)


_GUEST = {"driver": "550.144.03", "docker": False, "cloud_init": ["#!/bin/sh\ntrue\n"]}


def _without_guest_tags(actual):
    for body in actual.values():
        body["tags"] = {k: v for k, v in body.get("tags", {}).items() if "guest" not in k}
    return actual


def test_the_section_guest_of_a_vm_is_kept_unless_it_was_given():
    spec = _spec(guest=_GUEST)
    filled = _fill_in(spec, _live_bodies(spec))
    assert filled.guest.driver == "550.144.03"
    assert filled.guest.cloud_init != ()
    assert _changes(filled, _live_bodies(spec)) == []


def test_a_driver_that_no_table_has_is_kept():
    spec = _spec()
    actual = _live_bodies(spec)
    vm = next(body for body in actual.values() if "ccgpu-guest" in body.get("tags", {}))
    vm["tags"]["ccgpu-guest"] = vm["tags"]["ccgpu-guest"].replace("driver=595;", "driver=444;")
    filled = _fill_in(spec, actual)
    assert filled.guest.driver == "444"
    assert _changes(filled, actual) == []


@pytest.mark.parametrize(
    ("given_now", "path", "wanted", "found"),
    [
        ({"driver": "595"}, "guest.driver", "595", "550.144.03"),
        ({"docker": True}, "guest.docker", "true", "false"),
        ({"ready": "at-boot"}, "guest.ready", "at-boot", "after-attestation"),
        ({"lockdown": False}, "guest.lockdown", "false", "true"),
    ],
)
def test_a_given_field_of_the_section_replaces_the_vm_and_is_named(given_now, path, wanted, found):
    spec = _spec(guest=_GUEST)
    actual = _live_bodies(spec)
    filled = _fill_in(spec, actual, _spec(guest=given_now), named=[path])
    ((name, action, (reason,)),) = _changes(filled, actual)
    assert (name, action) == ("demo", "replace")
    assert (reason.path, reason.wanted, reason.found) == (path, wanted, found)


def test_a_vm_that_was_made_before_the_tag_is_kept_as_it_is():
    spec = _spec(guest=_GUEST)
    actual = _without_guest_tags(_live_bodies(spec))
    for asked, named in ((_BLANK, []), (_spec(guest={"driver": "595"}), ["guest.driver"])):
        assert _changes(_fill_in(spec, actual, asked, named), actual) == []


@pytest.mark.parametrize("strip", [lambda actual: actual, _without_guest_tags])
def test_an_update_leaves_the_tags_of_the_first_boot_as_they_are(strip):
    spec = _spec(guest=_GUEST)
    actual = strip(_live_bodies(spec))
    before = next(b["tags"] for b in actual.values() if "osProfile" in b.get("properties", {}))
    asked = _spec(tags={"team": "ml"})
    filled = _fill_in(spec, actual, asked, named=["tags.team"])
    wanted = desired_resources(
        filled, SUBSCRIPTION, _placement(filled), _LATER, FirstBoot("#cloud-config\n")
    )
    (step,) = (s for s in make_plan(wanted, actual, "demo").changes if s.resource.kind is Kind.VM)
    assert step.request is not None
    method, body = step.request
    assert method == "PATCH"
    first_boot = {"ccgpu-guest", "ccgpu-custom-data"}
    assert {k: v for k, v in body["tags"].items() if k in first_boot} == {
        k: v for k, v in before.items() if k in first_boot
    }
