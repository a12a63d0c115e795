"""Every deployment of the subscription, from four lists and the reads that these leave open.

The lists: groups and resources with our tag, VMs, and the run-time status of VMs. A list may lag
behind, so a deployment whose VM is in no list is read resource by resource. So is a resource whose
tags a list leaves out, what is being deleted, and a VM of which no status tells what its agent has
reported.
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
    """Every deployment, in order of name and group; its VM with instance view."""
    groups, resources, models, statuses = _read_lists(run)
    told = {key(body["id"]): body for body in (*groups, *resources)}
    told |= {at: vm for at, vm in _join(models, statuses).items() if tag(vm, DEPLOYMENT)}
    open_ = [body for body in told.values() if not _is_whole(body)]
    read = _read(run, open_)
    bodies = {at: read.get(at, body) for at, body in told.items() if at in read or _is_whole(body)}
    found = group_by_deployment(run, bodies)
    doubtful = [one for one in found if one.vm is None or _is_going(one)]
    if not doubtful:
        return found
    unsure = {at: body for one in doubtful for at, body in one.bodies.items() if at not in read}
    there = read | _read(run, unsure.values(), [one.names.vm for one in doubtful])
    sure = {at: body for at, body in bodies.items() if at not in unsure}
    return group_by_deployment(run, sure | there)


def _read_lists(run: Run) -> list[tuple[Body, ...]]:
    """Groups, resources, VMs, and their status; who may not list VMs gets none."""
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


def _join(models: Iterable[Body], statuses: Iterable[Body]) -> Actual:
    """The VMs by `key`, each with its instance view where there is a status of it."""
    views = {key(one["id"]): one for one in statuses}
    return {key(vm["id"]): with_instance_view(vm, views.get(key(vm["id"]))) for vm in models}


def _is_going(found: FoundDeployment) -> bool:
    """Whether its group is being deleted, with all that is in it."""
    return any(state_of(body) == "Deleting" for body in found.bodies.values())


def _is_whole(listed: Body) -> bool:
    """Whether a list tells of it all that is shown: whose it is, and the state of a VM.

    What is being deleted, as a list has it, may be gone.
    """
    if tag(listed, DEPLOYMENT) is None or state_of(listed) == "Deleting":
        return False
    return kind_of(listed["id"]) is not Kind.VM or tells_agent(listed)


def _read(run: Run, listed: Iterable[Body], more: Iterable[ResourceId] = ()) -> Actual:
    """Each as it is now."""
    ids = [*(ResourceId(body["id"]) for body in listed), *more]
    return read_now(run, {id_: kind for id_ in ids if (kind := kind_of(id_)) is not None})
