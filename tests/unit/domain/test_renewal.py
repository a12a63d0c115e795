"""What is kept for a new VM is marked as young, and nothing else is."""

from typing import Any

import pytest

from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import RunTags
from ccgpu.domain.plan import Plan, make_plan
from ccgpu.domain.renewal import RenewalMode, renew_leases
from ccgpu.domain.resource import CREATED, DEPLOYMENT, EXPIRES, Body, ResourceId, key, tag
from support.specs import STAMP, resources_of_spec

LATER = "2026-10-01T13:00:01Z"  # an hour and a second after the stamp
SOON = "2026-10-01T13:00:00Z"
LONG = "2026-10-09T13:00:00Z"


def _live_bodies(*, vm: bool, ends: str | None = None, **changes: Any) -> dict[ResourceId, Body]:
    """What is there of a deployment that was made at the stamp's time."""
    there = resources_of_spec(RunTags(STAMP.run, STAMP.created, ends), **changes)
    return {key(r.id): r.body for r in there.values() if vm or r.kind is not Kind.VM}


def _plan(actual: dict[ResourceId, Body], **changes: Any) -> Plan:
    return make_plan(resources_of_spec(**changes), actual, "demo")


def test_resources_kept_for_a_new_vm_get_its_times():
    actual = _live_bodies(vm=False)
    done = renew_leases(_plan(actual), actual, LATER, "then")
    kept = [step for step in done.steps if step.resource.kind is not Kind.VM]
    assert {step.action for step in kept} == {Action.UPDATE}
    for step in kept:
        assert (tag(step.resource.body, CREATED), tag(step.resource.body, EXPIRES)) == (
            LATER,
            "then",
        )
        assert [(why.path, why.wanted, why.found) for why in step.reasons] == [
            ("tags.ccgpu-created", LATER, STAMP.created),
            ("tags.ccgpu-expires", "then", None),
        ]


def test_a_new_vm_without_a_lease_ends_the_old_one():
    actual = _live_bodies(vm=False, ends=SOON)
    done = renew_leases(_plan(actual), actual, LATER, None)
    assert {tag(step.resource.body, EXPIRES) for step in done.steps} == {None}


def test_resources_updated_for_a_new_vm_get_its_times():
    actual = _live_bodies(vm=False)
    done = renew_leases(_plan(actual, ssh_from="198.51.100.9/32"), actual, LATER, "then")
    (nsg,) = (step for step in done.steps if step.resource.kind is Kind.NSG)
    assert tag(nsg.resource.body, CREATED) == LATER
    assert any(why.path.startswith("properties.") for why in nsg.reasons)


@pytest.mark.parametrize("made", [None, "lately"])
def test_resources_without_a_creation_time_are_renewed(made):
    actual = _live_bodies(vm=False)
    for body in actual.values():
        body["tags"] = {k: v for k, v in body["tags"].items() if k != CREATED}
        body["tags"] |= {CREATED: made} if made else {}
    done = renew_leases(_plan(actual), actual, LATER, None)
    assert all(step.action is not Action.KEEP for step in done.steps)


def test_a_create_resumed_soon_renews_nothing():
    actual = _live_bodies(vm=False, ends=LATER)
    todo = _plan(actual)
    assert renew_leases(todo, actual, SOON, "then") == todo


def test_expired_resources_are_renewed_at_any_age():
    actual = _live_bodies(vm=False, ends=SOON)
    done = renew_leases(_plan(actual), actual, SOON, LATER)
    assert {tag(step.resource.body, EXPIRES) for step in done.of(Action.UPDATE)} == {LATER}
    assert not done.of(Action.KEEP)


def test_an_expired_vm_gets_a_new_lease_and_keeps_its_creation_time():
    actual = _live_bodies(vm=True, ends=SOON)
    done = renew_leases(_plan(actual), actual, SOON, LATER)
    assert {step.action for step in done.steps} == {Action.UPDATE}
    for step in done.steps:
        assert tag(step.resource.body, EXPIRES) == LATER
        assert tag(step.resource.body, CREATED) == STAMP.created
        assert [why.path for why in step.reasons] == ["tags.ccgpu-expires"]


@pytest.mark.parametrize(
    ("ends", "expires"),
    [
        pytest.param(LATER, "2026-10-02T00:00:00Z", id="the lease is not over"),
        pytest.param(SOON, None, id="no other is asked for"),
        pytest.param("for ever", LATER, id="nobody knows"),
    ],
)
def test_a_vm_that_is_kept_keeps_its_lease(ends, expires):
    actual = _live_bodies(vm=True, ends=ends)
    todo = _plan(actual, ssh_from="198.51.100.9/32")
    assert todo.changes
    assert renew_leases(todo, actual, SOON, expires) == todo


def _ends(done: Plan) -> set[str | None]:
    return {tag(step.resource.body, EXPIRES) for step in done.steps}


@pytest.mark.parametrize(
    ("ends", "wish", "then"),
    [
        pytest.param(None, RenewalMode.FILL, LATER, id="there is none, and the spec has one"),
        pytest.param(None, RenewalMode.KEEP, None, id="there is none, and none is asked for"),
        pytest.param(None, RenewalMode.RENEW, LATER, id="there is none, and one is asked for"),
        pytest.param(LONG, RenewalMode.RENEW, LATER, id="an earlier end is asked for"),
        pytest.param(LONG, RenewalMode.FILL, LONG, id="it is the lease of the spec"),
        pytest.param("for ever", RenewalMode.RENEW, LATER, id="what cannot be read is set anew"),
    ],
)
def test_a_kept_vm_gets_the_lease_of_the_spec(ends, wish, then):
    actual = _live_bodies(vm=True, ends=ends)
    assert _ends(renew_leases(_plan(actual), actual, SOON, LATER, wish)) == {then}


def test_an_unchanged_lease_is_no_change():
    actual = _live_bodies(vm=True, ends=LATER)
    assert not renew_leases(_plan(actual), actual, SOON, LATER, RenewalMode.RENEW).changes


def test_a_group_of_the_user_gets_no_lease():
    actual = _live_bodies(vm=True, resource_group="lab")
    for id_, body in actual.items():
        if id_.endswith("/resourcegroups/lab"):
            body["tags"] = {}
    todo = _plan(actual, resource_group="lab")
    done = renew_leases(todo, actual, SOON, LATER, RenewalMode.RENEW)
    assert {step.resource.kind for step in done.of(Action.KEEP)} == {Kind.GROUP}


def test_a_cancelled_lease_returns_only_if_the_spec_has_a_ttl():
    actual = _live_bodies(vm=True, ends=LONG)
    vm = actual[key(next(step.resource.id for step in _plan(actual).steps[-1:]))]
    vm["tags"] = {name: value for name, value in vm["tags"].items() if name != EXPIRES}
    assert tag(vm, DEPLOYMENT) == "demo"
    assert not renew_leases(_plan(actual), actual, SOON, LATER, RenewalMode.KEEP).changes
    assert _ends(renew_leases(_plan(actual), actual, SOON, LATER, RenewalMode.FILL)) == {LATER}


def test_a_group_of_the_user_is_not_changed():
    actual = _live_bodies(vm=False, resource_group="lab")
    for id_, body in actual.items():
        if id_.endswith("/resourcegroups/lab"):
            body["tags"] = {"owner": "somebody"}
    done = renew_leases(_plan(actual, resource_group="lab"), actual, LATER, "then")
    (group,) = (step for step in done.steps if step.resource.kind is Kind.GROUP)
    assert group.action is Action.KEEP
