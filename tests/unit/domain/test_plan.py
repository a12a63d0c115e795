"""What is planned for each resource, rule by rule."""

from typing import Any

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference
from ccgpu.domain.plan import Action, ForeignResource, Plan, Step, make_plan
from ccgpu.domain.resource import Body, Resource, ResourceId, key, resource_id

_MINE = {"ccgpu-deployment": "demo"}


def _id(kind: Kind, name: str = "x") -> ResourceId:
    return resource_id("S", "G", kind, name)


def _resource(
    kind: Kind, name: str = "x", needs: tuple[Resource, ...] = (), **body: Any
) -> Resource:
    whole = {"location": "eastus2", "tags": dict(_MINE)} | body
    return Resource(kind, _id(kind, name), whole, frozenset(one.id for one in needs))


def _found(one: Resource, **changes: Any) -> Body:
    return one.body | {"id": one.id, "etag": "1"} | changes


def _plan(*wanted: Resource, found: dict[ResourceId, Body], **more: Any) -> Plan:
    actual = {key(id_): body for id_, body in found.items()}
    return make_plan({one.id: one for one in wanted}, actual, "demo", **more)


def _step(wanted: Resource, found: Body) -> Step:
    (step,) = _plan(wanted, found={wanted.id: found}).steps
    return step


def test_what_is_not_there_is_created():
    nsg = _resource(Kind.NSG)
    assert _plan(nsg, found={}).steps == (Step(Action.CREATE, nsg),)


def test_what_is_as_wanted_is_kept():
    nsg = _resource(Kind.NSG)
    assert _step(nsg, _found(nsg)).action is Action.KEEP


def test_an_id_is_found_in_whatever_case_azure_lists_it():
    nsg = _resource(Kind.NSG)
    shouted = key(ResourceId(nsg.id.upper()))
    assert make_plan({nsg.id: nsg}, {shouted: _found(nsg)}, "demo").changes == ()


_DIFFERENT = {"properties": {"x": 2}}
_WEST = {"location": "westus"}
_TAGGED = {"tags": _MINE | {"team": "b"}}
_REHASHED = {"tags": _MINE | {"ccgpu-body": "2"}}
_FAILED = {"properties": {"x": 1, "provisioningState": "Failed"}}


def _failed(*codes: str, **changes: Any) -> Body:
    view = {"statuses": [{"code": code} for code in codes]}
    return {"properties": _FAILED["properties"] | {"instanceView": view} | changes}


_NEVER_RAN = _failed("ProvisioningState/failed/AllocationFailed")
_NO_START = _failed("ProvisioningState/failed/AllocationFailed", "PowerState/deallocated")
_FAILED_OTHERWISE = _failed("ProvisioningState/failed", "PowerState/running", x=2)


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
def test_what_differs_is_updated_where_azure_can_and_replaced_where_not(kind, change, action):
    wanted = _resource(
        kind,
        properties={"x": 1},
        tags=_MINE | {"team": "a", "ccgpu-body": "1"},
    )
    tags = wanted.body["tags"] | change.get("tags", {})
    assert _step(wanted, _found(wanted, **change | {"tags": tags})).action is action


def test_a_plan_says_why():
    nsg = _resource(Kind.NSG, properties={"x": 1})
    found = _found(nsg, properties={"x": 2, "provisioningState": "Failed"})
    assert _step(nsg, found).reasons == (
        Difference("properties.x", 1, 2),
        Difference("properties.provisioningState", "Succeeded", "Failed"),
    )


@pytest.mark.parametrize("state", ["Succeeded", "Updating", "Canceled", None])
def test_only_failed_is_failed(state):
    vm = _resource(Kind.VM)
    assert _step(vm, _found(vm, properties={"provisioningState": state})).action is Action.KEEP


