"""What is planned for each resource, rule by rule."""

from dataclasses import replace
from typing import Any

import pytest

from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference
from ccgpu.domain.plan import ForeignResource, Plan, Step, make_plan
from ccgpu.domain.resource import Body, Resource, ResourceId, key, resource_id

_MINE = {"ccgpu-deployment": "demo"}


def _id(kind: Kind, name: str = "x") -> ResourceId:
    return resource_id("S", "G", kind, name)


def _resource(
    kind: Kind, name: str = "x", needs: tuple[Resource, ...] = (), **body: Any
) -> Resource:
    whole = {"location": "eastus2", "tags": dict(_MINE)} | body
    return Resource(kind, _id(kind, name), whole, frozenset(one.id for one in needs))


def _live_body(one: Resource, **changes: Any) -> Body:
    return one.body | {"id": one.id, "etag": "1"} | changes


def _plan(*wanted: Resource, found: dict[ResourceId, Body], **more: Any) -> Plan:
    actual = {key(id_): body for id_, body in found.items()}
    return make_plan({one.id: one for one in wanted}, actual, "demo", **more)


def _step(wanted: Resource, found: Body) -> Step:
    (step,) = _plan(wanted, found={wanted.id: found}).steps
    return step


def test_missing_resources_are_created():
    nsg = _resource(Kind.NSG)
    assert _plan(nsg, found={}).steps == (Step(Action.CREATE, nsg),)


def test_resources_as_desired_are_kept():
    nsg = _resource(Kind.NSG)
    assert _step(nsg, _live_body(nsg)).action is Action.KEEP


def test_resource_ids_are_matched_case_insensitively():
    nsg = _resource(Kind.NSG)
    shouted = key(ResourceId(nsg.id.upper()))
    assert make_plan({nsg.id: nsg}, {shouted: _live_body(nsg)}, "demo").changes == ()


_DIFFERENT = {"properties": {"x": 2}}
_WEST = {"location": "westus"}
_TAGGED = {"tags": _MINE | {"team": "b"}}
_REHASHED = {"tags": _MINE | {"ccgpu-body": "2"}}
_FAILED = {"properties": {"x": 1, "provisioningState": "Failed"}}


def _failed_body(*codes: str, **changes: Any) -> Body:
    view = {"statuses": [{"code": code} for code in codes]}
    return {"properties": _FAILED["properties"] | {"instanceView": view} | changes}


_NEVER_RAN = _failed_body("ProvisioningState/failed/AllocationFailed")
_NO_START = _failed_body("ProvisioningState/failed/AllocationFailed", "PowerState/deallocated")
_FAILED_OTHERWISE = _failed_body("ProvisioningState/failed", "PowerState/running", x=2)


@pytest.mark.parametrize(
    ("kind", "change", "action"),
    [
        pytest.param(Kind.VM, _DIFFERENT, Action.REPLACE, id="vm, property"),
        pytest.param(Kind.VM, _WEST, Action.REPLACE, id="vm, region"),
        pytest.param(Kind.VM, _TAGGED, Action.UPDATE, id="vm, tag"),
        pytest.param(Kind.VM, _REHASHED, Action.REPLACE, id="vm, what no GET gives back"),
        pytest.param(Kind.VM, _FAILED, Action.UPDATE, id="vm, failed"),
        pytest.param(Kind.VM, _NEVER_RAN, Action.REPLACE, id="vm, failed before it ran"),
        pytest.param(Kind.VM, _NO_START, Action.UPDATE, id="vm, failed to start"),
        pytest.param(Kind.VM, _FAILED_OTHERWISE, Action.REPLACE, id="vm, failed and otherwise"),
        pytest.param(Kind.VM, _DIFFERENT | _TAGGED, Action.REPLACE, id="vm, property and tag"),
        pytest.param(Kind.NSG, _DIFFERENT, Action.UPDATE, id="nsg, property"),
        pytest.param(Kind.NSG, _WEST, Action.REPLACE, id="nsg, region"),
        pytest.param(Kind.NSG, _FAILED, Action.UPDATE, id="nsg, failed"),
        pytest.param(Kind.NSG, _TAGGED, Action.UPDATE, id="nsg, tag"),
        pytest.param(Kind.VNET, _DIFFERENT, Action.UPDATE, id="vnet, property"),
        pytest.param(Kind.NAT, _DIFFERENT, Action.UPDATE, id="nat, property"),
        pytest.param(Kind.PUBLIC_IP, _DIFFERENT, Action.REPLACE, id="ip, property"),
        pytest.param(Kind.PUBLIC_IP, _TAGGED, Action.UPDATE, id="ip, tag"),
        pytest.param(Kind.PUBLIC_IP, _FAILED, Action.UPDATE, id="ip, failed"),
        pytest.param(Kind.GROUP, _WEST, Action.KEEP, id="group, region"),
        pytest.param(Kind.GROUP, _TAGGED, Action.UPDATE, id="group, tag"),
    ],
)
def test_differences_cause_an_update_or_a_replacement(kind, change, action):
    wanted = _resource(
        kind,
        properties={"x": 1},
        tags=_MINE | {"team": "a", "ccgpu-body": "1"},
    )
    tags = wanted.body["tags"] | change.get("tags", {})
    assert _step(wanted, _live_body(wanted, **change | {"tags": tags})).action is action


