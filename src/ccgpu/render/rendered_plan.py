"""What a renderer gets: the resources of a new deployment, with the values that it leaves open."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Resource, ResourceId

# The value of the tag `ccgpu-run` of what a rendered plan has made. A run of `create` has a random
# one, which its rollback looks for; so no rollback takes these resources for its own.
RUN_OF_RENDERED = "rendered"


class OpenValue(StrEnum):
    """A value that is not known when a plan is rendered. It stands in the bodies as it is.

    CREATED, EXPIRES: the times of the tags; `create` has them from Azure's clock. SSH_PUBLIC_KEY:
    the key that `create` would generate.
    """

    CREATED = "created"
    EXPIRES = "expires"
    SSH_PUBLIC_KEY = "ssh_public_key"


@dataclass(frozen=True, slots=True)
class RenderedPlan:
    """The resources to render, in an order in which they can be created.

    resources: with the resource group first, unless it is the user's own and exists. ttl: from the
    creation to the end of the lease; None if the lease has no end. simulated: whether the plan was
    made with the simulated subscription. version: of ccgpu.
    """

    deployment: str
    subscription: str
    group: str
    resources: tuple[Resource, ...]
    ttl: timedelta | None
    simulated: bool
    version: str

    @property
    def own_group(self) -> Resource | None:
        """The resource group, if it is among the resources."""
        return next((one for one in self.resources if one.kind is Kind.GROUP), None)

    @property
    def in_group(self) -> tuple[Resource, ...]:
        """The resources in the group."""
        return tuple(one for one in self.resources if one.kind is not Kind.GROUP)

    @property
    def minutes(self) -> int | None:
        """`ttl` in minutes: a spec's is in whole minutes."""
        return None if self.ttl is None else self.ttl // timedelta(minutes=1)

    def needs(self, resource: Resource) -> list[ResourceId]:
        """The rendered resources that must exist before this one."""
        return sorted(resource.depends_on & {one.id for one in self.resources})

    def is_open(self, value: OpenValue) -> bool:
        """Whether a body has this value."""
        return any(value in open_values(one.body) for one in self.resources)

    def about(self) -> tuple[str, ...]:
        """What every format says of itself, as lines."""
        where = f"the resource group {self.group} of the subscription {self.subscription}"
        simulated = ("Made with the simulated subscription: Azure has no such image.",)
        return (
            f"The deployment {self.deployment}, rendered by ccgpu {self.version}.",
            f"It belongs into {where}.",
            *(simulated if self.simulated else ()),
        )


def open_values(value: Any) -> set[OpenValue]:
    """The open values in a body."""
    return set(_open_values(value))


def _open_values(value: Any) -> Iterator[OpenValue]:
    if isinstance(value, OpenValue):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _open_values(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _open_values(one)