@pytest.mark.parametrize("owner", ["other", None])
def test_a_name_that_somebody_else_took_is_not_planned_over(owner):
    vnet = _resource(Kind.VNET)
    tags = {} if owner is None else {"ccgpu-deployment": owner}
    with pytest.raises(ForeignResource) as caught:
        _step(vnet, _found(vnet, tags=tags))
    assert (caught.value.id, caught.value.owner) == (vnet.id, owner)


@pytest.mark.parametrize("tags", [{"ccgpu-deployment": "other"}, {}, None])
def test_a_group_of_the_users_own_is_never_touched(tags):
    group = _resource(Kind.GROUP)
    assert _step(group, _found(group, tags=tags, location="westus")).action is Action.KEEP


def test_what_needs_a_replaced_resource_is_replaced_and_says_so():
    ip = _resource(Kind.PUBLIC_IP, "ip", sku="Standard")
    nat = _resource(Kind.NAT, "nat", needs=(ip,))
    vnet = _resource(Kind.VNET, "vnet", needs=(nat,))
    nsg = _resource(Kind.NSG, "nsg")
    found = {one.id: _found(one) for one in (nat, vnet, nsg)} | {ip.id: _found(ip, sku="Basic")}

    steps = {s.resource.name: s for s in _plan(vnet, nat, nsg, ip, found=found).steps}

    assert {name: step.action for name, step in steps.items()} == {
        "ip": Action.REPLACE,
        "nat": Action.REPLACE,
        "vnet": Action.REPLACE,
        "nsg": Action.KEEP,
    }
    assert steps["nat"].reasons == (Difference("needs", ip.id, ip.id),)
    assert steps["vnet"].reasons == (Difference("needs", nat.id, nat.id),)


def test_what_needs_an_updated_or_a_new_resource_is_kept():
    old, new = _resource(Kind.NSG, "old", properties={"x": 1}), _resource(Kind.VNET, "new")
    vm = _resource(Kind.VM, "vm", needs=(old, new))
    found = {old.id: _found(old, properties={"x": 2}), vm.id: _found(vm)}
    assert [s.action for s in _plan(vm, old, new, found=found).steps[-1:]] == [Action.KEEP]


def test_a_need_outside_the_plan_is_somebody_elses_matter():
    outside = _resource(Kind.VNET, "theirs")
    vm = _resource(Kind.VM, "vm", needs=(outside,))
    assert [s.resource for s in _plan(vm, found={}).steps] == [vm]


def test_what_is_ours_and_no_longer_wanted_is_deleted_last_in_the_order_given():
    vm = _resource(Kind.VM)
    nat, ip = _resource(Kind.NAT, "old"), _resource(Kind.PUBLIC_IP, "old")
    wanted_too = Resource(Kind.VM, ResourceId(vm.id.upper()), {})
    made = _plan(vm, found={}, extra=(nat, wanted_too, ip))
    assert [(s.action, s.resource) for s in made.steps] == [
        (Action.CREATE, vm),
        (Action.DELETE, nat),
        (Action.DELETE, ip),
    ]


def test_changes_are_all_that_is_not_kept():
    kept, made = _resource(Kind.NSG), _resource(Kind.VNET)
    extra = _resource(Kind.NAT)
    found = _plan(kept, made, found={kept.id: _found(kept)}, extra=(extra,))
    assert {s.action for s in found.changes} == {Action.CREATE, Action.DELETE}
    assert [s.resource for s in found.of(Action.KEEP)] == [kept]
    assert [s.resource for s in found.of(Action.CREATE, Action.DELETE)] == [made, extra]


_STAMP = {"ccgpu-run": "new", "ccgpu-created": "now", "ccgpu-expires": "later"}
_LIVE_STAMP = {"ccgpu-run": "old", "ccgpu-created": "then"}