def test_steps_have_reasons():
    nsg = _resource(Kind.NSG, properties={"x": 1})
    found = _live_body(nsg, properties={"x": 2, "provisioningState": "Failed"})
    assert _step(nsg, found).reasons == (
        Difference("properties.x", 1, 2),
        Difference("properties.provisioningState", "Succeeded", "Failed"),
    )


@pytest.mark.parametrize("state", ["Succeeded", "Updating", "Canceled", None])
def test_only_the_state_failed_counts_as_failed(state):
    vm = _resource(Kind.VM)
    assert _step(vm, _live_body(vm, properties={"provisioningState": state})).action is Action.KEEP


@pytest.mark.parametrize("owner", ["other", None])
def test_a_foreign_resource_of_the_same_name_is_refused(owner):
    vnet = _resource(Kind.VNET)
    tags = {} if owner is None else {"ccgpu-deployment": owner}
    with pytest.raises(ForeignResource) as caught:
        _step(vnet, _live_body(vnet, tags=tags))
    assert (caught.value.id, caught.value.owner) == (vnet.id, owner)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("owner", [None, "other"])
def test_a_disk_of_a_name_that_the_vm_would_take_is_refused_unless_it_is_its_own(owner, there):
    disk = _id(Kind.DISK, "x-data0")
    vm = replace(_resource(Kind.VM), implicitly_created={disk: Kind.DISK})
    tags = {} if owner is None else {"ccgpu-deployment": owner}
    found = {disk: {"id": disk, "tags": tags}} | ({vm.id: _live_body(vm)} if there else {})
    with pytest.raises(ForeignResource) as caught:
        _plan(vm, found=found)
    assert (caught.value.id, caught.value.owner) == (disk, owner)
    storage = {"storageProfile": {"dataDisks": [{"managedDisk": {"id": disk}}]}}
    in_vm = {vm.id: _live_body(vm, properties=storage)}
    own = [found | {disk: {"id": disk, "tags": _MINE}}, found | in_vm]
    assert [_plan(vm, found=one).steps != () for one in own] == [True, True]


def test_an_untagged_disk_of_an_unfinished_create_is_no_others():
    disk = _id(Kind.DISK, "x-data0")
    vm = replace(_resource(Kind.VM), implicitly_created={disk: Kind.DISK})
    found = {disk: {"id": disk}}
    (step,) = _plan(vm, found=found, begun=[key(disk)]).steps
    assert step.action is Action.CREATE
    with pytest.raises(ForeignResource):  # once the VM is there, its own disks are in it
        _plan(vm, found=found | {vm.id: _live_body(vm)}, begun=[key(disk)])


@pytest.mark.parametrize("tags", [{"ccgpu-deployment": "other"}, {}, None])
def test_a_group_of_the_user_is_never_changed(tags):
    group = _resource(Kind.GROUP)
    assert _step(group, _live_body(group, tags=tags, location="westus")).action is Action.KEEP


def test_dependents_of_a_replaced_resource_are_replaced_with_a_reason():
    ip = _resource(Kind.PUBLIC_IP, "ip", sku="Standard")
    nat = _resource(Kind.NAT, "nat", needs=(ip,))
    vnet = _resource(Kind.VNET, "vnet", needs=(nat,))
    nsg = _resource(Kind.NSG, "nsg")
    found = {one.id: _live_body(one) for one in (nat, vnet, nsg)} | {
        ip.id: _live_body(ip, sku="Basic")
    }

    steps = {s.resource.name: s for s in _plan(vnet, nat, nsg, ip, found=found).steps}

    assert {name: step.action for name, step in steps.items()} == {
        "ip": Action.REPLACE,
        "nat": Action.REPLACE,
        "vnet": Action.REPLACE,
        "nsg": Action.KEEP,
    }
    assert steps["nat"].reasons == (Difference("needs", ip.id, ip.id),)
    assert steps["vnet"].reasons == (Difference("needs", nat.id, nat.id),)


def test_dependents_of_an_updated_or_new_resource_are_kept():
    old, new = _resource(Kind.NSG, "old", properties={"x": 1}), _resource(Kind.VNET, "new")
    vm = _resource(Kind.VM, "vm", needs=(old, new))
    found = {old.id: _live_body(old, properties={"x": 2}), vm.id: _live_body(vm)}
    assert [s.action for s in _plan(vm, old, new, found=found).steps[-1:]] == [Action.KEEP]


def test_dependencies_outside_the_plan_are_ignored():
    outside = _resource(Kind.VNET, "theirs")
    vm = _resource(Kind.VM, "vm", needs=(outside,))
    assert [s.resource for s in _plan(vm, found={}).steps] == [vm]


