"""What a spec becomes at Azure: whole bodies, and the laws that hold for each of them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.catalog import API_VERSIONS, OWN_TAGS, Kind
from ccgpu.domain.desired import Names, RunTags, desired_resources
from ccgpu.domain.resource import (
    BODY_HASH,
    DEPLOYMENT,
    GUEST,
    VOLATILE_TAGS,
    Body,
    Resource,
    key,
)
from support.public_keys import ed25519_line
from support.specs import (
    IDENTITY,
    STAMP,
    SUBSCRIPTION,
    VARIANTS,
    first_placement,
    make_spec,
    resources_of_spec,
)

_NAMES = Names(SUBSCRIPTION, "ccgpu-demo", "demo")
# Microsoft Learn, "Naming rules and restrictions for Azure resources". Azure adds some characters
# to the names of inline NICs and public IPs, so they have to stay well below theirs, 80.
_RULES = {
    Kind.GROUP: r"[\w.()-]{0,89}[\w()-]",
    Kind.NSG: r"[a-zA-Z0-9][\w.-]{0,78}\w",
    Kind.VNET: r"[a-zA-Z0-9][\w.-]{0,62}\w",
    Kind.PUBLIC_IP: r"[a-zA-Z0-9][\w.-]{0,78}\w",
    Kind.NAT: r"[a-zA-Z0-9][\w.-]{0,78}\w",
    Kind.NIC: r"[a-zA-Z0-9][\w.-]{0,68}\w",
    Kind.DISK: r"[a-zA-Z0-9][\w.-]{0,78}\w",
    Kind.VM: r"[a-zA-Z0-9][a-zA-Z0-9-]{0,62}[a-zA-Z0-9]",  # Linux: 64
}
_LONGEST = "d" * 59
_LONGEST_WITH_SUBNET = "d" * 63


def _vm(**changes: Any) -> Resource:
    return next(r for r in resources_of_spec(**changes).values() if r.kind is Kind.VM)


def _nic(vm: Resource) -> Body:
    nic: Body = vm.body["properties"]["networkProfile"]["networkInterfaceConfigurations"][0]
    return nic


def _address(vm: Resource) -> Body | None:
    ip: Body = _nic(vm)["properties"]["ipConfigurations"][0]["properties"]
    return ip.get("publicIPAddressConfiguration")


@pytest.mark.parametrize("name", VARIANTS)
def test_the_bodies_of_a_spec_match_the_golden_files(name, golden):
    resources = [
        {
            "id": one.id,
            "api_version": one.api_version,
            "body": one.body,
            "needs": sorted(one.depends_on),
            "promises": {str(id_): str(kind) for id_, kind in one.implicitly_created.items()},
        }
        for one in resources_of_spec(**VARIANTS[name]).values()
    ]
    golden(f"arm/{name}.json", resources)


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_resources_are_distinct_and_depend_only_on_each_other(changes):
    resources = resources_of_spec(**changes)
    assert all(id_ == one.id for id_, one in resources.items())
    assert len({key(id_) for id_ in resources}) == len(resources)
    assert all(one.depends_on <= resources.keys() - {one.id} for one in resources.values())
    assert [one.kind for one in resources.values()].count(Kind.VM) == 1


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_every_resource_depends_on_the_group(changes):
    group, *rest = resources_of_spec(**changes).values()
    assert (group.kind, group.depends_on) == (Kind.GROUP, frozenset())
    assert all(group.id in one.depends_on for one in rest)
    assert all(one.id.startswith(f"{group.id}/providers/{one.kind}/") for one in rest)


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_resources_depend_on_all_resources_their_body_refers_to(changes):
    resources = resources_of_spec(**changes)
    for one in resources.values():
        text = json.dumps(one.body)
        referred = {id_ for id_ in resources if f'"{id_}"' in text or f'"{id_}/' in text}
        assert referred <= one.depends_on


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_every_resource_has_tags_of_deployment_and_run(changes):
    stamp = RunTags("r1", "2026-01-02T03:04:05Z", "2026-01-03T03:04:05Z")
    resources = resources_of_spec(stamp, **changes)
    bodies = [one.body for one in resources.values()]
    vm = next(one for one in resources.values() if one.kind is Kind.VM)
    bodies += [_nic(vm)] + ([address] if (address := _address(vm)) else [])
    expected = make_spec(**changes).tags | {
        "ccgpu-deployment": "demo",
        "ccgpu-run": "r1",
        "ccgpu-created": "2026-01-02T03:04:05Z",
        "ccgpu-expires": "2026-01-03T03:04:05Z",
    }
    assert all(body["tags"].items() >= expected.items() for body in bodies)
    assert all(body["tags"].keys() - expected.keys() <= {BODY_HASH, GUEST} for body in bodies)
    assert len(vm.body["tags"]) - len(make_spec(**changes).tags) <= OWN_TAGS


def test_without_a_ttl_there_is_no_expiry_tag():
    assert STAMP.tags().keys() == VOLATILE_TAGS - {"ccgpu-expires"}


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_all_resources_are_in_one_region(changes):
    spec = make_spec(**changes, regions=["westeurope"])
    resources = desired_resources(spec, SUBSCRIPTION, first_placement(spec), STAMP).values()
    assert {one.body["location"] for one in resources} == {"westeurope"}


def _own_names(changes: dict[str, Any]) -> Iterator[tuple[Kind, str]]:
    resources = resources_of_spec(**changes).values()
    yield from ((one.kind, one.name) for one in resources)
    vm = next(one for one in resources if one.kind is Kind.VM)
    yield from ((kind, id_.rsplit("/", 1)[1]) for id_, kind in vm.implicitly_created.items())
    yield Kind.NIC, _nic(vm)["name"]
    yield Kind.VM, vm.body["properties"]["osProfile"]["computerName"]
    if address := _address(vm):
        yield Kind.PUBLIC_IP, address["name"]


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_longest_name_gives_valid_arm_names(changes):
    longest = _LONGEST_WITH_SUBNET if "subnet" in changes else _LONGEST
    for kind, name in _own_names(changes | {"name": longest}):
        assert re.fullmatch(_RULES[kind], name, re.ASCII), (kind, name)


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_disks_and_interfaces_are_deleted_with_the_vm(changes):
    vm = _vm(**changes)
    storage = vm.body["properties"]["storageProfile"]
    disks = [storage["osDisk"], *storage["dataDisks"]]
    bound = [*disks, _nic(vm)["properties"]]
    if address := _address(vm):
        bound.append(address["properties"])
    assert [one["deleteOption"] for one in bound] == ["Delete"] * len(bound)


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_vm_implicitly_creates_the_disks_of_its_body(changes):
    vm = _vm(**changes)
    storage = vm.body["properties"]["storageProfile"]
    named = {disk["name"] for disk in (storage["osDisk"], *storage["dataDisks"])}
    assert {id_.rsplit("/", 1)[1] for id_ in vm.implicitly_created} == named
    assert set(vm.implicitly_created.values()) == {Kind.DISK}
    assert [disk["lun"] for disk in storage["dataDisks"]] == list(range(len(storage["dataDisks"])))


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_inline_nic_has_a_supporting_api_version(changes):
    profile = _vm(**changes).body["properties"]["networkProfile"]
    assert profile["networkApiVersion"] >= "2022-11-01"
    assert "networkInterfaces" not in profile


def test_a_private_vm_has_a_nat_gateway_and_no_public_address():
    resources = resources_of_spec(private=True, ssh_from="auto")
    kinds = {one.kind: one for one in resources.values()}
    subnet = kinds[Kind.VNET].body["properties"]["subnets"][0]
    assert _address(kinds[Kind.VM]) is None
    assert subnet["properties"]["natGateway"] == {"id": kinds[Kind.NAT].id}
    assert kinds[Kind.NAT].id in kinds[Kind.VNET].depends_on
    assert kinds[Kind.PUBLIC_IP].id in kinds[Kind.NAT].depends_on


def test_a_public_vm_has_one_standard_static_address_and_no_nat_gateway():
    resources = resources_of_spec()
    address = _address(_vm())
    assert {Kind.NAT, Kind.PUBLIC_IP}.isdisjoint(one.kind for one in resources.values())
    assert address is not None
    assert address["sku"] == {"name": "Standard", "tier": "Regional"}
    assert address["properties"]["publicIPAllocationMethod"] == "Static"


def _confidential(changes: dict[str, Any]) -> tuple[str, str, bool, bool]:
    properties = _vm(**changes).body["properties"]
    disk = properties["storageProfile"]["osDisk"]["managedDisk"]["securityProfile"]
    uefi = properties["securityProfile"]["uefiSettings"]
    return (
        properties["securityProfile"]["securityType"],
        disk["securityEncryptionType"],
        uefi["vTpmEnabled"],
        uefi["secureBootEnabled"],
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_every_vm_is_confidential(name):
    full = ("ConfidentialVM", "DiskWithVMGuestState", True, True)
    state_only = ("ConfidentialVM", "VMGuestStateOnly", True, False)
    assert _confidential(VARIANTS[name]) == (state_only if name == "state-only" else full)


@pytest.mark.parametrize(
    ("identities", "body"),
    [
        pytest.param([], None, id="none"),
        pytest.param(["system"], {"type": "SystemAssigned"}, id="system"),
        pytest.param(
            [IDENTITY],
            {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
            id="user",
        ),
        pytest.param(
            [IDENTITY, "system"],
            {
                "type": "SystemAssigned, UserAssigned",
                "userAssignedIdentities": {IDENTITY: {}},
            },
            id="both",
        ),
    ],
)
def test_identities_are_those_of_the_spec(identities, body):
    assert _vm(identities=identities).body.get("identity") == body


@pytest.mark.parametrize(
    ("changes", "billing"),
    [
        pytest.param({}, (None, None, None), id="ordinary"),
        pytest.param({"spot": True}, ("Spot", "Deallocate", {"maxPrice": -1}), id="any price"),
        pytest.param(
            {"spot": True, "max_price": 2.5}, ("Spot", "Deallocate", {"maxPrice": 2.5}), id="limit"
        ),
    ],
)
def test_spot_vms_are_deallocated_on_eviction(changes, billing):
    properties = _vm(**changes).body["properties"]
    asked = tuple(properties.get(k) for k in ("priority", "evictionPolicy", "billingProfile"))
    assert asked == billing


def test_without_a_zone_azure_chooses():
    assert "zones" not in _vm().body
    assert _vm(zone="3").body["zones"] == ["3"]


def _hash(stamp: RunTags = STAMP, **changes: Any) -> str:
    tags = next(r for r in resources_of_spec(stamp, **changes).values() if r.kind is Kind.VM).body[
        "tags"
    ]
    return str(tags[BODY_HASH])


# What the hash is over: what goes into the inline NIC, and nothing else.
_WRITE_ONLY = {"private", "own-subnet", "own-subnet-private", "own-group"}


@pytest.mark.parametrize("name", sorted(VARIANTS.keys() - {"public"}))
def test_the_body_tag_depends_exactly_on_write_only_properties(name):
    assert (_hash(**VARIANTS[name]) != _hash()) is (name in _WRITE_ONLY)


@given(
    st.text("0123456789abcdef", min_size=1),
    st.text("0123456789", min_size=1),
    st.none() | st.just("2026-10-02T12:00:00Z"),
    st.dictionaries(st.sampled_from(["team", "cost"]), st.sampled_from(["a", "b"])),
)
def test_the_body_tag_does_not_depend_on_run_time_or_name(run, at, expires, tags):
    assert _hash(RunTags(run, at, expires), tags=tags) == _hash()


@given(st.sampled_from(sorted(VARIANTS)))
def test_equal_specs_give_equal_bytes(name):
    one, other = (resources_of_spec(**VARIANTS[name]) for _ in range(2))
    assert [json.dumps(r.body) for r in one.values()] == [
        json.dumps(r.body) for r in other.values()
    ]


def test_ssh_keys_belong_to_the_admin_user_and_passwords_are_disabled():
    keys = [ed25519_line(1), ed25519_line(2)]
    profile = _vm(ssh_keys=keys, admin_user="ada").body["properties"]["osProfile"]
    linux = profile["linuxConfiguration"]
    assert profile["adminUsername"] == "ada"
    assert linux["ssh"]["publicKeys"] == [
        {"path": "/home/ada/.ssh/authorized_keys", "keyData": line} for line in keys
    ]
    assert linux["disablePasswordAuthentication"] is True
    assert "adminPassword" not in profile


def test_resources_do_not_share_bodies():
    resources = list(resources_of_spec(private=True, ssh_from="auto").values())
    bodies = [one.body for one in resources]
    assert len({id(body) for body in bodies}) == len(bodies)


def test_resources_use_the_api_version_of_their_kind():
    assert all(one.api_version == API_VERSIONS[one.kind] for one in resources_of_spec().values())


def test_the_resource_names_follow_from_the_deployment_name():
    possible = {_NAMES.vm, *_NAMES.shared}
    for changes in VARIANTS.values():
        if "resource_group" not in changes:
            assert resources_of_spec(**changes).keys() <= possible
    assert _NAMES.os_disk in _vm().implicitly_created
    assert _NAMES.data_disk(0) in _vm(data_disks=[{"size_gib": 8}]).implicitly_created


def test_the_owner_of_a_resource_is_in_its_tag():
    assert {one.body["tags"][DEPLOYMENT] for one in resources_of_spec(name="mine").values()} == {
        "mine"
    }
