"""Which resources may be deleted: one table of what a GET says and what becomes of it."""

from dataclasses import replace

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.removal import (
    Decision,
    Fate,
    Ownership,
    decide,
    is_tag_missing,
    tag_missing,
    vm_has_lost_tag,
)
from ccgpu.domain.resource import key
from ccgpu.errors import NotFound

NAMES = Names("S", "G", "demo")
VM, DISK, GROUP, VNET = NAMES.vm, NAMES.os_disk, NAMES.of(Kind.GROUP), NAMES.of(Kind.VNET)
KINDS = {VM: Kind.VM, DISK: Kind.DISK, GROUP: Kind.GROUP, VNET: Kind.VNET}
TAGS = {"ccgpu-deployment": "demo", "ccgpu-run": "r1"}
OURS = {"tags": TAGS}
OTHER_RUN = {"tags": TAGS | {"ccgpu-run": "r2"}}
THEIRS = {"tags": TAGS | {"ccgpu-deployment": "other"}}
UNTAGGED: dict[str, object] = {}
SHARED = {**OURS, "properties": {"subnets": [{"name": "theirs"}]}}

ANY_RUN = Ownership("demo")
ONE_RUN = Ownership("demo", "r1")
WITH_DISK = Ownership("demo", disks=frozenset({key(DISK)}))
RECORDED = Ownership("demo", recorded=frozenset({key(VM), key(VNET), key(GROUP)}))
MADE_FOR = {"tags": {"CCGPU-made-for": "demo"}}
ORPHANED = Ownership("demo", orphaned={key(GROUP): THEIRS["tags"]})


@pytest.mark.parametrize(
    ("ownership", "id_", "body", "fate"),
    [
        (ANY_RUN, VM, OURS, None),
        (ANY_RUN, VM, OTHER_RUN, None),
        (ANY_RUN, VM, THEIRS, Fate.FOREIGN),
        (ANY_RUN, VM, UNTAGGED, Fate.FOREIGN),
        (ANY_RUN, VM, None, Fate.ABSENT),
        (ONE_RUN, VM, OURS, None),
        (ONE_RUN, VM, OTHER_RUN, Fate.FOREIGN),
        (ANY_RUN, DISK, UNTAGGED, Fate.FOREIGN),
        (WITH_DISK, DISK, UNTAGGED, None),
        (WITH_DISK, DISK, THEIRS, Fate.FOREIGN),
        (WITH_DISK, VM, UNTAGGED, Fate.FOREIGN),
        (ANY_RUN, GROUP, THEIRS, Fate.FOREIGN),
        (ORPHANED, GROUP, THEIRS, None),
        (ORPHANED, GROUP, OURS, Fate.FOREIGN),
        (RECORDED, VM, OURS, None),
        (RECORDED, VM, UNTAGGED, Fate.KEPT),
        (RECORDED, VM, THEIRS, Fate.FOREIGN),
        (RECORDED, VNET, UNTAGGED, Fate.KEPT),
        (RECORDED, DISK, UNTAGGED, Fate.FOREIGN),
        (RECORDED, GROUP, MADE_FOR, Fate.FOREIGN),
        (ANY_RUN, VNET, OURS, None),
        (ANY_RUN, VNET, SHARED, Fate.KEPT),
    ],
)
def test_resources_are_deleted_kept_or_unknown(ownership, id_, body, fate):
    assert decide(ownership, id_, KINDS[id_], body).fate is fate


@pytest.mark.parametrize(
    ("body", "fate"), [(OURS, Fate.SKIPPED), (None, Fate.SKIPPED), (THEIRS, Fate.FOREIGN)]
)
def test_a_changed_resource_is_not_deleted(body, fate):
    assert decide(ANY_RUN, VM, Kind.VM, body, halted=True) == Decision(fate)


def test_a_group_with_foreign_resources_is_kept_with_a_reason():
    kept = decide(ANY_RUN, GROUP, Kind.GROUP, OURS, others_in_group="there is more in it: x")
    assert kept == Decision(Fate.KEPT, "there is more in it: x")
    assert decide(ANY_RUN, GROUP, Kind.GROUP, OURS) == Decision(None)
    assert decide(ANY_RUN, VM, Kind.VM, OURS, others_in_group="x") == Decision(None)


def test_a_network_used_by_others_is_kept_with_a_reason():
    kept = decide(ANY_RUN, VNET, Kind.VNET, SHARED)
    assert kept.reason == "others use it: subnet theirs"


def test_changed_tags_invalidate_the_assessment():
    assessed = replace(ANY_RUN, assessed={key(VM): TAGS})
    assert assessed.is_as_assessed(VM, OURS)
    assert not assessed.is_as_assessed(VM, OTHER_RUN)
    assert not assessed.is_as_assessed(DISK, OURS)
    assert ANY_RUN.is_as_assessed(VM, OTHER_RUN)


def test_a_vm_with_our_interface_and_no_tag_has_lost_it():
    nic = f"{GROUP}/providers/Microsoft.Network/networkInterfaces/demo-nic-1"
    vm = {"id": VM, "properties": {"networkProfile": {"networkInterfaces": [{"id": nic}]}}}
    assert vm_has_lost_tag(vm, {key(nic)})
    assert not vm_has_lost_tag(vm, {key(VNET)})
    assert not vm_has_lost_tag(vm | OURS, {key(nic)})
    assert not vm_has_lost_tag(vm | THEIRS, {key(nic)})
    assert is_tag_missing(tag_missing(VM, "demo"))
    assert not is_tag_missing(NotFound("x", code="ResourceNotFound"))
