"""Find deployments from Azure alone, on any machine: by our tags, and by the names ccgpu gives.

Azure's lists may lag behind: a listed resource may be gone, and an existing one may be missing. So
a list only provides ids to read; the tags in a resource's own GET decide who owns it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import run_task, send_alone, send_each, send_with_retry
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.removal import tag_missing
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
from ccgpu.scheduling.scheduler import Task
from ccgpu.workflows.discovery.leftovers import reporting_leftovers
from ccgpu.workflows.discovery.snapshot import Actual, Snapshot, possible_ids, read_each_now

_LISTS = "`ccgpu list` shows every deployment"


@dataclass(frozen=True, slots=True)
class FoundDeployment:
    """A deployment and the resources with its tag: GET bodies by `key`, a VM with instance view."""

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
        """The bodies that have been read, as a `Snapshot`."""
        return Snapshot(self.names, self.bodies)

    @property
    def vm(self) -> Body | None:
        """Its VM, if the search found it."""
        return self.bodies.get(key(self.names.vm))

    @property
    def kinds(self) -> dict[ResourceId, Kind]:
        """The ids that were found, and their kinds."""
        ids = (ResourceId(body["id"]) for body in self.bodies.values())
        return {id_: kind for id_ in ids if (kind := kind_of(id_)) is not None}


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The deployments that were found, and the error of each listed id that could not be read."""

    deployments: tuple[FoundDeployment, ...]
    unread: Mapping[ResourceId, CcgpuError]


def search_deployments(
    run: Run,
    name: str | None = None,
    also: Iterable[ResourceId] = (),
    group: str | None = None,
) -> Task[SearchResult]:
    """The deployments of the subscription, in order of name and group.

    Args:
        run: The command under way.
        name: Search only for deployments of this name.
        also: Ids to read even if no list contains them; a failure to read one is ignored.
        group: Search only this group, which needs no permissions elsewhere.
    """
    listed = {key(id_): id_ for id_ in (yield from list_tagged_ids(run, name, group))}
    ids = {key(id_): id_ for id_ in also} | listed
    kinds = {id_: kind for id_ in ids.values() if (kind := kind_of(id_)) is not None}
    bodies, failures = yield from read_each_now(run, kinds)
    tagged = {at: body for at, body in bodies.items() if name in (None, tag(body, DEPLOYMENT))}
    unread = {id_: err for id_, err in failures.items() if key(id_) in listed}
    return SearchResult(tuple(group_by_deployment(run, tagged)), unread)


def group_by_deployment(run: Run, bodies: Actual) -> list[FoundDeployment]:
    """The deployments that `bodies` are tagged with, in order of name and group."""
    deployments: dict[tuple[str, str], Actual] = {}
    for at, body in bodies.items():
        if owner := tag(body, DEPLOYMENT):
            deployments.setdefault((owner, group_of(at)), {})[at] = body
    names = partial(_names_of, run.cloud.subscription)
    return [
        FoundDeployment(names(owner, group, tagged), tagged)
        for (owner, group), tagged in sorted(deployments.items())
    ]


def list_tagged_ids(run: Run, name: str | None, group: str | None) -> Task[tuple[ResourceId, ...]]:
    """The ids of `list_tagged_bodies`."""
    return _ids_of((yield from list_tagged_bodies(run, name, group)))


def list_tagged_bodies(run: Run, name: str | None, group: str | None) -> Task[tuple[Body, ...]]:
    """What has the deployment tag in Azure's lists; with `name`, only what has it as the value.

    The entries of resources may lack their tags.

    With `group`, only that group is listed, because the caller may have permissions on it alone. If
    that is denied, the whole subscription is listed.
    """
    queries = run.cloud.queries
    if group is not None:
        with suppress(Denied):
            inside = partial(queries.tagged_resources, DEPLOYMENT, name, group)
            doing = f"listing deployments in {group}"
            return (yield from send_with_retry(run, inside, doing))
    return (yield from _list_with_tag(run, DEPLOYMENT, name))


def list_ids_with_tag(run: Run, tag_name: str, value: str | None) -> Task[tuple[ResourceId, ...]]:
    """The ids of all groups and resources with the tag, from Azure's two lists."""
    return _ids_of((yield from _list_with_tag(run, tag_name, value)))


def _list_with_tag(run: Run, tag_name: str, value: str | None) -> Task[tuple[Body, ...]]:
    queries = run.cloud.queries
    groups, resources = f"listing groups by {tag_name}", f"listing resources by {tag_name}"
    lists: dict[str, Callable[[], tuple[Body, ...]]] = {
        groups: partial(queries.tagged_groups, tag_name, value),
        resources: partial(queries.tagged_resources, tag_name, value),
    }
    answers = yield from send_each(run, lists)
    return (*answers[groups], *answers[resources])


def _ids_of(bodies: tuple[Body, ...]) -> tuple[ResourceId, ...]:
    return tuple(ResourceId(body["id"]) for body in bodies)


