"""What has to be done to get from what Azure has to what is wanted.

The plan is a value; `workflows.engine` obeys nothing else. Planning again after it has been
carried out yields no changes. A resource of somebody else is never planned over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from graphlib import TopologicalSorter
from typing import Literal

from ccgpu.domain import in_place, live_vm
from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference, differences
from ccgpu.domain.in_place import Other, Recovery
from ccgpu.domain.resource import (
    BODY_HASH,
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

Reasons = tuple[Difference, ...]

# Whose providers look at If-Match (recordings of 2025: 412 PreconditionFailedEtagMismatch).
_HONOUR_IF_MATCH = frozenset({Kind.NSG, Kind.VNET, Kind.PUBLIC_IP, Kind.VM})


class Action(StrEnum):
    """What a step does to its resource."""

    CREATE = "create"
    UPDATE = "update"
    KEEP = "keep"
    REPLACE = "replace"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Step:
    """One resource's part of the plan, and why: what differs, or what it needs is replaced.

    others: what other people put into the resource, or the spec no longer names; it stays.
    change: what an update of a VM patches besides tags. recovery: what brings a failed VM back
    first. etag: what was compared; an update is refused if it is no longer that.
    expendable: what is replaced never ran, and holds nothing of anybody.
    """

    action: Action
    resource: Resource
    reasons: tuple[Difference, ...] = ()
    others: tuple[Other, ...] = ()
    change: Body | None = None
    recovery: Recovery | None = None
    etag: str | None = None
    expendable: bool = False

    @property
    def request(self) -> tuple[Literal["PUT", "PATCH"], Body] | None:
        """The method and the exact body of what is sent; None where nothing is written."""
        if self.action in (Action.KEEP, Action.DELETE):
            return None
        if self.action is not Action.UPDATE:
            return "PUT", self.resource.body
        if self.resource.kind is Kind.VM or in_place.only_tags(self.reasons):
            tags = {"tags": tags_of(self.resource.body)} if self._retags else {}
            change = {**tags, **(self.change or {})}
            return ("PATCH", change) if change else None
        return "PUT", self.resource.body

    @property
    def _retags(self) -> bool:
        return any(one.path.startswith("tags.") for one in self.reasons)


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


def make_plan(
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
    order = TopologicalSorter({r.id: r.depends_on for r in desired.values()}).static_order()
    steps: dict[ResourceId, Step] = {}
    for id_ in order:
        if id_ not in desired:
            continue
        wanted = desired[id_]
        steps[id_] = _make_step(wanted, actual, deployment, steps)
    known = {key(id_) for id_ in desired}
    unwanted = [_unwanted_steps(one) for one in extra if key(one.id) not in known]
    return Plan((*steps.values(), *unwanted))


def _unwanted_steps(found: Resource) -> Step:
    """Deleted, but for a network that other people have subnets in."""
    if found.kind is Kind.VNET and (foreign := in_place.foreign_in_network(found.body)):
        return Step(Action.KEEP, found, others=foreign)
    return Step(Action.DELETE, found)


def _make_step(
    wanted: Resource,
    actual: Mapping[ResourceId, Body],
    deployment: str,
    earlier: Mapping[ResourceId, Step],
) -> Step:
    found = actual.get(key(wanted.id))
    if found is None:
        return Step(Action.CREATE, wanted)
    owner = tag(found, DEPLOYMENT)
    if wanted.kind is Kind.GROUP and owner != deployment:
        return Step(Action.KEEP, wanted)  # the user's own group: never touched
    if owner != deployment:
        raise ForeignResource(wanted.id, owner)
    moved = [id_ for id_ in sorted(wanted.depends_on) if _is_replaced(earlier.get(id_))]
    live = live_vm.with_disks(found, actual) if wanted.kind is Kind.VM else found
    reasons = tuple(Difference("needs", id_, id_) for id_ in moved)
    reasons = reasons or _step_reasons(wanted, live, actual)
    action = Action.REPLACE if moved else _choose_action(wanted.kind, reasons, live)
    others = in_place.other_elements(wanted.kind, wanted.body, live)
    if action is Action.REPLACE:
        return Step(
            action, wanted, reasons, others, expendable=_is_expendable(wanted, live, others)
        )
    # What is replaced is this run's from then on: its undo, and its expiry, go by the new stamp.
    kept = _with_live_stamp(wanted, found)
    if action is Action.KEEP:
        return Step(action, kept, (), others)
    return _update_step(kept, live, reasons, others, actual)


def _step_reasons(wanted: Resource, live: Body, actual: Mapping[ResourceId, Body]) -> Reasons:
    found = differences(wanted.kind, wanted.body, live)
    interface = live_vm.interface_of(live, actual) if wanted.kind is Kind.VM else None
    if interface is not None:  # it tells itself what it is
        found = tuple(one for one in found if one.path != f"tags.{BODY_HASH}")
        found += live_vm.interface_differences(wanted.body, interface)
    if state_of(live) == "Failed":
        found += (Difference(in_place.FAILED, "Succeeded", "Failed"),)
    return found


def _is_replaced(step: Step | None) -> bool:
    return step is not None and step.action is Action.REPLACE


def _choose_action(kind: Kind, reasons: Reasons, live: Body) -> Action:
    """Replaced is what Azure cannot change in place, and a VM that never ran."""
    if not reasons:
        return Action.KEEP
    if kind is Kind.VM and in_place.never_provisioned(live):
        return Action.REPLACE
    rest = [one for one in reasons if kind is not Kind.VM or one.path != in_place.FAILED]
    if all(in_place.changes_in_place(kind, one) for one in rest):
        return Action.UPDATE
    return Action.REPLACE


def _is_expendable(wanted: Resource, live: Body, others: tuple[Other, ...]) -> bool:
    if wanted.kind is Kind.VM:
        return in_place.never_provisioned(live)
    return not others


def _update_step(
    kept: Resource,
    live: Body,
    reasons: Reasons,
    others: tuple[Other, ...],
    actual: Mapping[ResourceId, Body],
) -> Step:
    etag = live.get("etag") if kept.kind in _HONOUR_IF_MATCH else None
    if kept.kind is Kind.VM:
        change = in_place.patch(kept.body, live, actual)
        recovery = in_place.recovery(live)
        return Step(Action.UPDATE, kept, reasons, others, change, recovery, etag)
    if not in_place.only_tags(reasons):
        body = in_place.merge(kept.kind, kept.body, live)
        kept = replace(kept, body=body)
    return Step(Action.UPDATE, kept, reasons, others, etag=etag)


def _with_live_stamp(wanted: Resource, found: Body) -> Resource:
    """The resource with the volatile tags it was made with, and those that others put on it.

    A write replaces the whole tag map (Microsoft Learn, tag-resources).
    """
    ours = {k: v for k, v in tags_of(wanted.body).items() if k not in VOLATILE_TAGS}
    taken = {name.casefold() for name in ours}
    live = {k: v for k, v in tags_of(found).items() if k.casefold() not in taken}
    body = wanted.body | {"tags": ours | live}
    return Resource(wanted.kind, wanted.id, body, wanted.depends_on, wanted.implicitly_created)
