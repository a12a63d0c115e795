"""Find deployments from Azure alone, on any machine: by our tags, and by the names we give.

A list only names ids. It may lag behind: what it names may be gone, and what it does not name may
exist. Whose a resource is, is read from the tags of its own GET.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from ccgpu.azure.long_running import send_alone, send_together
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.resource import (
    DEPLOYMENT,
    Body,
    ResourceId,
    group_of,
    key,
    kind_of,
    own_group,
    tag,
)
from ccgpu.errors import CcgpuError, Denied, NotFound, StateUnusable, UsageProblem
from ccgpu.workflows.discovery.leftovers import reporting_leftovers
from ccgpu.workflows.discovery.snapshot import Actual, Snapshot, possible_ids, read_each_now


@dataclass(frozen=True, slots=True)
class FoundDeployment:
    """A deployment, and what carries its tag: GET bodies by `key`, a VM with its instance view."""

    names: Names
    bodies: Actual

    @property
    def name(self) -> str:
        """The deployment's name."""
        return self.names.deployment

    @property
    def group(self) -> str:
        """Its resource group."""
        return self.names.group

    @property
    def snapshot(self) -> Snapshot:
        """What has been read of it."""
        return Snapshot(self.names, self.bodies)

    @property
    def vm(self) -> Body | None:
        """Its VM, if that was found."""
        return self.bodies.get(key(self.names.vm))

    @property
    def kinds(self) -> dict[ResourceId, Kind]:
        """The ids that were found, and their kinds."""
        ids = (ResourceId(body["id"]) for body in self.bodies.values())
        return {id_: kind for id_ in ids if (kind := kind_of(id_)) is not None}


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Every deployment that was found, and why a listed id could not be read."""

    found: tuple[FoundDeployment, ...]
    unread: Mapping[ResourceId, CcgpuError]


def search_deployments(
    run: Run,
    name: str | None = None,
    also: Iterable[ResourceId] = (),
    group: str | None = None,
) -> SearchResult:
    """Every deployment of the subscription, or those of one name, in order of name and group.

    With `group` only that is searched; who has no rights elsewhere may do that.

    `also`: ids that are worth a look though no list names them; one that cannot be read is not
    missed.
    """
    listed = {key(id_): id_ for id_ in list_tagged_ids(run, name, group)}
    ids = {key(id_): id_ for id_ in also} | listed
    kinds = {id_: kind for id_ in ids.values() if (kind := kind_of(id_)) is not None}
    bodies, failures = read_each_now(run, kinds)
    mine = {at: body for at, body in bodies.items() if name in (None, tag(body, DEPLOYMENT))}
    unread = {id_: err for id_, err in failures.items() if key(id_) in listed}
    return SearchResult(tuple(group_by_deployment(run, mine)), unread)


def group_by_deployment(run: Run, bodies: Actual) -> list[FoundDeployment]:
    """The deployments that `bodies` are tagged with, in order of name and group."""
    found: dict[tuple[str, str], Actual] = {}
    for at, body in bodies.items():
        if owner := tag(body, DEPLOYMENT):
            found.setdefault((owner, group_of(at)), {})[at] = body
    names = partial(_names, run.cloud.subscription)
    return [
        FoundDeployment(names(owner, group, of), of) for (owner, group), of in sorted(found.items())
    ]


def list_tagged_ids(run: Run, name: str | None, group: str | None) -> tuple[ResourceId, ...]:
    """The ids that carry the tag of a deployment, or of any, as a list names them.

    With `group` its own list is asked first: rights on it may be all that the caller has, or none.
    """
    queries = run.cloud.queries
    if group is not None:
        with suppress(Denied):
            inside = partial(queries.tagged_resources, DEPLOYMENT, name, group)
            return _ids(send_alone(run, inside, f"listing deployments in {group}"))
    return list_ids_with_tag(run, DEPLOYMENT, name)


def list_ids_with_tag(run: Run, tag_name: str, value: str | None) -> tuple[ResourceId, ...]:
    """The ids of all groups and resources that carry the tag, as two lists name them."""
    queries = run.cloud.queries
    groups, resources = f"listing groups by {tag_name}", f"listing resources by {tag_name}"
    lists: dict[str, Callable[[], tuple[Body, ...]]] = {
        groups: partial(queries.tagged_groups, tag_name, value),
        resources: partial(queries.tagged_resources, tag_name, value),
    }
    found = send_together(run, lists)
    return _ids((*found[groups], *found[resources]))


def _ids(bodies: tuple[Body, ...]) -> tuple[ResourceId, ...]:
    return tuple(ResourceId(body["id"]) for body in bodies)


def _names(subscription: str, owner: str, group: str, bodies: Actual) -> Names:
    """The names of a deployment, its group spelled as we or Azure spell it: lists change its case.

    `group` is the spelling that compares.
    """
    ids = sorted(bodies, key=lambda at: kind_of(at) is not Kind.GROUP)
    spelled = [own_group(owner), *(group_of(bodies[at]["id"]) for at in ids)]
    return Names(subscription, next(one for one in spelled if key(one) == group), owner)


def find_deployments(
    run: Run,
    name: str | None = None,
    also: Iterable[ResourceId] = (),
    group: str | None = None,
) -> list[FoundDeployment]:
    """As `search`; an id that cannot be read is an error."""
    result = search_deployments(run, name, also, group)
    for err in result.unread.values():
        raise err
    return list(result.found)


def find_deployment(run: Run, name: str, group: str | None) -> FoundDeployment:
    """One deployment, in the group given or where it is: what its tags find of it there.

    The group may be named by tags, by this machine's journal, or be the deployment's own. A list
    may not show yet what was made lately, so the VM is looked for in both of the latter. In two
    groups: the user must say which.
    """
    if group is not None:
        names = Names(run.cloud.subscription, group, name)
        own = [names.vm, names.of(Kind.GROUP)]
        return _found_in_group(run, find_deployments(run, name, own, group), name, group)
    likely = _likely_groups(run, name)
    vms = [Names(run.cloud.subscription, one, name).vm for one in likely]
    found = find_deployments(run, name, vms)
    if len(found) > 1:
        raise UsageProblem(
            f"{name} exists in several resource groups: {', '.join(one.group for one in found)}",
            hint="choose one: `--resource-group G`",
        )
    return found[0] if found else _found_in_group(run, found, name, likely[0])


def _found_in_group(
    run: Run, found: list[FoundDeployment], name: str, group: str
) -> FoundDeployment:
    here = [one for one in found if key(one.group) == key(group)]
    return here[0] if here else FoundDeployment(Names(run.cloud.subscription, group, name), {})


def _likely_groups(run: Run, name: str) -> list[str]:
    """The group that this machine remembers, and the deployment's own."""
    try:
        journal = run.cloud.journals.peek(run.cloud.subscription, name)
    except StateUnusable:
        journal = None  # it only says where else to look
    groups = [journal.group] if journal is not None and journal.group else []
    return groups + [own for own in [own_group(name)] if key(own) not in map(key, groups)]


