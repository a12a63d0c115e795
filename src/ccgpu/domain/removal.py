"""Which resources may be deleted: decided from a live GET of each, immediately before its DELETE.

What is not provably the deployment's stays and is named. Pure: `workflows.removal` carries it out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ccgpu.domain.catalog import Kind
from ccgpu.domain.in_place import foreign_in_network
from ccgpu.domain.resource import DEPLOYMENT, RUN, Body, ResourceId, key, kind_of, tag, tags_of


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whose resources may be deleted: a deployment's, or only those of one of its runs.

    Every id in here is a `key`. disks: created by a VM of the deployment; Azure gives them no tags
    of their own. assessed: the tags by which it was decided that a resource goes; what has others
    now, or is not in it, is not deleted. recent: perhaps created just now, so that one 404 does not
    say that it is not there. orphaned: a group whose maker is gone, with the tags that say so.
    """

    deployment: str
    run: str | None = None
    disks: frozenset[ResourceId] = frozenset()
    assessed: Mapping[ResourceId, Mapping[str, str]] | None = None
    recent: frozenset[ResourceId] = frozenset()
    orphaned: Mapping[ResourceId, Mapping[str, str]] = field(default_factory=dict)

    def includes(self, id_: ResourceId, body: Body) -> bool:
        """Whether the live resource is this deployment's, or this run's."""
        if key(id_) in self.orphaned:
            return self.orphaned[key(id_)] == tags_of(body)
        if tag(body, DEPLOYMENT) is None and kind_of(id_) is Kind.DISK:
            return key(id_) in self.disks
        ours = tag(body, DEPLOYMENT) == self.deployment
        return ours and (self.run is None or tag(body, RUN) == self.run)

    def is_as_assessed(self, id_: ResourceId, body: Body) -> bool:
        """Whether nobody has changed its tags since it was decided that it goes."""
        return self.assessed is None or self.assessed.get(key(id_)) == tags_of(body)


class Fate(StrEnum):
    """What becomes of a resource."""

    GONE = "gone"  # deleted now, or with its VM
    ABSENT = "absent"  # it was not there
    FOREIGN = "foreign"  # not ours: not touched
    CHANGED = "changed"  # no longer what was assessed: not touched
    SKIPPED = "skipped"  # another one was changed: nothing after it is touched
    KEPT = "kept"  # ours, and others use it
    LEFT = "left"  # a request failed: nobody knows


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of it; `fate` None: it is to be deleted. `reason`: why it is kept."""

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
    """What becomes of a resource, by its body as a GET has just answered (None: 404).

    others_in_group: of a group, what else is in it, in words. halted: another resource of the
    deployment has been changed since it was assessed.
    """
    if body is not None and not ownership.includes(id_, body):
        return Decision(Fate.FOREIGN)
    if halted:
        return Decision(Fate.SKIPPED)
    if body is None:
        return Decision(Fate.ABSENT)
    if kind is Kind.GROUP and others_in_group is not None:
        return Decision(Fate.KEPT, others_in_group)
    if kind is Kind.VNET and (others := foreign_in_network(body)):
        named = ", ".join(f"{one.what} {one.name}" for one in others)
        return Decision(Fate.KEPT, f"others use it: {named}")
    return Decision(None)
