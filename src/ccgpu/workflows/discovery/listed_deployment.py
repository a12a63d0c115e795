"""One deployment with a VM, from Azure's lists and a single read: that of the VM.

For a command that reads each resource itself before it writes it. The lists only say where the
deployment is, and what else may be read.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from ccgpu.azure.long_running import run_task, send_alone
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
from ccgpu.errors import Denied
from ccgpu.workflows.discovery.search import likely_groups, list_tagged_bodies
from ccgpu.workflows.discovery.snapshot import read_each_now


@dataclass(frozen=True, slots=True)
class ListedDeployment:
    """A deployment: its VM as it was just read, and the list entries of its resources by `key`.

    An entry without the deployment tag is in the list of what has the tag, which omits the tags.
    """

    names: Names
    vm: Body
    entries: Mapping[ResourceId, Body]

    @property
    def kinds(self) -> dict[ResourceId, Kind]:
        """The listed ids, and their kinds."""
        ids = (ResourceId(entry["id"]) for entry in self.entries.values())
        return {id_: kind for id_ in ids if (kind := kind_of(id_)) is not None}


def find_listed_deployment(run: Run, name: str, group: str | None) -> ListedDeployment | None:
    """The deployment; None if it has no VM, or if several groups may contain it.

    1. List what has the deployment's tag. It must be in one group, unless the user chose one.
    2. If that list omits the tags, list the whole group, which does not.
    3. Read the VM, last, so that it can be written without another read.
    """
    entries = run_task(run, list_tagged_bodies(run, name, group))
    listed = {key(entry["id"]): entry for entry in entries}
    at = group or _only_group(run, name, listed)
    if at is None:
        return None
    inside = {id_: entry for id_, entry in listed.items() if key(group_of(id_)) == key(at)}
    inside = _with_tags(run, name, at, inside)
    names = Names(run.cloud.subscription, at, name)
    read = partial(run.cloud.arm.get, Kind.VM, names.vm, view=True)
    vm = send_alone(run, read, f"reading {names.vm}")
    if vm is None or tag(vm, DEPLOYMENT) != name:
        return None
    if group is None and key(at) != key(own_group(name)):
        at = group_of(vm["id"])  # a list may change the case of a group
    return ListedDeployment(Names(run.cloud.subscription, at, name), vm, inside)


def _only_group(run: Run, name: str, listed: Mapping[ResourceId, Body]) -> str | None:
    """The group that contains the deployment; None if there is no group, or more than one.

    Lists may not show a new resource yet, so the VM is also read in the likely groups that the
    lists do not name. A failure to read one is ignored.
    """
    groups = {key(group_of(id_)): group_of(entry["id"]) for id_, entry in listed.items()}
    likely = {key(one): one for one in likely_groups(run, name)}
    groups = {at: likely.get(at, one) for at, one in groups.items()}
    vms = {
        Names(run.cloud.subscription, one, name).vm: Kind.VM
        for at, one in likely.items()
        if at not in groups
    }
    for at, body in run_task(run, read_each_now(run, vms))[0].items():
        if tag(body, DEPLOYMENT) == name:
            groups[key(group_of(at))] = likely[key(group_of(at))]
    return next(iter(groups.values())) if len(groups) == 1 else None


def _with_tags(
    run: Run, name: str, group: str, entries: Mapping[ResourceId, Body]
) -> dict[ResourceId, Body]:
    """The entries with their tags, from the group's own list if they lack them.

    If that list is denied, they stay without tags.
    """
    if all(tag(entry, DEPLOYMENT) == name for entry in entries.values()):
        return dict(entries)
    found: tuple[Body, ...] | None = ()
    with suppress(Denied):
        whole = partial(run.cloud.queries.bodies_inside, group)
        found = send_alone(run, whole, f"listing what is in {group}")
    ours = {key(one["id"]): one for one in found or () if tag(one, DEPLOYMENT) == name}
    return {**entries, **ours}