def find_names(run: Run, name: str, group: str | None) -> Names:
    """The names of one deployment: in the group given, or where it is found."""
    if group is not None:
        return Names(run.cloud.subscription, group, name)
    return find_deployment(run, name, None).names


@contextmanager
def opened_deployment(
    run: Run, name: str, group: str | None, *, whole: bool = False
) -> Iterator[FoundDeployment]:
    """One deployment; what fails from here on is told with what there is of it.

    `whole`: what its tags find is wanted too, and not only its names.
    """
    known = possible_ids(Names(run.cloud.subscription, group or own_group(name), name))
    with reporting_leftovers(run, lambda: known, name):
        named = group is not None and not whole
        found = (
            FoundDeployment(find_names(run, name, group), {})
            if named
            else find_deployment(run, name, group)
        )
        known |= possible_ids(found.names) | found.kinds
        yield found


def require_vm(run: Run, names: Names) -> Body:
    """The deployment's VM with its instance view; `NotFound` if there is none of ours."""
    get = partial(run.cloud.arm.get, Kind.VM, names.vm, view=True)
    body = send_alone(run, get, f"reading {names.vm}")
    if body is None or tag(body, DEPLOYMENT) != names.deployment:
        raise NotFound(
            f"there is no VM {names.deployment} in the resource group {names.group}",
            code="ResourceNotFound",
            hint="`ccgpu list` shows every deployment",
        )
    return body
