"""`ccgpu gc`: find expired and orphaned deployments in the subscription, and delete them.

Azure's lists only provide candidates: a deployment whose lease is running by them is left alone.
Each candidate is read before its lease is assessed, and each of its resources again before its
DELETE. If a resource has changed in between, the deployment is in use, and nothing more of it is
deleted. Deployments are deleted concurrently, and after them what is left of unpublished images.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain import time_limits
from ccgpu.domain.advice import FailedPart, own_hint, sum_up
from ccgpu.domain.catalog import Kind
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.garbage import Collected
from ccgpu.domain.lease import Lease, LeaseStatus, assess_lease, lease_of
from ccgpu.domain.removal import Fate, tag_missing
from ccgpu.domain.resource import (
    ResourceId,
    group_of,
    is_deployment_name,
    key,
    name_of,
    tags_of,
)
from ccgpu.errors import CcgpuError, Interrupted, Leftover
from ccgpu.scheduling.scheduler import Task, together
from ccgpu.workflows.collect_images import collect_images
from ccgpu.workflows.discovery.leftovers import (
    find_leftovers,
    first_denied,
    is_billed,
    left_behind_error,
)
from ccgpu.workflows.discovery.listing import list_candidates
from ccgpu.workflows.discovery.owned_resources import (
    OwnedResources,
    read_owned_resources,
    with_orphaned_group,
)
from ccgpu.workflows.discovery.search import FoundDeployment, SearchResult
from ccgpu.workflows.gc_journal import (
    JournalLocked,
    gone_handler,
    locked_journal,
    open_journal,
)
from ccgpu.workflows.removal import Removal, remove
from ccgpu.workflows.resource_groups import find_foreign_contents

TIMEOUT = time_limits.GC
# Deployments that are read or deleted at the same time. Each has its journal file open.
_AT_ONCE = 50

_CHANGED = "it has changed since it was checked"
_BUSY = "another ccgpu on this machine is working on it"


@dataclass(frozen=True, slots=True)
class CollectOutcome:
    """What `gc` found and did, one `Collected` for each deployment.

    unlisted: why it is not known what is left of unpublished images, or None.
    interrupted: the error after Ctrl-C; what was found until then is all that is known.
    """

    found: tuple[Collected, ...]
    unlisted: CcgpuError | None = None
    interrupted: Interrupted | None = None

    @property
    def failure(self) -> CcgpuError | None:
        """The error of the command, or None.

        `LeftBehind` names the deployments that could not be read or completely deleted. Any other
        error: these are deleted, but images could not be looked for, or a permission was missing.
        """
        if self.interrupted is not None:
            return self.interrupted
        missing = [one.denied for one in self.found if one.denied is not None]
        failed = [one for one in self.found if one.action == "failed"]
        if not failed:
            return self.unlisted or first_denied(missing)
        count = f"{len(failed)} deployment{'s' if len(failed) != 1 else ''}"
        causes = [
            FailedPart(f"{one.name} in {one.group}", str(one.reason), one.hint) for one in failed
        ]
        if self.unlisted is not None:
            causes.append(FailedPart("images", str(self.unlisted), own_hint(self.unlisted)))
        lines, hint = sum_up(causes, "`ccgpu gc --yes` tries again")
        # One that is left for another reason than a missing permission outranks those.
        denied = [one.denied for one in failed if one.denied is not None]
        return left_behind_error(
            f"{count} could not be completely deleted:\n" + "\n".join(lines),
            denied if len(denied) == len(failed) else (),
            hint=hint,
            resources=[left for one in failed for left in one.left],
        )


def collect(
    cloud: AzureContext, *, yes: bool, timeout: float = TIMEOUT, listen: Listener = ignore_event
) -> CollectOutcome:
    """Find expired and orphaned deployments; with `yes`, delete them.

    A deployment that cannot be deleted does not stop the others.
    """
    run = Run.begin(cloud, timeout, listen)
    work = _Collection(run, yes=yes)
    try:
        return work.carry_out(list_candidates(run))
    except KeyboardInterrupt:
        return CollectOutcome(tuple(work.found), interrupted=_interrupted_error(run, work))


def _unreadable_deployment(id_: ResourceId, err: CcgpuError) -> Collected:
    """The result for a listed resource that cannot be read, so its deployment is not known."""
    unread = Collected(name_of(id_), group_of(id_), None, Lease(), "failed")
    return unread.failed(err)


def _interrupted_error(run: Run, work: "_Collection") -> Interrupted:
    """The error after Ctrl-C, with the resources that were to be deleted and may still exist."""
    names = ", ".join(sorted(work.under_way))
    verb = "is" if len(work.under_way) == 1 else "are"
    told = f"{names} {verb} perhaps not completely deleted; " if names else ""
    return Interrupted(
        f"interrupted: {told}not every deployment was looked at",
        hint="`ccgpu gc --yes` continues" if work.deletes else "`ccgpu gc` looks again",
        resources=[
            Leftover(id_, "unknown", is_billed(kind, run.observed.get(key(id_))))
            for id_, kind in work.to_delete.items()
        ],
    )


class _Collection:
    """One garbage collection under way.

    If it ends now, `to_delete` may still exist, and `found` are the deployments that are done with.
    """

    def __init__(self, run: Run, *, yes: bool) -> None:
        self._run = run
        self.deletes = yes
        self.to_delete: dict[ResourceId, Kind] = {}
        self.found: list[Collected] = []
        self.under_way: set[str] = set()

    def carry_out(self, listed: SearchResult) -> CollectOutcome:
        """Assess, and delete, every deployment of the lists whose lease is not running."""
        run = self._run
        same_name = groupby(listed.deployments, key=lambda one: one.name)
        tasks = [self._collect_in_turn(list(deployments)) for _, deployments in same_name]
        results = run_task(run, together(tasks, _AT_ONCE))
        known = {key(deployment.group) for deployment in listed.deployments}
        unread = [
            _unreadable_deployment(id_, err)
            for id_, err in listed.unread.items()
            if key(group_of(id_)) not in known
        ]
        found = (*(one for some in results for one in some), *unread)
        try:
            images = run_task(run, collect_images(run, self.to_delete, yes=self.deletes))
        except CcgpuError as err:  # it must not hide what has become of the deployments
            return CollectOutcome(found, unlisted=err)
        return CollectOutcome((*found, *images))

    def _collect_and_note(self, deployment: FoundDeployment) -> Task[Collected | None]:
        """As `_collect_one`; the result is known even if the others do not end."""
        collected = yield from self._collect_one(deployment)
        self.under_way.discard(deployment.name)
        if collected is not None:
            self.found.append(collected)
        return collected

    def _collect_in_turn(self, deployments: Sequence[FoundDeployment]) -> Task[list[Collected]]:
        """Assess and delete the deployments of one name, which have one journal to lock."""
        results = yield from together(map(self._collect_and_note, deployments), at_once=1)
        return [one for one in results if one is not None]

    def _collect_one(self, deployment: FoundDeployment) -> Task[Collected | None]:
        """Assess one deployment, and delete it if it is over; None if its lease is running.

        The lease is first assessed by the lists, then by reads.
        """
        # The tag may have been written by anybody, and the name becomes part of ids and file names.
        run, vm = self._run, deployment.vm
        lease = lease_of(deployment.bodies.values(), vm)
        skipped = Collected(deployment.name, deployment.group, None, lease, "skipped")
        if not is_deployment_name(deployment.name):
            return replace(skipped, reason="that is no name that ccgpu gives")
        if assess_lease(lease, vm, run.server_clock.now()) == LeaseStatus():
            return None
        if not run.deadline.has_time():
            return replace(skipped, reason="there is no time left for it")
        try:
            return (yield from self._assess_and_collect(deployment))
        except CcgpuError as err:
            run.tell("failed", str(err))
            return skipped.failed(err)

    def _assess_and_collect(self, deployment: FoundDeployment) -> Task[Collected | None]:
        """Read the deployment and assess its lease; if it is over, delete it or report it."""
        run = self._run
        live = yield from read_owned_resources(run, deployment.names, deployment.kinds)
        status = assess_lease(live.lease, live.vm, run.server_clock.now())
        if not live.bodies or status == LeaseStatus():
            return None
        result = Collected(deployment.name, deployment.group, status.why, live.lease, "skipped")
        if status.why is None:
            return replace(result, reason=status.skip_reason)
        if live.untagged_vm is not None:
            return (yield from self._report_untagged(live, live.untagged_vm, result))
        live = yield from with_orphaned_group(run, live)
        kept = yield from _why_group_is_kept(run, live)
        to_delete = {i: k for i, k in live.kinds.items() if k is not Kind.GROUP or kept is None}
        if not to_delete:
            return replace(result, reason=kept)
        result = replace(result, resources=tuple(sorted(to_delete)), reason=kept)
        if not self.deletes:
            return replace(result, action="would-remove")
        return (yield from self._remove_deployment(live, to_delete, result))

    def _report_untagged(
        self, live: OwnedResources, vm: ResourceId, result: Collected
    ) -> Task[Collected]:
        """The result if a VM that has lost its tag uses the deployment."""
        missing = tag_missing(vm, result.name)
        if not self.deletes:
            return replace(result, reason=str(missing))
        left = yield from find_leftovers(self._run, {vm: Kind.VM, **live.kinds}, result.name)
        return replace(result.failed(missing), left=left)

    def _remove_deployment(
        self, live: OwnedResources, to_delete: dict[ResourceId, Kind], result: Collected
    ) -> Task[Collected]:
        """Delete the deployment with its journal locked; skip it if another process has it."""
        run = self._run
        assessed = {at: tags_of(body) for at, body in live.bodies.items()}
        ownership = replace(live.ownership, assessed=assessed)
        run.tell("note", f"{result.name} in {result.group} is {result.why}: deleting it")
        self.to_delete |= to_delete
        self.under_way.add(result.name)
        try:
            with locked_journal(run, result.name) as file:
                vm = live.names.vm if live.vm is not None else None
                journal = open_journal(run, result, file, vm)
                on_gone = gone_handler(journal, self.to_delete)
                removal = yield from remove(run, live.kinds, ownership, on_gone)
        except JournalLocked:
            return replace(result, resources=(), reason=_BUSY)
        collected = yield from _collected_result(run, removal, to_delete, result)
        left = {key(one.id) for one in collected.left}
        for id_ in to_delete:
            if key(id_) not in left:
                self.to_delete.pop(id_, None)
        return collected


def _why_group_is_kept(run: Run, live: OwnedResources) -> Task[str | None]:
    """The resources of others in the deployment's group, in words; None if there are none."""
    group = live.names.of(Kind.GROUP)
    if key(group) not in live.bodies:
        return None
    name = live.names.deployment
    others = yield from find_foreign_contents(run, group, name, own_ids=live.bodies.keys())
    return f"the group stays, {others.reason}" if others.reason else None


def _collected_result(
    run: Run, removal: Removal, to_delete: dict[ResourceId, Kind], result: Collected
) -> Task[Collected]:
    """`result`, completed by what a removal has done."""
    missing = first_denied(removal.errors)
    result = replace(result, resources=tuple(sorted(removal.ids(Fate.GONE))), denied=missing)
    if removal.ids(Fate.CHANGED):
        return replace(result, reason=_CHANGED)
    left: tuple[Leftover, ...] = ()
    if removal.errors:
        left = yield from find_leftovers(run, to_delete | removal.left, result.name)
    kept = {key(id_) for id_, _ in removal.kept}
    if any(key(one.id) not in kept for one in left):
        return replace(result.failed(removal.errors[0]), denied=missing, left=left)
    reasons = [f"the group stays, {why}" for _, why in removal.kept]
    return replace(result, action="removed", reason=next(iter(reasons), result.reason))