def test_undesired_resources_of_ours_are_deleted_last_in_order():
    vm = _resource(Kind.VM)
    nat, ip = _resource(Kind.NAT, "old"), _resource(Kind.PUBLIC_IP, "old")
    wanted_too = Resource(Kind.VM, ResourceId(vm.id.upper()), {})
    made = _plan(vm, found={}, extra=(nat, wanted_too, ip))
    assert [(s.action, s.resource) for s in made.steps] == [
        (Action.CREATE, vm),
        (Action.DELETE, nat),
        (Action.DELETE, ip),
    ]


def test_changes_are_all_steps_except_keep():
    kept, made = _resource(Kind.NSG), _resource(Kind.VNET)
    extra = _resource(Kind.NAT)
    found = _plan(kept, made, found={kept.id: _live_body(kept)}, extra=(extra,))
    assert {s.action for s in found.changes} == {Action.CREATE, Action.DELETE}
    assert [s.resource for s in found.of(Action.KEEP)] == [kept]
    assert [s.resource for s in found.of(Action.CREATE, Action.DELETE)] == [made, extra]


_STAMP = {"ccgpu-run": "new", "ccgpu-created": "now", "ccgpu-expires": "later"}
_LIVE_STAMP = {"ccgpu-run": "old", "ccgpu-created": "then"}


def test_an_update_keeps_foreign_tags_and_the_creation_time():
    nsg = _resource(Kind.NSG, tags=_MINE | _STAMP | {"team": "a"}, properties={"x": 1})
    live = _MINE | _LIVE_STAMP | {"Team": "b", "policy": "audited"}
    step = _step(nsg, _live_body(nsg, tags=live, properties={"x": 2}))
    assert step.action is Action.UPDATE
    assert step.resource.body["tags"] == _MINE | _LIVE_STAMP | {"team": "a", "policy": "audited"}
    assert step.resource.body["properties"] == {"x": 1, "securityRules": []}


def test_new_run_tags_alone_cause_no_change():
    nsg = _resource(Kind.NSG, tags=_MINE | _STAMP)
    assert _step(nsg, _live_body(nsg, tags=_MINE | _LIVE_STAMP)).action is Action.KEEP


def test_a_new_resource_has_the_new_run_tags():
    nsg = _resource(Kind.NSG, tags=_MINE | _STAMP)
    (step,) = _plan(nsg, found={}).steps
    assert step.resource.body["tags"] == _MINE | _STAMP


@pytest.mark.parametrize("why", ["it differs", "it needs what is replaced"])
def test_a_replaced_resource_has_the_new_run_tags(why):
    ip = _resource(Kind.PUBLIC_IP, tags=_MINE | _STAMP, sku="Standard")
    nat = _resource(Kind.NAT, needs=(ip,), tags=_MINE | _STAMP)
    live = _MINE | _LIVE_STAMP
    found = {nat.id: _live_body(nat, tags=live), ip.id: _live_body(ip, tags=live, sku="Basic")}
    replaced, in_turn = _plan(ip, nat, found=found).of(Action.REPLACE)
    step = replaced if why == "it differs" else in_turn
    assert step.resource.body["tags"] == _MINE | _STAMP


def test_the_names_of_actions_are_those_of_the_contract():
    assert [str(one) for one in Action] == ["create", "update", "keep", "replace", "delete"]
    assert all(one == one.name.lower() for one in Action)


_RUNNING = _failed_body("ProvisioningState/failed", "PowerState/running")


@pytest.mark.parametrize(
    ("found", "recovery"),
    [
        pytest.param(_NO_START, "start", id="deallocated"),
        pytest.param(
            _failed_body("ProvisioningState/failed", "PowerState/stopped"), "start", id="stopped"
        ),
        pytest.param(_RUNNING, "reapply", id="running"),
        pytest.param(_FAILED, "reapply", id="without an instance view"),
    ],
)
def test_a_vm_that_ran_is_recovered_rather_than_replaced(found, recovery):
    vm = _resource(Kind.VM, properties={"x": 1})
    step = _step(vm, _live_body(vm, **found))
    assert (step.action, step.recovery, step.request) == (Action.UPDATE, recovery, None)


def test_only_a_vm_that_never_ran_is_expendable():
    vm = _resource(Kind.VM, properties={"x": 1})
    assert _step(vm, _live_body(vm, **_NEVER_RAN)).expendable
    assert not _step(vm, _live_body(vm, **_FAILED_OTHERWISE)).expendable
    assert not _step(vm, _live_body(vm, **_DIFFERENT)).expendable
    assert not _step(vm, _live_body(vm, **_failed_body(x=2))).expendable


def test_a_network_with_foreign_subnets_is_neither_expendable_nor_deleted():
    theirs = {"properties": {"subnets": [{"name": "default"}, {"name": "AzureBastionSubnet"}]}}
    vnet = _resource(Kind.VNET)
    moved = _step(vnet, _live_body(vnet, **_WEST, **theirs))
    assert (moved.action, moved.expendable) == (Action.REPLACE, False)
    assert [(one.what, one.name) for one in moved.others] == [("subnet", "AzureBastionSubnet")]
    kept, gone = Resource(Kind.VNET, vnet.id, theirs), _resource(Kind.VNET, "empty")
    assert [s.action for s in _plan(found={}, extra=(kept, gone)).steps] == [
        Action.KEEP,
        Action.DELETE,
    ]
