"""The plan: the steps from the existing resources to the desired ones.

A plan is a value; `workflows.apply` carries it out and decides nothing else. Planning again
afterwards yields no changes. A plan never changes a resource that is not the deployment's.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Literal

from ccgpu.domain import in_place, live_vm
from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference, differences
from ccgpu.domain.guest_tag import guest_differences
from ccgpu.domain.in_place import Other, Recovery
from ccgpu.domain.measured_boot import measured_differences
from ccgpu.domain.resource import (
    BODY_HASH,
    DEPLOYMENT,
    FIRST_BOOT_TAGS,
    VOLATILE_TAGS,
    Body,
    Resource,
    ResourceId,
    key,
    state_of,
    tag,
    tags_of,
)
from ccgpu.domain.vm_view import managed_disk_ids

Reasons = tuple[Difference, ...]

# Kinds whose providers check If-Match (recordings of 2025: 412 PreconditionFailedEtagMismatch).
_HONOUR_IF_MATCH = frozenset({Kind.NSG, Kind.VNET, Kind.PUBLIC_IP, Kind.VM})


@dataclass(frozen=True, slots=True)
class Step:
    """One resource's part of the plan.

    reasons: the differences, or the replaced dependencies. others: elements of the resource that
    others have added or the spec no longer names; they are kept. change: the fields that an update
    of a VM patches besides tags. recovery: the action that recovers a failed VM first. etag: of the
    body that was compared; the update fails if it has changed. expendable: the replaced resource
    never ran, and contains nothing of others.
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
        """The method and the exact body of the request; None if nothing is written."""
        if self.action in (Action.KEEP, Action.DELETE):
            return None
        if self.action is not Action.UPDATE:
            return "PUT", self.resource.body
        if self.resource.kind is Kind.VM or in_place.only_tags(self.reasons):
            tags = {"tags": tags_of(self.resource.body)} if self._changes_tags else {}
            change = {**tags, **(self.change or {})}
            return ("PATCH", change) if change else None
        return "PUT", self.resource.body

    @property
    def _changes_tags(self) -> bool:
        return any(one.path.startswith("tags.") for one in self.reasons)


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in the order of dependencies; then those for resources that are no longer wanted."""

    steps: tuple[Step, ...]

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that change something."""
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
    begun: Collection[ResourceId] = (),
) -> Plan:
    """Plan the steps from the `actual` to the `desired` resources.

    Args:
        desired: The desired resources by id.
        actual: The GET bodies of the existing resources, by `key`.
        deployment: The name of the deployment.
        extra: Existing shared resources of the deployment, in an order in which they can be
            deleted; those that are not desired are deleted.
        begun: The `key`s of disks that an unfinished create of the VM may have left. Azure does not
            tag them.

    Raises:
        ForeignResource: A desired name is taken by a resource that is not the deployment's.
    """
    order = TopologicalSorter({r.id: r.depends_on for r in desired.values()}).static_order()
    steps: dict[ResourceId, Step] = {}
    for id_ in order:
        if id_ not in desired:
            continue
        wanted = desired[id_]
        _require_own_disks(wanted, actual, deployment, begun)
        steps[id_] = _make_step(wanted, actual, deployment, steps)
    known = {key(id_) for id_ in desired}
    unwanted = [_unwanted_step(one) for one in extra if key(one.id) not in known]
    return Plan((*steps.values(), *unwanted))


def _require_own_disks(
    vm: Resource,
    actual: Mapping[ResourceId, Body],
    deployment: str,
    begun: Collection[ResourceId],
) -> None:
    """Raise `ForeignResource` for a disk that the VM's write would take, or fail at.

    A disk of a name that ccgpu chose proves nothing by its name. The VM's own are in the VM, or
    have its tag, if they were detached.
    """
    body = actual.get(key(vm.id))
    own = set(begun) if body is None else set(map(key, managed_disk_ids(body)))
    for id_ in vm.implicitly_created:
        disk = actual.get(key(id_))
        if disk is not None and key(id_) not in own and tag(disk, DEPLOYMENT) != deployment:
            raise ForeignResource(id_, tag(disk, DEPLOYMENT))


