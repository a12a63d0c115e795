"""The deployments of the subscription, from Azure's lists and as few further reads as possible.

The lists contain the groups and the resources with the deployment tag, and the VMs. If the list of
what has the tag omits the tags, the subscription's whole list is read too, which has them. A list
may lag behind. So `list` gives a resource a GET of its own if

- its deployment's VM is in no list, or part of its deployment is being deleted;
- its list entry has no tags, or shows that it is being deleted;
- it is a VM, and no list entry contains the status of its VM agent, or nothing but an index that
  lags behind describes it (`listed_vms.py`).

What may be deleted is found in the live lists alone.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ccgpu.azure.long_running import (
    run_each,
    run_task,
    send_alone,
    send_together,
    send_with_retry,
)
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import DEPLOYMENT, Body, ResourceId, key, kind_of, state_of, tag, tags_of
from ccgpu.domain.vm_view import tells_agent
from ccgpu.errors import Denied
from ccgpu.scheduling.scheduler import Task
from ccgpu.workflows.discovery.listed_vms import LISTING_VMS, join_vms, read_models
from ccgpu.workflows.discovery.search import FoundDeployment, SearchResult, group_by_deployment
from ccgpu.workflows.discovery.snapshot import Actual, read_each_now, read_now

Listing = Callable[[], Any]  # returns bodies; None if they may not be listed
_GROUPS, _RESOURCES = "listing the groups of deployments", "listing deployments"
_STATUSES = "listing the status of VMs"


def list_all_deployments(run: Run) -> list[FoundDeployment]:
    """Every deployment, in order of name and group; its VM with instance view.

    1. Read the lists.
    2. Read each resource whose list entry is incomplete; drop those that are gone.
    3. Read all of a deployment that has no VM or is being deleted: the lists may be outdated.
    """
    listed = _list_with_status(run)
    read = _read_resources(run, [body for body in listed.values() if not _is_complete(body)])
    bodies = {
        at: read.get(at, body) for at, body in listed.items() if at in read or _is_complete(body)
    }
    deployments = group_by_deployment(run, bodies)
    doubtful = [one for one in deployments if one.vm is None or _is_being_deleted(one)]
    if not doubtful:
        return deployments
    unread = {at: body for one in doubtful for at, body in one.bodies.items() if at not in read}
    read |= _read_resources(run, unread.values(), [one.names.vm for one in doubtful])
    certain = {at: body for at, body in bodies.items() if at not in unread}
    return group_by_deployment(run, certain | read)


def list_candidates(run: Run) -> SearchResult:
    """Every deployment by its list entries, which may be outdated; a VM without instance view.

    A resource is read only if no list entry of it has tags.
    """
    listed = _list_without_status(run)
    tagless = [body for body in listed.values() if tag(body, DEPLOYMENT) is None]
    kinds = {id_: kind for id_ in _ids_of(tagless) if (kind := kind_of(id_)) is not None}
    read, unread = run_task(run, read_each_now(run, kinds))
    return SearchResult(tuple(group_by_deployment(run, listed | read)), unread)


def _list_with_status(run: Run) -> Actual:
    """The list entries of groups, resources and VMs by `key`; each VM with its instance view."""
    status = partial(run.cloud.queries.virtual_machines, status_only=True)
    views = partial(_unless_denied, status)
    tasks: dict[str, Task[Any]] = {
        doing: send_with_retry(run, request, doing)
        for doing, request in (_tagged_lists(run) | {_STATUSES: views}).items()
    }
    answers = run_task(run, run_each(tasks | {LISTING_VMS: read_models(run)}))
    tagged = _with_tags(run, {key(one["id"]): one for one in answers[_RESOURCES]})
    vms = join_vms(run, answers[LISTING_VMS], answers[_STATUSES], tagged)
    return {key(one["id"]): one for one in answers[_GROUPS]} | tagged | vms


def _list_without_status(run: Run) -> Actual:
    """The list entries of groups, resources and VMs by `key`; no VMs if they may not be listed."""
    models = partial(_unless_denied, run.cloud.queries.virtual_machines)
    answers = send_together(run, _tagged_lists(run) | {LISTING_VMS: models})
    tagged = _with_tags(run, {key(one["id"]): one for one in answers[_RESOURCES]})
    ours = {key(vm["id"]): vm for vm in answers[LISTING_VMS] or () if tag(vm, DEPLOYMENT)}
    return {key(one["id"]): one for one in answers[_GROUPS]} | tagged | ours


def _tagged_lists(run: Run) -> dict[str, Listing]:
    queries = run.cloud.queries
    return {
        _GROUPS: partial(queries.tagged_groups, DEPLOYMENT),
        _RESOURCES: partial(queries.tagged_resources, DEPLOYMENT),
    }


def _with_tags(run: Run, tagged: Actual) -> Actual:
    """The list entries, with their tags from the whole list if they lack them."""
    if all(tag(body, DEPLOYMENT) is not None for body in tagged.values()):
        return tagged
    whole = send_alone(run, run.cloud.queries.all_resources, "listing all resources")
    tags = {key(one["id"]): tags_of(one) for one in whole}
    return {
        at: {**body, "tags": {**tags.get(at, {}), **tags_of(body)}} for at, body in tagged.items()
    }


def _unless_denied(request: Callable[[], tuple[Body, ...]]) -> tuple[Body, ...] | None:
    """The list; None if it may not be read."""
    try:
        return request()
    except Denied:
        return None


def _is_being_deleted(deployment: FoundDeployment) -> bool:
    """Whether a resource of the deployment, its group for example, is being deleted."""
    return any(state_of(body) == "Deleting" for body in deployment.bodies.values())


def _is_complete(listed: Body) -> bool:
    """Whether a list entry suffices: it has our tag and, if it is a VM, its agent's status.

    An entry that is being deleted does not suffice: the resource may be gone.
    """
    if tag(listed, DEPLOYMENT) is None or state_of(listed) == "Deleting":
        return False
    return kind_of(listed["id"]) is not Kind.VM or tells_agent(listed)


def _read_resources(run: Run, listed: Iterable[Body], more: Iterable[ResourceId] = ()) -> Actual:
    """The bodies of the `listed` resources and of the ids in `more`, as a GET returns them now."""
    ids = [*_ids_of(listed), *more]
    kinds = {id_: kind for id_ in ids if (kind := kind_of(id_)) is not None}
    return run_task(run, read_now(run, kinds))


def _ids_of(listed: Iterable[Body]) -> list[ResourceId]:
    return [ResourceId(body["id"]) for body in listed]
