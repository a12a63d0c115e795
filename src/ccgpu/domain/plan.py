"""What has to be done to get from what Azure has to what is wanted.

The plan is a value; `workflows.engine` obeys nothing else. Planning again after it has been
carried out yields no changes. A resource of somebody else is never planned over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from graphlib import TopologicalSorter

from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference, differences
from ccgpu.domain.resource import (
    DEPLOYMENT,
    VOLATILE_TAGS,
    Body,
    Resource,
    ResourceId,
    key,
    state_of,
    tag,
    tags_of,
)


class Action(StrEnum):
    """What a step does to its resource."""

    CREATE = "create"
    UPDATE = "update"
    KEEP = "keep"
    REPLACE = "replace"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Step:
    """One resource's part of the plan, and why: what differs, or what it needs is replaced."""

    action: Action
    resource: Resource
    reasons: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in the order of `needs`; then what is ours and no longer wanted."""

    steps: tuple[Step, ...]

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that do something."""
        return tuple(step for step in self.steps if step.action is not Action.KEEP)

    def of(self, *actions: Action) -> tuple[Step, ...]:
        """The steps with one of these actions."""
        return tuple(step for step in self.steps if step.action in actions)


class ForeignResource(Exception):
    """A name that the plan needs is taken by a resource that is not this deployment's."""

    def __init__(self, id_: ResourceId, owner: str | None) -> None:
        super().__init__(id_)
        self.id = id_
        self.owner = owner


def plan(
    desired: Mapping[ResourceId, Resource],
    actual: Mapping[ResourceId, Body],
    deployment: str,
    *,
    extra: Iterable[Resource] = (),
) -> Plan:
    """Order the steps that take `actual` (GET bodies by `key` of the id) to `desired`.

    `extra`: resources of this deployment that exist, in an order in which they can be deleted;
    those not desired are deleted. Raises `ForeignResource` where a name is taken.
    """
    order = TopologicalSorter({r.id: r.needs for r in desired.values()}).static_order()
    steps: dict[ResourceId, Step] = {}
    for id_ in order:
        if id_ not in desired:
            continue
        wanted = desired[id_]
        steps[id_] = _step(wanted, actual.get(key(id_)), deployment, steps)
    known = {key(id_) for id_ in desired}
    deletions = [Step(Action.DELETE, r) for r in extra if key(r.id) not in known]
    return Plan((*steps.values(), *deletions))


def _step(
    wanted: Resource, found: Body | None, deployment: str, earlier: Mapping[ResourceId, Step]
) -> Step:
    if found is None:
        return Step(Action.CREATE, wanted)
    owner = tag(found, DEPLOYMENT)
    if wanted.kind is Kind.GROUP and owner != deployment:
        return Step(Action.KEEP, wanted)  # the user's own group: never touched
    if owner != deployment:
        raise ForeignResource(wanted.id, owner)
    moved = [id_ for id_ in sorted(wanted.needs) if _replaced(earlier.get(id_))]
    if moved:
        return Step(Action.REPLACE, wanted, tuple(Difference("needs", id_, id_) for id_ in moved))
    reasons = differences(wanted.kind, wanted.body, found)
    if state_of(found) == "Failed":
        reasons += (Difference("properties.provisioningState", "Succeeded", "Failed"),)
    action = _action(wanted.kind, reasons)
    # What is replaced is this run's from then on: its undo, and its expiry, go by the new stamp.
    kept = wanted if action is Action.REPLACE else _with_live_stamp(wanted, found)
    return Step(action, kept, reasons)


def _replaced(step: Step | None) -> bool:
    return step is not None and step.action is Action.REPLACE


def _action(kind: Kind, found: tuple[Difference, ...]) -> Action:
    if not found:
        return Action.KEEP
    if all(d.path.startswith("tags.") and d.path != "tags.ccgpu-body" for d in found):
        return Action.UPDATE
    if kind in (Kind.VM, Kind.PUBLIC_IP) or any(d.path == "location" for d in found):
        return Action.REPLACE
    return Action.UPDATE


def _with_live_stamp(wanted: Resource, found: Body) -> Resource:
    """The resource with the volatile tags it was made with, and those that others put on it.

    A write replaces the whole tag map (Microsoft Learn, tag-resources).
    """
    ours = {k: v for k, v in tags_of(wanted.body).items() if k not in VOLATILE_TAGS}
    taken = {name.casefold() for name in ours}
    live = {k: v for k, v in tags_of(found).items() if k.casefold() not in taken}
    body = wanted.body | {"tags": ours | live}
    return Resource(wanted.kind, wanted.id, body, wanted.needs, wanted.promises)
