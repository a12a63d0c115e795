"""A deployment as users see it, from what Azure says of its VM."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.deployment import Deployment, Owned, describe_deployment, with_lease
from ccgpu.domain.resource import Body, ResourceId
from ccgpu.domain.status import State

_OWNED = (Owned(ResourceId("/x"), Kind.NSG, "Succeeded"),)
_VM: Body = {
    "location": "East US 2",
    "zones": ["2"],
    "tags": {"Ccgpu-Expires": "2026-01-02T00:00:00Z"},
    "properties": {
        "hardwareProfile": {"vmSize": "Standard_NCC40ads_H100_v5"},
        "vmId": "b9d1",
        "osProfile": {"adminUsername": "ada"},
        "priority": "Spot",
        "instanceView": {"statuses": [{"code": "PowerState/deallocated"}]},
    },
}


def test_a_deployment_has_all_known_properties_of_its_vm():
    assert describe_deployment("demo", "G", _VM, ("203.0.113.9", "10.0.0.4"), _OWNED) == Deployment(
        name="demo",
        state=State.STOPPED,
        resource_group="G",
        region="eastus2",
        zone="2",
        size="Standard_NCC40ads_H100_v5",
        vm_id="b9d1",
        power="deallocated",
        admin_user="ada",
        public_ip="203.0.113.9",
        private_ip="10.0.0.4",
        spot=True,
        resources=_OWNED,
    )


def test_the_lease_is_read_from_all_resources():
    later = {"tags": {"ccgpu-expires": "2026-01-03T00:00:00Z"}}
    bare = describe_deployment("demo", "G", _VM)
    at = datetime(2026, 1, 2, 23, tzinfo=UTC).timestamp()
    found = with_lease(bare, _VM, [_VM, later], at)
    assert (found.expires, found.seconds_left) == ("2026-01-03T00:00:00Z", 3600)
    assert with_lease(bare, _VM, [_VM], None).seconds_left is None
    assert replace(found, expires=None, seconds_left=None) == bare


def test_without_a_vm_the_resources_are_leftovers():
    assert describe_deployment("demo", "G", None, resources=_OWNED) == Deployment(
        "demo", State.LEFTOVERS, "G", resources=_OWNED
    )


@pytest.mark.parametrize(
    "vm",
    [
        {"location": "eastus2"},
        {"location": "eastus2", "properties": None, "zones": None, "tags": None},
        {"location": "eastus2", "properties": {"hardwareProfile": None, "osProfile": None}},
    ],
)
def test_properties_omitted_by_azure_are_unknown(vm):
    assert describe_deployment("demo", "G", vm) == Deployment(
        "demo", State.BOOTING, "G", region="eastus2"
    )