def _names_of(subscription: str, owner: str, group: str, bodies: Actual) -> Names:
    """The names of a deployment, with its group in its original spelling.

    `group` is case-folded, and Azure's lists change the case of a group. The default group name has
    ccgpu's spelling; any other has that of the group's own body, if it was read.
    """
    ids = sorted(bodies, key=lambda at: kind_of(at) is not Kind.GROUP)
    spellings = [own_group(owner), *(group_of(bodies[at]["id"]) for at in ids)]
    return Names(subscription, next(one for one in spellings if key(one) == group), owner)


def find_deployments(
    run: Run,
    name: str | None = None,
    also: Iterable[ResourceId] = (),
    group: str | None = None,
) -> Task[list[FoundDeployment]]:
    """As `search_deployments`; raises the first error of an id that cannot be read."""
    result = yield from search_deployments(run, name, also, group)
    for err in result.unread.values():
        raise err
    return list(result.deployments)


def find_deployment(run: Run, name: str, group: str | None) -> Task[FoundDeployment]:
    """One deployment, with the resources that carry its tag; empty if there are none.

    Without `group`, its group is found by the tags. Lists may not show a new resource yet, so the
    VM is also read in the group that this machine's journal names and in the default group.

    Raises:
        UsageProblem: The deployment exists in several groups, so the user must choose one.
    """
    if group is not None:
        names = Names(run.cloud.subscription, group, name)
        own = [names.vm, names.of(Kind.GROUP)]
        found = yield from find_deployments(run, name, own, group)
        return _deployment_in_group(run, found, name, group)
    likely = likely_groups(run, name)
    vms = [Names(run.cloud.subscription, one, name).vm for one in likely]
    found = yield from find_deployments(run, name, vms)
    if len(found) > 1:
        raise UsageProblem(
            f"{name} exists in several resource groups: {', '.join(one.group for one in found)}",
            hint="choose one: `--resource-group G`",
        )
    return found[0] if found else _deployment_in_group(run, found, name, likely[0])


def _deployment_in_group(
    run: Run, found: list[FoundDeployment], name: str, group: str
) -> FoundDeployment:
    here = [one for one in found if key(one.group) == key(group)]
    return here[0] if here else FoundDeployment(Names(run.cloud.subscription, group, name), {})


def likely_groups(run: Run, name: str) -> list[str]:
    """The group in this machine's journal, if there is one, and the default group."""
    try:
        journal = run.cloud.journals.peek(run.cloud.subscription, name)
    except StateUnusable:
        journal = None  # the journal only adds a group to search
    groups = [journal.group] if journal is not None and journal.group else []
    return groups + [own for own in [own_group(name)] if key(own) not in map(key, groups)]


def find_names(run: Run, name: str, group: str | None) -> Names:
    """The names of one deployment: in `group`, or in the group where it is found."""
    if group is not None:
        return Names(run.cloud.subscription, group, name)
    return run_task(run, find_deployment(run, name, None)).names


@contextmanager
def opened_deployment(run: Run, name: str, group: str | None) -> Iterator[FoundDeployment]:
    """Find one deployment, and add its leftovers to each error that leaves the block.

    If `group` determines its names, its resources are not searched.
    """
    known = possible_ids(Names(run.cloud.subscription, group or own_group(name), name))
    with reporting_leftovers(run, lambda: known, name):
        found = (
            run_task(run, find_deployment(run, name, None))
            if group is None
            else FoundDeployment(find_names(run, name, group), {})
        )
        known |= possible_ids(found.names) | found.kinds
        yield found


def require_vm(run: Run, names: Names) -> Body:
    """The deployment's VM with its instance view; raises `NotFound` if there is none."""
    get = partial(run.cloud.arm.get, Kind.VM, names.vm, view=True)
    body = send_alone(run, get, f"reading {names.vm}")
    if body is not None and tag(body, DEPLOYMENT) is None:
        raise tag_missing(names.vm, names.deployment)
    if body is None or tag(body, DEPLOYMENT) != names.deployment:
        where = f"there is no VM {names.deployment} in the resource group {names.group}"
        raise not_found(run.cloud, names.deployment, where)
    return body


def not_found(cloud: AzureContext, name: str, message: str | None = None) -> NotFound:
    """The error for a deployment that is not there; it names a similar one of this machine."""
    return NotFound(
        message or f"there is no deployment {name}",
        code="ResourceNotFound",
        hint=similar_hint(cloud, name) or _LISTS,
    )


def similar_hint(cloud: AzureContext, name: str) -> str | None:
    """The deployment of this machine that may be meant by `name`, which is none; None: no idea."""
    known = cloud.journals.names(cloud.subscription)
    similar = get_close_matches(name, [one for one in known if one != name], n=1)
    return f"did you mean {similar[0]}? {_LISTS}" if similar else None