def test_an_update_keeps_what_others_put_on_and_when_it_was_made():
    nsg = _resource(Kind.NSG, tags=_MINE | _STAMP | {"team": "a"}, properties={"x": 1})
    live = _MINE | _LIVE_STAMP | {"Team": "b", "policy": "audited"}
    step = _step(nsg, _found(nsg, tags=live, properties={"x": 2}))
    assert step.action is Action.UPDATE
    assert step.resource.body["tags"] == _MINE | _LIVE_STAMP | {"team": "a", "policy": "audited"}
    assert step.resource.body["properties"] == {"x": 1, "securityRules": []}


def test_a_new_stamp_is_no_change():
    nsg = _resource(Kind.NSG, tags=_MINE | _STAMP)
    assert _step(nsg, _found(nsg, tags=_MINE | _LIVE_STAMP)).action is Action.KEEP


def test_what_is_made_anew_has_the_new_stamp():
    nsg = _resource(Kind.NSG, tags=_MINE | _STAMP)
    (step,) = _plan(nsg, found={}).steps
    assert step.resource.body["tags"] == _MINE | _STAMP


@pytest.mark.parametrize("why", ["it differs", "it needs what is replaced"])
def test_what_is_replaced_has_the_new_stamp(why):
    ip = _resource(Kind.PUBLIC_IP, tags=_MINE | _STAMP, sku="Standard")
    nat = _resource(Kind.NAT, needs=(ip,), tags=_MINE | _STAMP)
    live = _MINE | _LIVE_STAMP
    found = {nat.id: _found(nat, tags=live), ip.id: _found(ip, tags=live, sku="Basic")}
    replaced, in_turn = _plan(ip, nat, found=found).of(Action.REPLACE)
    step = replaced if why == "it differs" else in_turn
    assert step.resource.body["tags"] == _MINE | _STAMP


def test_the_actions_are_the_words_of_the_contract():
    assert [str(one) for one in Action] == ["create", "update", "keep", "replace", "delete"]
    assert all(one == one.name.lower() for one in Action)


_RUNNING = _failed("ProvisioningState/failed", "PowerState/running")


@pytest.mark.parametrize(
    ("found", "recovery"),
    [
        pytest.param(_NO_START, "start", id="deallocated"),
        pytest.param(
            _failed("ProvisioningState/failed", "PowerState/stopped"), "start", id="stopped"
        ),
        pytest.param(_RUNNING, "reapply", id="running"),
        pytest.param(_FAILED, "reapply", id="without an instance view"),
    ],
)
def test_a_vm_that_ran_once_is_brought_back_and_never_replaced(found, recovery):
    vm = _resource(Kind.VM, properties={"x": 1})
    step = _step(vm, _found(vm, **found))
    assert (step.action, step.recovery, step.request) == (Action.UPDATE, recovery, None)


def test_only_a_vm_that_azure_says_never_ran_is_expendable():
    vm = _resource(Kind.VM, properties={"x": 1})
    assert _step(vm, _found(vm, **_NEVER_RAN)).expendable
    assert not _step(vm, _found(vm, **_FAILED_OTHERWISE)).expendable
    assert not _step(vm, _found(vm, **_DIFFERENT)).expendable
    assert not _step(vm, _found(vm, **_failed(x=2))).expendable


def test_a_network_that_others_have_subnets_in_is_not_expendable_and_not_deleted():
    theirs = {"properties": {"subnets": [{"name": "default"}, {"name": "AzureBastionSubnet"}]}}
    vnet = _resource(Kind.VNET)
    moved = _step(vnet, _found(vnet, **_WEST, **theirs))
    assert (moved.action, moved.expendable) == (Action.REPLACE, False)
    assert [(one.what, one.name) for one in moved.others] == [("subnet", "AzureBastionSubnet")]
    kept, gone = Resource(Kind.VNET, vnet.id, theirs), _resource(Kind.VNET, "empty")
    assert [s.action for s in _plan(found={}, extra=(kept, gone)).steps] == [
        Action.KEEP,
        Action.DELETE,
    ]
