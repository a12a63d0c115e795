"""Find deployments from Azure alone, on any machine: by our tags, and by the names we give.

A list may lag behind, so that something is not listed proves nothing; names are asked one by one.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.resource import (
    DEPLOYMENT,
    Body,
    ResourceId,
    group_of,
    kind_of,
    own_group,
    tag,
)
from ccgpu.errors import NotFound, UsageProblem
from ccgpu.workflows.inventory import reported
from ccgpu.workflows.requests import Run, ask, complete
from ccgpu.workflows.survey import nameable_ids


@dataclass(frozen=True, slots=True)
class Found:
    """A deployment, its group, and what of it carries its tag (by id, as listed)."""

    name: str
    group: str
    listed: Mapping[ResourceId, Body]

    @property
    def kinds(self) -> dict[ResourceId, Kind]:
        """The listed ids of the kinds that `ccgpu` handles."""
        kinds = ((id_, kind_of(id_)) for id_ in self.listed)
        return {id_: kind for id_, kind in kinds if kind is not None}


def deployments(run: Run, name: str | None = None) -> list[Found]:
    """Every deployment of the subscription, or those of one name, in order of name and group."""
    listing = partial(run.cloud.queries.tagged, DEPLOYMENT, name)
    listed = complete(run, ask(run, listing, "listing deployments"))
    found: dict[tuple[str, str], dict[ResourceId, Body]] = {}
    for body in listed:
        owner, id_ = tag(body, DEPLOYMENT) or "", ResourceId(body["id"])
        found.setdefault((owner, _spelled(group_of(id_), found)), {})[id_] = body
    return [Found(owner, group, ids) for (owner, group), ids in sorted(found.items())]


def _spelled(group: str, known: Iterable[tuple[str, str]]) -> str:
    """The group as it was first spelled: lists change its case."""
    alike = [seen for _, seen in known if seen.casefold() == group.casefold()]
    return alike[0] if alike else group


def names_of(run: Run, name: str, group: str | None) -> Names:
    """The names of one deployment: in the group given, or where its tags are found.

    Without tags anywhere it can only be in its own group. In two groups: the user must say.
    """
    if group is None:
        groups = [one.group for one in deployments(run, name)]
        if len(groups) > 1:
            raise UsageProblem(
                f"there is a {name} in each of the groups {', '.join(groups)}",
                hint="say which: `--resource-group G`",
            )
        group = groups[0] if groups else own_group(name)
    return Names(run.cloud.subscription, group, name)


@contextmanager
def opened(run: Run, name: str, group: str | None) -> Iterator[Names]:
    """The names of one deployment; what fails from here on is told with what there is of it."""
    known = nameable_ids(Names(run.cloud.subscription, group or own_group(name), name))
    with reported(run, lambda: known, name):
        names = names_of(run, name, group)
        known |= nameable_ids(names)
        yield names


def vm_of(run: Run, names: Names) -> Body:
    """The deployment's VM with its instance view; `NotFound` if there is none of ours."""
    get = partial(run.cloud.arm.get, Kind.VM, names.vm, view=True)
    body = complete(run, ask(run, get, f"reading {names.vm}"))
    if body is None or tag(body, DEPLOYMENT) != names.deployment:
        raise NotFound(
            f"there is no VM {names.deployment} in the resource group {names.group}",
            code="ResourceNotFound",
            hint="`ccgpu list` shows what there is",
        )
    return body
