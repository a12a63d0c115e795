"""Every field of a spec whose change is reported is reported under its own name and values."""

import copy
from typing import Any

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference, differences
from ccgpu.domain.live_vm import PRIVATE, SUBNET
from ccgpu.domain.resource import Body
from ccgpu.domain.spec_words import in_spec_words, text
from support.public_keys import ed25519_line
from support.specs import ENCRYPTION_SET, IDENTITY, resources_of_spec

_KEY = f"{ed25519_line()} ada@laptop"
_OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6ugBULBtCw910h8qCEhpAPD7DM4vsd0jymRQxwbA2J"


def _bodies(**changes: Any) -> dict[Kind, Body]:
    return {r.kind: copy.deepcopy(r.body) for r in resources_of_spec(**changes).values()}


@pytest.mark.parametrize(
    ("kind", "changes", "lines"),
    [
        (Kind.VM, {"os_disk": {"size_gib": 512}}, ["os_disk.size_gib: 256 → 512"]),
        (
            Kind.VM,
            {"os_disk": {"type": "Standard_LRS"}},
            ["os_disk.type: Premium_LRS → Standard_LRS"],
        ),
        (
            Kind.VM,
            {"os_disk": {"encryption": "state-only"}, "secure_boot": False},
            ["secure_boot: true → false", "os_disk.encryption: full → state-only"],
        ),
        (
            Kind.VM,
            {"os_disk": {"encryption_set": ENCRYPTION_SET}},
            [f"os_disk.encryption_set: none → {ENCRYPTION_SET}"],
        ),
        (Kind.VM, {"admin_user": "ada"}, ["admin_user: azureuser → ada"]),
        (Kind.VM, {"zone": "2"}, ["zone: none → 2"]),
        (Kind.VM, {"spot": True}, ["spot: false → true", "max_price: none → -1"]),
        (Kind.VM, {"data_disks": [{"size_gib": 64}]}, ["data_disks.demo-data0: none → 64 GiB"]),
        (Kind.VM, {"identities": ["system", IDENTITY]}, ["identities: none → system, reader"]),
        (Kind.VM, {"boot_diagnostics": False}, ["boot_diagnostics: true → false"]),
        (Kind.VM, {"tags": {"team": "b"}}, ["tags.team: none → b"]),
        (Kind.VM, {"regions": ["westeurope"]}, ["region: eastus2 → westeurope"]),
        (Kind.NSG, {"ssh_from": "10.0.0.0/8"}, ["ssh_from: 203.0.113.7/32 → 10.0.0.0/8"]),
        (Kind.VNET, {"private": True, "ssh_from": "auto"}, ["private: false → true"]),
    ],
)
def test_a_changed_field_is_described_by_its_name(kind, changes, lines):
    there, body = _bodies()[kind], _bodies(**changes)[kind]
    told = [str(one) for one in in_spec_words(kind, differences(kind, body, there))]
    ours = [line for line in told if "network interface" not in line]
    assert len(ours) == len(lines)
    for line, start in zip(ours, lines, strict=True):
        assert line.startswith(start)


def test_descriptions_have_no_arm_path_hash_or_repr():
    for kind in (Kind.VM, Kind.NSG, Kind.VNET):
        there: Body = {"tags": {}, "properties": {}}
        for one in in_spec_words(kind, differences(kind, _bodies()[kind], there)):
            assert "properties" not in one.field
            assert not any(word in str(one) for word in ("None", "True", "False", "{'"))


@pytest.mark.parametrize(
    ("kind", "difference", "line"),
    [
        (
            Kind.VM,
            Difference(
                "properties.storageProfile.imageReference",
                {"id": "/images/1"},
                {"publisher": "p", "offer": "o", "sku": "s", "version": "1"},
            ),
            "image: p:o:s:1 → /images/1",
        ),
        (
            Kind.VM,
            Difference(
                "properties.storageProfile.imageReference",
                {"communityGalleryImageId": "/CommunityGalleries/g"},
                None,
            ),
            "image: none → /CommunityGalleries/g",
        ),
        (
            Kind.VM,
            Difference(
                "properties.osProfile.linuxConfiguration.ssh.publicKeys",
                [{"keyData": _KEY}],
                [{"keyData": _OTHER_KEY}, {"keyData": "junk"}],
            ),
            f"ssh_keys: ssh-ed25519 …RQxwbA2J → ssh-ed25519 …{_KEY.split()[1][-8:]} ada@laptop",
        ),
        (Kind.VM, Difference(PRIVATE, True, False), "private: false → true"),
        (
            Kind.VM,
            Difference(SUBNET, "/hub/subnets/gpu", "/x/demo-vnet/subnets/default"),
            "subnet: the deployment's own network → /hub/subnets/gpu",
        ),
        (
            Kind.VM,
            Difference("properties.storageProfile.dataDisks.demo-data0.diskSizeGB", 128, 64),
            "data_disks.demo-data0: 64 → 128",
        ),
        (
            Kind.VM,
            Difference("tags.ccgpu-body", "aa", "bb"),
            "network interface: made otherwise → as the spec says",
        ),
        (
            Kind.VM,
            Difference("identity", {"type": "SystemAssigned"}, None),
            "identities: none → system",
        ),
        (
            Kind.NSG,
            Difference("properties.provisioningState", "Succeeded", "Failed"),
            "state: Failed → Succeeded",
        ),
        (
            Kind.NSG,
            Difference("tags.ccgpu-expires", "2026-01-02T00:00:00Z", None),
            "expires: none → 2026-01-02T00:00:00Z",
        ),
        (
            Kind.NSG,
            Difference("properties.securityRules.deny-inbound.properties.access", "Deny", "Allow"),
            "security rule deny-inbound, access: Allow → Deny",
        ),
        (
            Kind.NSG,
            Difference("properties.securityRules.ssh", {"name": "ssh"}, None),
            "security rule ssh: none → as ccgpu makes it",
        ),
        (
            Kind.VNET,
            Difference("properties.subnets.default.properties.defaultOutboundAccess", False, True),
            "default outbound access: true → false",
        ),
    ],
)
def test_each_difference_has_a_description(kind, difference, line):
    (change,) = in_spec_words(kind, [difference])
    assert str(change) == line


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "none"),
        (True, "true"),
        (3, "3"),
        ([], "none"),
        (["a", None], "a, none"),
        ({"b": 1}, '{"b": 1}'),
        ("a\x1b[31m\u202e", "a\\x1b[31m\\u202e"),
    ],
)
def test_values_are_written_as_in_a_spec(value, shown):
    assert text(value) == shown
