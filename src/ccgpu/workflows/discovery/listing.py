"""Every deployment of the subscription, from four lists and as few further reads as possible.

The lists contain the groups and the resources with the deployment tag, the VMs, and the run-time
status of the VMs. A list may lag behind. So a resource gets a GET of its own if

- its deployment's VM is in no list, or part of its deployment is being deleted;
- its list entry has no tags, or shows that it is being deleted;
- it is a VM, and its list entry does not contain the status of the VM agent.
"""

from collections.abc import Callable, Iterable
from functools import partial

from ccgpu.azure.long_running import send_together
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import DEPLOYMENT, Body, ResourceId, key, kind_of, state_of, tag
from ccgpu.domain.vm_view import tells_agent, with_instance_view
from ccgpu.errors import Denied
from ccgpu.workflows.discovery.search import FoundDeployment, group_by_deployment
from ccgpu.workflows.discovery.snapshot import Actual, read_now


def list_all_deployments(run: Run) -> list[FoundDeployment]:
    """Every deployment, in order of name and group; its VM with instance view.

    1. Read the lists.
    2. Read each resource whose list entry is incomplete; drop those that are gone.
    3. Read all of a deployment that has no VM or is being deleted: the lists may be outdated.
    """
    groups, resources, models, statuses = _read_lists(run)
    listed = {key(body["id"]): body for body in (*groups, *resources)}
    listed |= {at: vm for at, vm in _with_statuses(models, statuses).items() if tag(vm, DEPLOYMENT)}
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


def _read_lists(run: Run) -> list[tuple[Body, ...]]:
    """Groups, resources, VMs, and their status; no VMs if the caller may not list them."""
    queries = run.cloud.queries
    status = partial(queries.virtual_machines, status_only=True)
    lists: dict[str, Callable[[], tuple[Body, ...]]] = {
        "listing the groups of deployments": partial(queries.tagged_groups, DEPLOYMENT),
        "listing deployments": partial(queries.tagged_resources, DEPLOYMENT),
        "listing VMs": partial(_unless_denied, queries.virtual_machines),
        "listing the status of VMs": partial(_unless_denied, status),
    }
    answers = send_together(run, lists)
    return [answers[doing] for doing in lists]


def _unless_denied(request: Callable[[], tuple[Body, ...]]) -> tuple[Body, ...]:
    try:
        return request()
    except Denied:
        return ()


def _with_statuses(models: Iterable[Body], statuses: Iterable[Body]) -> Actual:
    """The VMs by `key`, each with its instance view if `statuses` contains it."""
    views = {key(one["id"]): one for one in statuses}
    return {key(vm["id"]): with_instance_view(vm, views.get(key(vm["id"]))) for vm in models}


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
    ids = [*(ResourceId(body["id"]) for body in listed), *more]
    return read_now(run, {id_: kind for id_ in ids if (kind := kind_of(id_)) is not None})
