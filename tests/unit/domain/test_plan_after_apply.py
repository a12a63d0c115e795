"""With the answers of a whole subscription instead of invented ones: what was made is as wanted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm
from ccgpu.store import specs
from support.cloud import Machine
from support.public_keys import ed25519_line
from support.slow import mostly_slow
from support.specs import ENCRYPTION_SET, IDENTITY, SUBNET, SUBSCRIPTION, VARIANTS, make_spec

_TEMPLATES = [template.name for template in specs.templates()]


def _here(text: str) -> str:
    return text.replace(SUBSCRIPTION, FAKE_SUBSCRIPTION)


def _path(id_: str) -> str:
    return id_.removeprefix(f"/subscriptions/{SUBSCRIPTION}")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A subscription in which all that the specs refer to is there."""
    arm = FakeArm()
    machine = Machine(arm, tmp_path)
    place = {"location": "eastus2"}
    machine.put("/resourceGroups/hub", "2025-04-01", place)
    subnet = {"name": "gpu", "properties": {"addressPrefix": "10.9.0.0/24"}}
    network = {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}, "subnets": [subnet]}
    vnet = _path(SUBNET).rsplit("/subnets/", 1)[0]
    machine.put(vnet, "2026-03-01", place | {"properties": network})
    keys = {"encryptionType": "ConfidentialVmEncryptedWithCustomerKey"}
    machine.put(_path(ENCRYPTION_SET), "2026-03-02", place | {"properties": keys})
    machine.put(_path(IDENTITY), "2024-11-30", place)
    yield machine
    arm.close()


def _of_template(name: str) -> VmSpec:
    flags: dict[str, Any] = {"ssh_keys": [ed25519_line()], "regions": ["eastus2"]}
    if name == "customer-managed-key":
        flags["os_disk"] = {"encryption_set": _here(ENCRYPTION_SET)}
    return specs.build("demo", template=name, flags=flags)


def _of_variant(name: str) -> VmSpec:
    return make_spec(**json.loads(_here(json.dumps(VARIANTS[name]))))


_SPECS = [pytest.param(_of_template, name, id=f"template {name}") for name in _TEMPLATES] + [
    pytest.param(_of_variant, name, id=name) for name in VARIANTS
]


@pytest.mark.parametrize(("spec_of", "name"), mostly_slow(_SPECS, 5))
def test_a_plan_after_a_create_keeps_everything(spec_of, name, machine):
    spec = spec_of(name)
    made = machine.create(spec).plan
    again = machine.create(spec).plan
    assert {step.action for step in made.steps} == {Action.CREATE}
    assert {step.action for step in again.steps} == {Action.KEEP}
    assert [step.reasons for step in again.steps] == [()] * len(made.steps)


def test_an_added_identity_keeps_the_first(machine):
    other = IDENTITY + "-other"
    machine.put(_path(other), "2024-11-30", {"location": "eastus2"})
    machine.create(make_spec(identities=[_here(IDENTITY)]))
    made = machine.create(make_spec(identities=[_here(other)])).plan
    (step,) = made.changes
    assert (step.action, step.resource.kind) == (Action.UPDATE, Kind.VM)
    vm = machine.get(step.resource.id.split(machine.arm.subscription)[1])
    assert {id_.casefold() for id_ in vm["identity"]["userAssignedIdentities"]} == {
        _here(IDENTITY).casefold(),
        _here(other).casefold(),
    }
    assert machine.create(make_spec(identities=[_here(other)])).plan.changes == ()


@pytest.mark.parametrize(
    ("changes", "actions"),
    mostly_slow(
        [
            pytest.param(
                {"ssh_from": "198.51.100.1/32"}, {Kind.NSG: Action.UPDATE}, id="another address"
            ),
            pytest.param(
                {"tags": {"team": "b"}},
                dict.fromkeys((Kind.GROUP, Kind.NSG, Kind.VNET, Kind.VM), Action.UPDATE),
                id="a tag",
            ),
            pytest.param(
                {"identities": [_here(IDENTITY)]}, {Kind.VM: Action.UPDATE}, id="identity"
            ),
            pytest.param({"identities": ["system"]}, {Kind.VM: Action.UPDATE}, id="own identity"),
            pytest.param({"boot_diagnostics": False}, {Kind.VM: Action.UPDATE}, id="no serial log"),
            pytest.param({"data_disks": [{"size_gib": 64}]}, {Kind.VM: Action.UPDATE}, id="a disk"),
            pytest.param({"admin_user": "ada"}, {Kind.VM: Action.REPLACE}, id="another user"),
            pytest.param(
                {"os_disk": {"size_gib": 512}}, {Kind.VM: Action.REPLACE}, id="a larger disk"
            ),
        ],
        3,
    ),
)
def test_a_changed_field_changes_only_its_resources(changes, actions, machine):
    machine.create(make_spec())
    made = machine.create(make_spec(**changes), replace=True).plan
    assert {step.resource.kind: step.action for step in made.changes} == actions
    assert machine.create(make_spec(**changes)).plan.changes == ()
