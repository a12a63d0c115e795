"""Decide which resources may be deleted, from a GET of each immediately before its DELETE.

A resource that is not provably the deployment's is kept and reported. Pure functions:
`workflows.removal` carries the decisions out.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ccgpu.domain.catalog import Kind
from ccgpu.domain.in_place import foreign_in_network
from ccgpu.domain.resource import (
    DEPLOYMENT,
    MADE_FOR,
    RUN,
    Body,
    ResourceId,
    key,
    kind_of,
    tag,
    tags_of,
)
from ccgpu.domain.vm_view import network_interface_ids
from ccgpu.errors import CcgpuError, NotFound

# The code of the error for a VM that has lost its tag.
_TAG_MISSING = "TagMissing"


@dataclass(frozen=True, slots=True)
class Ownership:
    """Which resources may be deleted: those of a deployment, or only those of one of its runs.

    Every id in it is a `key`.

    disks: created by the deployment's VM; Azure does not tag them. assessed: the tags on which the
    decision to delete was based; a resource with other tags, or not in it, is not deleted. recent:
    may have been created just now, so one 404 does not prove that it is absent. orphaned: a group
    whose deployment is gone, with its tags. recorded: created by this machine, so one without a
    deployment tag has lost it, and is told of.
    """

    deployment: str
    run: str | None = None
    disks: frozenset[ResourceId] = frozenset()
    assessed: Mapping[ResourceId, Mapping[str, str]] | None = None
    recent: frozenset[ResourceId] = frozenset()
    orphaned: Mapping[ResourceId, Mapping[str, str]] = field(default_factory=dict)
    recorded: frozenset[ResourceId] = frozenset()

    def includes(self, id_: ResourceId, body: Body) -> bool:
        """Whether the resource with this GET body is the deployment's, or the run's."""
        if key(id_) in self.orphaned:
            return self.orphaned[key(id_)] == tags_of(body)
        if tag(body, DEPLOYMENT) is None and kind_of(id_) is Kind.DISK:
            return key(id_) in self.disks
        ours = tag(body, DEPLOYMENT) == self.deployment
        return ours and (self.run is None or tag(body, RUN) == self.run)

    def is_as_assessed(self, id_: ResourceId, body: Body) -> bool:
        """Whether the resource's tags are unchanged since the decision to delete it."""
        return self.assessed is None or self.assessed.get(key(id_)) == tags_of(body)

    def has_lost_tag(self, id_: ResourceId, body: Body) -> bool:
        """Whether the resource was created by this machine, and has no tag of ours any more."""
        ours = tag(body, DEPLOYMENT) or tag(body, MADE_FOR)
        return ours is None and key(id_) in self.recorded


class Fate(StrEnum):
    """What becomes of a resource."""

    GONE = "gone"  # deleted, by itself or with its VM
    ABSENT = "absent"  # did not exist before
    FOREIGN = "foreign"  # not the deployment's: not deleted
    CHANGED = "changed"  # has changed since it was assessed: not deleted
    SKIPPED = "skipped"  # not deleted, because another resource of the deployment has changed
    KEPT = "kept"  # the deployment's, but others use it
    LEFT = "left"  # a request failed: it may still exist


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a resource. `fate` None: delete it. `reason`: why it is kept."""

    fate: Fate | None
    reason: str | None = None


def decide(
    ownership: Ownership,
    id_: ResourceId,
    kind: Kind,
    body: Body | None,
    *,
    others_in_group: str | None = None,
    halted: bool = False,
) -> Decision:
    """Decide what becomes of a resource.

    Args:
        ownership: Which resources may be deleted.
        id_: The resource.
        kind: Its kind.
        body: Its body in a GET just made; None for a 404.
        others_in_group: Of a group, its other contents in words; None if it has none.
        halted: Whether another resource of the deployment has changed since it was assessed.
    """
    if body is not None and not ownership.includes(id_, body):
        return _decide_on_foreign(ownership, id_, body)
    if halted:
        return Decision(Fate.SKIPPED)
    if body is None:
        return Decision(Fate.ABSENT)
    if kind is Kind.GROUP and others_in_group is not None:
        return Decision(Fate.KEPT, others_in_group)
    if kind is Kind.VNET and (others := foreign_in_network(body)):
        users = ", ".join(f"{one.what} {one.name}" for one in others)
        return Decision(Fate.KEPT, f"others use it: {users}")
    return Decision(None)


def _decide_on_foreign(ownership: Ownership, id_: ResourceId, body: Body) -> Decision:
    if ownership.has_lost_tag(id_, body):
        return Decision(Fate.KEPT, f"it has no tag {DEPLOYMENT} any more")
    return Decision(Fate.FOREIGN)


def vm_has_lost_tag(vm: Body, own_ids: Collection[ResourceId]) -> bool:
    """Whether a VM without a deployment tag uses a network interface in `own_ids` (`key`s).

    Azure names the interface when it creates the VM, so this is the deployment's VM. Whoever wrote
    its tags has left out ours: most clients replace all tags of a resource.
    """
    nics = map(key, network_interface_ids(vm))
    return tag(vm, DEPLOYMENT) is None and any(nic in own_ids for nic in nics)


def is_tag_missing(err: CcgpuError) -> bool:
    """Whether this is the error of `tag_missing`."""
    return isinstance(err, NotFound) and err.code == _TAG_MISSING


def tag_missing(vm: ResourceId, deployment: str) -> NotFound:
    """The error for a VM with the deployment's name and without its tag."""
    return NotFound(
        f"the VM {vm} has no tag {DEPLOYMENT}, so it is not known to be {deployment}'s",
        code=_TAG_MISSING,
        hint=f"if it is, give it back: `az tag update --resource-id {vm} --operation Merge "
        f"--tags {DEPLOYMENT}={deployment}`",
    )


def require_tag(
    vm: ResourceId, body: Body | None, own_ids: Collection[ResourceId], deployment: str
) -> None:
    """Raise `tag_missing` if the VM exists, and has lost its tag."""
    if body is not None and vm_has_lost_tag(body, own_ids):
        raise tag_missing(vm, deployment)