def _unwanted_step(resource: Resource) -> Step:
    """Delete a resource that is not desired, unless it is a network that others use."""
    if resource.kind is Kind.VNET and (foreign := in_place.foreign_in_network(resource.body)):
        return Step(Action.KEEP, resource, others=foreign)
    return Step(Action.DELETE, resource)


def _make_step(
    wanted: Resource,
    actual: Mapping[ResourceId, Body],
    deployment: str,
    earlier: Mapping[ResourceId, Step],
) -> Step:
    """Plan one resource; `earlier` are the steps of those it depends on.

    1. A resource that does not exist is created; one of another owner is an error.
    2. If a dependency is replaced, it is replaced too; else its body is compared.
    3. The differences decide whether it is kept, updated or replaced.
    """
    body = actual.get(key(wanted.id))
    if body is None:
        return Step(Action.CREATE, wanted)
    owner = tag(body, DEPLOYMENT)
    if wanted.kind is Kind.GROUP and owner != deployment:
        return Step(Action.KEEP, wanted)  # the user's own group: never changed
    if owner != deployment:
        raise ForeignResource(wanted.id, owner)
    replaced = [id_ for id_ in sorted(wanted.depends_on) if _is_replaced(earlier.get(id_))]
    live = live_vm.with_disks(body, actual) if wanted.kind is Kind.VM else body
    reasons = tuple(Difference("needs", id_, id_) for id_ in replaced)
    reasons = reasons or _step_reasons(wanted, live, actual)
    action = Action.REPLACE if replaced else _choose_action(wanted.kind, reasons, live)
    others = in_place.other_elements(wanted.kind, wanted.body, live)
    if action is Action.REPLACE:
        return Step(
            action, wanted, reasons, others, expendable=_is_expendable(wanted, live, others)
        )
    # Unlike a replaced resource, which gets this run's tags, a kept one keeps those of its own run.
    kept = _with_live_tags(wanted, body)
    if action is Action.KEEP:
        return Step(action, kept, (), others)
    return _update_step(kept, live, reasons, others, actual)


def _step_reasons(wanted: Resource, live: Body, actual: Mapping[ResourceId, Body]) -> Reasons:
    """The differences of the existing resource, its first boot and NIC (of a VM), its state."""
    reasons = differences(wanted.kind, wanted.body, live)
    reasons += guest_differences(wanted.body, live)
    reasons += measured_differences(wanted.body, live)
    interface = live_vm.interface_of(live, actual) if wanted.kind is Kind.VM else None
    if interface is not None:  # its GET body is compared, so the hash is not needed
        reasons = tuple(one for one in reasons if one.path != f"tags.{BODY_HASH}")
        reasons += live_vm.interface_differences(wanted.body, interface)
    if state_of(live) == "Failed":
        reasons += (Difference(in_place.FAILED, "Succeeded", "Failed"),)
    return reasons


def _is_replaced(step: Step | None) -> bool:
    return step is not None and step.action is Action.REPLACE


def _choose_action(kind: Kind, reasons: Reasons, live: Body) -> Action:
    """Keep, update, or replace: a VM that never ran, and what Azure cannot change in place."""
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
    """Update a resource in place: a PATCH of a VM or of tags, else a PUT of the merged body."""
    etag = live.get("etag") if kept.kind in _HONOUR_IF_MATCH else None
    if kept.kind is Kind.VM:
        change = in_place.patch(kept.body, live, actual)
        recovery = in_place.recovery(live)
        return Step(Action.UPDATE, kept, reasons, others, change, recovery, etag)
    if not in_place.only_tags(reasons):
        body = in_place.merge(kept.kind, kept.body, live)
        kept = replace(kept, body=body)
    return Step(Action.UPDATE, kept, reasons, others, etag=etag)


def _with_live_tags(wanted: Resource, live_body: Body) -> Resource:
    """The resource with the tags of its existing body that this run may not change, or others'.

    A write replaces the whole tag map (Microsoft Learn, tag-resources).
    """
    not_ours = VOLATILE_TAGS | FIRST_BOOT_TAGS
    ours = {k: v for k, v in tags_of(wanted.body).items() if k not in not_ours}
    our_names = {name.casefold() for name in ours}
    live = {k: v for k, v in tags_of(live_body).items() if k.casefold() not in our_names}
    body = wanted.body | {"tags": ours | live}
    return Resource(wanted.kind, wanted.id, body, wanted.depends_on, wanted.implicitly_created)
