"""The VMs of the subscription for `list`, with their run-time status, in few requests.

Azure's list of VMs has pages of 50 (libcloud#1824, azure-powershell#3227), and so has the list of
their status, which must be read whole. Behind its first page the list of VMs is read from Azure
Resource Graph, which has 1,000 in an answer and lags behind: `domain/indexed_vms.py` says of which
VMs its rows hold. The others are read one by one; if they are more than the list has pages left, or
there is no answer, the list is read to its end. So at most one request is sent in vain for each
1,000 VMs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil

from ccgpu.azure.long_running import run_task, send_with_retry
from ccgpu.azure.run import Run
from ccgpu.domain.indexed_vms import join_index
from ccgpu.domain.resource import DEPLOYMENT, Body, ResourceId, key, tag
from ccgpu.domain.vm_view import with_instance_view
from ccgpu.errors import AzureRefused, Denied, TimedOut
from ccgpu.scheduling.scheduler import Task
from ccgpu.workflows.discovery.snapshot import Actual

LISTING_VMS = "listing VMs"
# Seconds for the answer of Resource Graph. After them the list of VMs is read instead.
_INDEX_LIMIT = 15.0


@dataclass(frozen=True, slots=True)
class VmModels:
    """What is known of the VMs but their status.

    listed: from Azure's list. next_link: where that list goes on; None if it was read to its end.
    index: the rows of Resource Graph, if it was not.
    """

    listed: tuple[Body, ...]
    next_link: str | None = None
    index: tuple[Body, ...] = ()


def read_models(run: Run) -> Task[VmModels]:
    """The first page of the list, and the index if there are more; none if they may not be listed.

    There is no second attempt at the index, since the list can take its place.
    """
    queries = run.cloud.queries
    try:
        first, link = yield from send_with_retry(run, queries.first_virtual_machines, LISTING_VMS)
    except Denied:
        return VmModels(())
    if link is None:
        return VmModels(first)
    limited = run.within(_INDEX_LIMIT)
    try:
        index = yield limited.call(queries.indexed_virtual_machines, "querying Resource Graph")
    except (AzureRefused, TimedOut):
        return VmModels((*first, *(yield from _read_rest(run, link))))
    return VmModels(first, link, index)


def _read_rest(run: Run, link: str) -> Task[tuple[Body, ...]]:
    rest = partial(run.cloud.queries.further_virtual_machines, link)
    try:
        vms: tuple[Body, ...] = yield from send_with_retry(run, rest, LISTING_VMS)
    except Denied:
        return ()
    return vms


def join_vms(
    run: Run, models: VmModels, statuses: Iterable[Body] | None, tagged: Mapping[ResourceId, Body]
) -> Actual:
    """The deployments' VMs by `key`, with instance view if `statuses` has it.

    A VM that must be read is an entry without tags.

    Args:
        run: The command under way.
        models: What `read_models` has found.
        statuses: The list of run-time status; None if it may not be read.
        tagged: The resources with the deployment tag, with all their tags, by `key`.
    """
    views = {key(one["id"]): one for one in statuses or ()}
    if models.next_link is None:
        return _ours(models.listed, views)
    first = {key(one["id"]) for one in models.listed}
    others = {at: one for at, one in views.items() if at not in first}
    now = run.server_clock.time()
    if statuses is not None and now is not None:
        held, unclear = join_index(models.index, others, tagged, now)
        if len(unclear) <= ceil(len(others) / max(1, len(first))):
            known = {key(one["id"]): one for one in (*held, *unclear)}
            return _ours(models.listed, views) | known
    rest = run_task(run, _read_rest(run, models.next_link))
    return _ours((*models.listed, *rest), views)


def _ours(listed: Iterable[Body], views: Mapping[ResourceId, Body]) -> Actual:
    vms = {key(one["id"]): one for one in listed if tag(one, DEPLOYMENT)}
    return {at: with_instance_view(vm, views.get(at)) for at, vm in vms.items()}
