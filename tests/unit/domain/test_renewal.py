"""What is kept for a new VM is marked as young, and nothing else is."""

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.plan import Action, Plan, plan
from ccgpu.domain.renewal import renewed
from ccgpu.domain.resource import CREATED, EXPIRES, Body, ResourceId, key, tag
from support.specs import STAMP, wanted

LATER = "2026-10-01T13:00:01Z"  # an hour and a second after the stamp
SOON = "2026-10-01T13:00:00Z"


def _found(*, vm: bool, **changes: object) -> dict[ResourceId, Body]:
    """What is there of a deployment that was made at the stamp's time."""
    there = wanted(ttl="1h", **changes)
    return {key(r.id): r.body for r in there.values() if vm or r.kind is not Kind.VM}


def _plan(actual: dict[ResourceId, Body], **changes: object) -> Plan:
    return plan(wanted(**changes), actual, "demo")


def test_what_is_kept_for_a_new_vm_gets_the_times_of_its_create():
    actual = _found(vm=False)
    done = renewed(_plan(actual), actual, LATER, "then")
    kept = [step for step in done.steps if step.resource.kind is not Kind.VM]
    assert {step.action for step in kept} == {Action.UPDATE}
    for step in kept:
        assert (tag(step.resource.body, CREATED), tag(step.resource.body, EXPIRES)) == (
            LATER,
            "then",
        )
        assert [(why.path, why.wanted, why.found) for why in step.reasons] == [
            ("tags.ccgpu-created", LATER, STAMP.created)
        ]


def test_a_new_vm_without_a_lease_ends_the_old_one():
    actual = _found(vm=False)
    done = renewed(_plan(actual), actual, LATER, None)
    assert {tag(step.resource.body, EXPIRES) for step in done.steps} == {None}


def test_what_is_updated_for_a_new_vm_is_renewed_with_it():
    actual = _found(vm=False)
    done = renewed(_plan(actual, ssh_from="198.51.100.9/32"), actual, LATER, "then")
    (nsg,) = (step for step in done.steps if step.resource.kind is Kind.NSG)
    assert tag(nsg.resource.body, CREATED) == LATER
    assert any(why.path.startswith("properties.") for why in nsg.reasons)


@pytest.mark.parametrize("made", [None, "lately"])
def test_what_does_not_say_its_age_is_renewed(made):
    actual = _found(vm=False)
    for body in actual.values():
        body["tags"] = {k: v for k, v in body["tags"].items() if k != CREATED}
        body["tags"] |= {CREATED: made} if made else {}
    done = renewed(_plan(actual), actual, LATER, None)
    assert all(step.action is not Action.KEEP for step in done.steps)


def test_a_create_that_is_resumed_soon_has_nothing_to_say():
    actual = _found(vm=False)
    todo = _plan(actual)
    assert renewed(todo, actual, SOON, "then") == todo


def test_without_a_new_vm_nothing_is_renewed():
    actual = _found(vm=True)
    todo = _plan(actual, ssh_from="198.51.100.9/32")
    assert todo.changes
    assert renewed(todo, actual, LATER, "then") == todo


def test_a_group_of_the_users_is_not_touched():
    actual = _found(vm=False, resource_group="lab")
    for id_, body in actual.items():
        if id_.endswith("/resourcegroups/lab"):
            body["tags"] = {"owner": "somebody"}
    done = renewed(_plan(actual, resource_group="lab"), actual, LATER, "then")
    (group,) = (step for step in done.steps if step.resource.kind is Kind.GROUP)
    assert group.action is Action.KEEP
