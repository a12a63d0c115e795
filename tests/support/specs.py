"""Valid specs and the resources they describe."""

from typing import Any

from ccgpu.domain.desired import Placement, RunTags, desired_resources
from ccgpu.domain.resource import Resource, ResourceId
from ccgpu.domain.spec.vm import VmSpec
from support.public_keys import ed25519_line

SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
ELSEWHERE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hub/providers"
SUBNET = f"{ELSEWHERE}/Microsoft.Network/virtualNetworks/hub/subnets/gpu"
ENCRYPTION_SET = f"{ELSEWHERE}/Microsoft.Compute/diskEncryptionSets/keys"
IDENTITY = f"{ELSEWHERE}/Microsoft.ManagedIdentity/userAssignedIdentities/reader"

IMAGE = {
    "publisher": "Canonical",
    "offer": "ubuntu-24_04-lts",
    "sku": "cvm",
    "version": "24.04.202609150",
}
STAMP = RunTags("0123456789abcdef", "2026-10-01T12:00:00Z")

# One spec for each thing that changes what is put: the golden bodies, and the laws' examples.
VARIANTS: dict[str, dict[str, Any]] = {
    "public": {},
    "private": {"private": True, "ssh_from": "auto"},
    "customer-managed-key": {"os_disk": {"encryption_set": ENCRYPTION_SET}},
    "spot": {"spot": True, "max_price": 3.5, "ttl": "8h"},
    "data-disks": {"data_disks": [{"size_gib": 1024}, {"size_gib": 64, "type": "Standard_LRS"}]},
    "identities": {"identities": ["system", IDENTITY]},
    "own-subnet": {"subnet": SUBNET},
    "own-subnet-private": {"subnet": SUBNET, "private": True, "ssh_from": "10.20.0.0/16"},
    "own-group": {"resource_group": "research"},
    "state-only": {"os_disk": {"encryption": "state-only"}, "secure_boot": False},
    "guest": {"guest": {"driver": "550.144.03", "docker": False, "lockdown": False}},
    "zone": {"zone": "2", "tags": {"team": "research"}, "boot_diagnostics": False},
}


def make_spec(**changes: Any) -> VmSpec:
    """A valid spec of a public VM."""
    base = {"name": "demo", "ssh_from": "203.0.113.7/32", "ssh_keys": [ed25519_line()]}
    return VmSpec.model_validate(base | changes)


def first_placement(spec: VmSpec) -> Placement:
    """The spec's first region and a version of its image."""
    return Placement(spec.regions[0], spec.zone, IMAGE)


def resources_of_spec(stamp: RunTags = STAMP, **changes: Any) -> dict[ResourceId, Resource]:
    """The resources that `make_spec(**changes)` describes."""
    spec = make_spec(**changes)
    return desired_resources(spec, SUBSCRIPTION, first_placement(spec), stamp)
