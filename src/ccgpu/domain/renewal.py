"""Refresh the lease tags of the resources that a plan keeps, so that `gc` skips them.

A deployment without a VM is garbage once its resources are old or its lease is over
(`domain.lease`). So if a plan creates a VM, the resources that it keeps get current times before
the VM's PUT: the VM depends on them. If a plan keeps the VM, its lease is set if

- the request gives a lease, and the VM has none;
- the request gives a new end;
- the lease is over.
"""

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference
from ccgpu.domain.lease import lease_of, merge_tags, parse_moment
from ccgpu.domain.plan import Plan, Step
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

# Seconds after which a resource's times are refreshed: far less than `lease.YOUNG`, so that the
# resources stay young during the create.
_STALE = 3600.0

Times = Mapping[str, str | None]


class RenewalMode(Enum):
    """What a create's `ttl` means for the lease of an existing VM.

    KEEP: the ttl is not new, so the lease stays. FILL: only a VM without a lease gets one. RENEW:
    the ttl was given now, and the lease ends that long from now. A lease that is over is renewed in
    any case.
    """

    KEEP = "keep"
    FILL = "fill"
    RENEW = "renew"


def renew_leases(
    todo: Plan,
    actual: Mapping[ResourceId, Body],
    created: str,
    expires: str | None,
    mode: RenewalMode = RenewalMode.FILL,
) -> Plan:
    """The plan, with current lease tags on kept and updated resources where they are needed.

    Before a new VM only resources older than an hour, or with a lease that is over, are tagged; so
    a create that is soon resumed writes no tags.

    Args:
        todo: The plan.
        actual: The existing resources.
        created: The current time.
        expires: The new end of the lease, if it has one.
        mode: What `expires` means for an existing VM.
    """
    now = parse_moment(created) or 0.0
    if _creates_new_vm(todo):
        times: Times = {CREATED: created, EXPIRES: expires}
        return Plan(tuple(_renew_step(step, actual, times, now) for step in todo.steps))
    ours = [body for step in todo.steps if (body := _kept_body(step, actual)) is not None]
    vm = next((_kept_body(one, actual) for one in todo.steps if one.resource.kind is Kind.VM), None)
    end = lease_of(ours, vm).expires
    over = _is_over(lease_of(ours).expires, now)
    fills = mode is RenewalMode.FILL and end is None
    if expires is None or not (mode is RenewalMode.RENEW or over or fills):
        return todo
    return Plan(tuple(_step_with_times(step, actual, {EXPIRES: expires}) for step in todo.steps))


def _creates_new_vm(todo: Plan) -> bool:
    created = todo.of(Action.CREATE, Action.REPLACE)
    return any(step.resource.kind is Kind.VM for step in created)


def _kept_body(step: Step, actual: Mapping[ResourceId, Body]) -> Body | None:
    """The existing resource, if the step keeps or updates it and it is the deployment's."""
    body = actual.get(key(step.resource.id))
    owner = tag(step.resource.body, DEPLOYMENT)
    kept = step.action in (Action.KEEP, Action.UPDATE) and tag(body, DEPLOYMENT) == owner
    return body if kept else None


def _renew_step(step: Step, actual: Mapping[ResourceId, Body], times: Times, now: float) -> Step:
    """The step, with `times` if the resource it keeps is old or its lease is over."""
    body = _kept_body(step, actual)
    if body is None or not (_is_old(tag(body, CREATED), now) or _is_over(tag(body, EXPIRES), now)):
        return step
    return _step_with_times(step, actual, times)


def _step_with_times(step: Step, actual: Mapping[ResourceId, Body], times: Times) -> Step:
    """The step, updating the tags of the resource it keeps to `times`; else unchanged."""
    body = _kept_body(step, actual)
    if body is None:
        return step
    tags = merge_tags(tags_of(step.resource.body), times)
    resource = replace(step.resource, body=step.resource.body | {"tags": tags})
    reasons = tuple(
        Difference(f"tags.{name}", wanted, tag(body, name))
        for name, wanted in times.items()
        if tag(body, name) != wanted
    )
    if not reasons:
        return step
    return replace(step, action=Action.UPDATE, resource=resource, reasons=(*step.reasons, *reasons))


def _is_old(created: str | None, now: float) -> bool:
    moment = parse_moment(created)
    return moment is None or now - moment > _STALE


def _is_over(expires: str | None, now: float) -> bool:
    end = parse_moment(expires)
    return end is not None and end <= now
