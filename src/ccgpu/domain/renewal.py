"""Refresh the lease tags of what a plan keeps, so that `gc` leaves it.

Without a VM, what was made long ago is garbage to any machine, and so is what outlived its lease
(`domain.lease`). So what a plan keeps gets the create's own times before the VM's PUT: the VM needs
it, and comes after it. A VM that is kept gets a lease where one is asked for and there is none,
where the end of its lease is asked for anew, and where its lease is over.
"""

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference
from ccgpu.domain.lease import lease_of, merge_tags, parse_moment
from ccgpu.domain.plan import Action, Plan, Step
from ccgpu.domain.resource import (
    CREATED,
    DEPLOYMENT,
    EXPIRES,
    Body,
    ResourceId,
    key,
    tag,
    tags_of,
)

# Well within `lease.YOUNG`, so that there is time left for the create.
_STALE = 3600.0

Times = Mapping[str, str | None]


class LeaseWish(Enum):
    """What the end of the lease that a create brings along means for a VM that is there already."""

    KEEP = "keep"  # it was asked for at another time: only what is over is renewed
    FILL = "fill"  # a VM without a lease gets it
    RENEW = "renew"  # it was asked for now, and counts from now


def renew_leases(
    todo: Plan,
    actual: Mapping[ResourceId, Body],
    created: str,
    expires: str | None,
    wish: LeaseWish = LeaseWish.FILL,
) -> Plan:
    """The plan, in which what is kept or updated gets the times it needs not to be garbage.

    For a new VM only what is older than an hour at `created`, or has outlived its lease: a create
    that is resumed soon has nothing to say.
    """
    now = parse_moment(created) or 0.0
    if _makes_a_vm(todo):
        times: Times = {CREATED: created, EXPIRES: expires}
        return Plan(tuple(_renew_step(step, actual, times, now) for step in todo.steps))
    ours = [found for step in todo.steps if (found := _is_ours(step, actual)) is not None]
    vm = next((_is_ours(one, actual) for one in todo.steps if one.resource.kind is Kind.VM), None)
    end = lease_of(ours, vm).expires
    over = _is_over(lease_of(ours).expires, now)
    fills = wish is LeaseWish.FILL and end is None
    if expires is None or not (wish is LeaseWish.RENEW or over or fills):
        return todo
    return Plan(tuple(_leased_body(step, actual, {EXPIRES: expires}) for step in todo.steps))


def _makes_a_vm(todo: Plan) -> bool:
    made = todo.of(Action.CREATE, Action.REPLACE)
    return any(step.resource.kind is Kind.VM for step in made)


def _is_ours(step: Step, actual: Mapping[ResourceId, Body]) -> Body | None:
    """What is there, if the step leaves it there and it is this deployment's."""
    found = actual.get(key(step.resource.id))
    owner = tag(step.resource.body, DEPLOYMENT)
    kept = step.action in (Action.KEEP, Action.UPDATE) and tag(found, DEPLOYMENT) == owner
    return found if kept else None


def _renew_step(step: Step, actual: Mapping[ResourceId, Body], times: Times, now: float) -> Step:
    found = _is_ours(step, actual)
    if found is None or not (
        _is_old(tag(found, CREATED), now) or _is_over(tag(found, EXPIRES), now)
    ):
        return step
    return _leased_body(step, actual, times)


def _leased_body(step: Step, actual: Mapping[ResourceId, Body], times: Times) -> Step:
    """The step with these times on what is there; unchanged where it is another's."""
    found = _is_ours(step, actual)
    if found is None:
        return step
    tags = merge_tags(tags_of(step.resource.body), times)
    resource = replace(step.resource, body=step.resource.body | {"tags": tags})
    reasons = tuple(
        Difference(f"tags.{name}", wanted, tag(found, name))
        for name, wanted in times.items()
        if tag(found, name) != wanted
    )
    if not reasons:
        return step
    return replace(step, action=Action.UPDATE, resource=resource, reasons=(*step.reasons, *reasons))


def _is_old(created: str | None, now: float) -> bool:
    made = parse_moment(created)
    return made is None or now - made > _STALE


def _is_over(expires: str | None, now: float) -> bool:
    end = parse_moment(expires)
    return end is not None and end <= now
