"""Laws of planning, for any graph of resources and anything that Azure may have of it."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.plan import Plan, make_plan
from ccgpu.domain.resource import (
    VOLATILE_TAGS,
    Body,
    Resource,
    ResourceId,
    key,
    resource_id,
    tags_of,
)

_KINDS = st.sampled_from([Kind.VM, Kind.NSG, Kind.VNET, Kind.PUBLIC_IP, Kind.NAT])
_VALUES = st.integers(0, 2)
_OTHERS_TAGS = st.dictionaries(st.sampled_from(["policy", "cost"]), st.just("theirs"))
_STATES = st.sampled_from(["Succeeded", "Failed", None])

Wanted = dict[ResourceId, Resource]
Actual = dict[ResourceId, Body]


@st.composite
def _graphs(draw: st.DrawFn) -> Wanted:
    """Acyclic: a resource needs only ones drawn before it. Shuffled: order must be earned."""
    made: Wanted = {}
    for number in range(draw(st.integers(0, 8))):
        kind = draw(_KINDS)
        needs = draw(st.frozensets(st.sampled_from(sorted(made)))) if made else frozenset()
        tags = {"ccgpu-deployment": "demo", "ccgpu-run": "new", "ccgpu-body": str(draw(_VALUES))}
        body = {"location": "eastus2", "tags": tags, "properties": {"v": draw(_VALUES)}}
        one = Resource(kind, resource_id("S", "G", kind, f"r{number}"), body, needs)
        made[one.id] = one
    return dict(draw(st.permutations(list(made.items()))))


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[Wanted, Actual]:
    """A graph, and what Azure has of some of it: as it was put, otherwise, or failed."""
    wanted = draw(_graphs())
    actual: Actual = {}
    for one in wanted.values():
        if draw(st.booleans()):
            state = draw(_STATES)
            actual[key(one.id)] = _answer(one.body, draw(_OTHERS_TAGS)) | {
                "location": draw(st.sampled_from(["eastus2", "East US 2", "westus"])),
                "properties": {"v": draw(_VALUES), "provisioningState": state, "more": 1},
            }
    return wanted, actual


def _answer(body: Body, others: Mapping[str, str]) -> Body:
    """What a GET gives back for a body."""
    tags = {"ccgpu-run": "old"} | dict(others)
    return body | {"etag": "1", "tags": body["tags"] | tags}


def _apply(made: Plan, actual: Actual) -> Actual:
    """What Azure has after the plan was carried out."""
    after = dict(actual)
    for step in made.changes:
        after[key(step.resource.id)] = step.resource.body | {"etag": "2"}
    return after


def _actions(made: Plan) -> dict[ResourceId, Action]:
    return {step.resource.id: step.action for step in made.steps}


@given(_worlds())
def test_a_plan_after_an_apply_has_no_changes(world):
    wanted, actual = world
    after = _apply(make_plan(wanted, actual, "demo"), actual)
    assert make_plan(wanted, after, "demo").changes == ()


@given(_worlds())
def test_each_resource_has_one_step_after_its_dependencies(world):
    wanted, actual = world
    order = [step.resource.id for step in make_plan(wanted, actual, "demo").steps]
    assert sorted(order) == sorted(wanted)
    for one in wanted.values():
        assert all(order.index(need) < order.index(one.id) for need in one.depends_on)


@given(_worlds())
def test_existing_dependents_of_a_replaced_resource_are_replaced(world):
    wanted, actual = world
    actions = _actions(make_plan(wanted, actual, "demo"))
    for one in wanted.values():
        moved = any(actions[need] is Action.REPLACE for need in one.depends_on)
        if key(one.id) not in actual:
            assert actions[one.id] is Action.CREATE
        elif moved:
            assert actions[one.id] is Action.REPLACE


@pytest.mark.slow
@given(_worlds())
def test_the_plan_does_not_depend_on_the_order_of_the_resources(world):
    wanted, actual = world
    turned = dict(reversed(wanted.items()))
    assert _actions(make_plan(wanted, actual, "demo")) == _actions(
        make_plan(turned, actual, "demo")
    )


@given(_worlds())
def test_a_vm_is_only_patched_in_mutable_properties(world):
    wanted, actual = world
    for step in make_plan(wanted, actual, "demo").of(Action.UPDATE):
        if step.resource.kind is Kind.VM:
            assert step.request is None or step.request[0] == "PATCH"
            assert {reason.path for reason in step.reasons} <= {
                *(f"tags.{name}" for name in tags_of(step.resource.body)),
                "properties.provisioningState",
            }


@given(_worlds())
def test_every_change_but_a_creation_has_a_reason(world):
    wanted, actual = world
    for step in make_plan(wanted, actual, "demo").steps:
        assert bool(step.reasons) is (step.action in (Action.UPDATE, Action.REPLACE))


@pytest.mark.slow
@given(_worlds())
def test_an_update_keeps_all_tags_and_the_run_tags(world):
    wanted, actual = world
    for step in make_plan(wanted, actual, "demo").of(Action.UPDATE):
        live, sent = tags_of(actual[key(step.resource.id)]), tags_of(step.resource.body)
        assert live.keys() <= sent.keys()
        assert {n: v for n, v in sent.items() if n in VOLATILE_TAGS} == {"ccgpu-run": "old"}


@given(_worlds(), st.data())
def test_only_undesired_resources_are_deleted_and_last(world, data):
    wanted, actual = world
    names: Any = st.sampled_from(sorted(wanted)) if wanted else st.nothing()
    dropped = data.draw(st.frozensets(names))
    left = {id_: one for id_, one in wanted.items() if id_ not in dropped}
    steps = make_plan(left, actual, "demo", extra=wanted.values()).steps
    deletions = [s.resource.id for s in steps if s.action is Action.DELETE]
    assert set(deletions) == dropped
    assert [s.resource.id for s in steps[len(left) :]] == deletions
