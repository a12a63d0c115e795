"""What a create that makes a VM says to the rest of the deployment: I am being made, leave me.

Without a VM, what was made long ago is garbage to any machine (`domain.lease`). So what a plan
keeps gets the create's own times before the VM's PUT; the VM needs it, and comes after it.
"""

from collections.abc import Mapping
from dataclasses import replace

from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference
from ccgpu.domain.lease import moment, retagged
from ccgpu.domain.plan import Action, Plan, Step
from ccgpu.domain.resource import CREATED, DEPLOYMENT, EXPIRES, Body, ResourceId, key, tag, tags_of

# Well within `lease.YOUNG`, so that there is time left for the create.
_STALE = 3600.0


def renewed(
    todo: Plan, actual: Mapping[ResourceId, Body], created: str, expires: str | None
) -> Plan:
    """The plan, in which what is kept or updated for a new VM is marked as young.

    Only what is older than an hour at `created`: a create that is resumed soon has nothing to say.
    """
    made = todo.of(Action.CREATE, Action.REPLACE)
    if not any(step.resource.kind is Kind.VM for step in made):
        return todo
    return Plan(tuple(_renewed(step, actual, created, expires) for step in todo.steps))


def _renewed(
    step: Step, actual: Mapping[ResourceId, Body], created: str, expires: str | None
) -> Step:
    found = actual.get(key(step.resource.id))
    kept = step.action in (Action.KEEP, Action.UPDATE)
    if not kept or tag(step.resource.body, DEPLOYMENT) != tag(found, DEPLOYMENT):
        return step
    old = tag(found, CREATED)
    if not _stale(old, created):
        return step
    tags = retagged(tags_of(step.resource.body), {CREATED: created, EXPIRES: expires})
    resource = replace(step.resource, body=step.resource.body | {"tags": tags})
    why = Difference(f"tags.{CREATED}", created, old)
    return Step(Action.UPDATE, resource, (*step.reasons, why))


def _stale(old: str | None, now: str) -> bool:
    made, at = moment(old), moment(now)
    return made is None or at is None or at - made > _STALE
