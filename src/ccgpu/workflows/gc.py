"""`ccgpu gc`: find what is over by its tags, in the whole subscription, and remove it.

A list only says where to look: each candidate is read again, live, before it is judged, and each of
its resources again before its DELETE. What changed in between is wanted by somebody: from then on
nothing of that deployment is touched.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.garbage import Collected
from ccgpu.domain.lease import Lease, LeaseStatus, assess_lease, lease_of
from ccgpu.domain.removal import Fate
from ccgpu.domain.resource import (
    Body,
    ResourceId,
    group_of,
    is_deployment_name,
    key,
    name_of,
    tags_of,
)
from ccgpu.errors import CcgpuError, Denied, Interrupted, LeftBehind, Leftover
from ccgpu.store.journals import JournalFile
from ccgpu.workflows.discovery.leftovers import (
    first_denied,
    is_billed,
    left_behind_error,
    report_leftovers,
)
from ccgpu.workflows.discovery.owned_resources import OwnedResources, read_owned_resources
from ccgpu.workflows.discovery.search import FoundDeployment, SearchResult, search_deployments
from ccgpu.workflows.journal_writer import JournalWriter
from ccgpu.workflows.removal import Removal, remove
from ccgpu.workflows.resource_groups import find_foreign_contents, find_orphaned_group

TIMEOUT = 3600.0

# A deployment's name, as the spec allows it: the tag is anybody's to write, and its value becomes
# part of ids and of a file's name.
_CHANGED = "it has changed since it was checked"
_BUSY = "another ccgpu on this machine is working on it"


@dataclass(frozen=True, slots=True)
class CollectOutcome:
    """All that was found, and (None if all went well) the error that says what is left."""

    found: tuple[Collected, ...]

    @property
    def failure(self) -> LeftBehind | Denied | None:
        """All that could not be removed, or not be looked at; else what right was missing."""
        missing = [one.denied for one in self.found if one.denied is not None]
        failed = [one for one in self.found if one.action == "failed"]
        if not failed:
            return first_denied(missing)
        count = f"{len(failed)} deployment{'s' if len(failed) != 1 else ''}"
        lines = [f"  {one.name} in {one.group}: {one.reason}" for one in failed]
        return left_behind_error(
            f"{count} could not be completely deleted:\n" + "\n".join(lines),
            missing,
            hint="`ccgpu gc --yes` tries again",
            resources=[left for one in failed for left in one.left],
        )


def collect(
    cloud: AzureContext, *, yes: bool, timeout: float = TIMEOUT, listen: Listener = ignore_event
) -> CollectOutcome:
    """Find what is over, and (`yes`) remove it; one that fails does not stop the others."""
    run = Run.begin(cloud, timeout, listen)
    try:
        return _collect_all(run, search_deployments(run), yes=yes)
    except KeyboardInterrupt as err:
        raise _interrupted_error(run, {}) from err


def _collect_all(run: Run, result: SearchResult, *, yes: bool) -> CollectOutcome:
    results = [_collect_one(run, found, yes=yes) for found in result.found]
    known = {key(found.group) for found in result.found}
    unread = [
        _unreadable_deployment(id_, err)
        for id_, err in result.unread.items()
        if key(group_of(id_)) not in known
    ]
    return CollectOutcome((*(one for one in results if one is not None), *unread))


def _unreadable_deployment(id_: ResourceId, err: CcgpuError) -> Collected:
    """What carries our tag and cannot be read: whose it is, nobody knows."""
    group, missing = group_of(id_), first_denied([err])
    return Collected(name_of(id_), group, None, Lease(), "failed", reason=str(err), denied=missing)


def _interrupted_error(run: Run, to_delete: Mapping[ResourceId, Kind]) -> Interrupted:
    """What was being removed, and is not known to be gone."""
    return Interrupted(
        "interrupted: not every expired deployment is deleted",
        hint="`ccgpu gc --yes` continues",
        resources=[
            Leftover(id_, "unknown", is_billed(kind, run.observed.get(key(id_))))
            for id_, kind in to_delete.items()
        ],
    )


def _collect_one(run: Run, found: FoundDeployment, *, yes: bool) -> Collected | None:
    """What is done about one deployment; None where nobody can think that it is over."""
    vm = found.vm
    lease = lease_of(found.bodies.values(), vm)
    at_first = Collected(found.name, found.group, None, lease, "skipped")
    if not is_deployment_name(found.name):
        return replace(at_first, reason="that is no name that ccgpu gives")
    if assess_lease(lease, vm, run.server_clock.now()) == LeaseStatus():
        return None
    if run.deadline.has_passed():
        return replace(at_first, reason="there is no time left for it")
    try:
        return _assess_live(run, found, yes=yes)
    except Interrupted:
        raise
    except CcgpuError as err:
        run.tell("failed", str(err))
        return replace(at_first, action="failed", reason=str(err), denied=first_denied([err]))


def _assess_live(run: Run, found: FoundDeployment, *, yes: bool) -> Collected | None:
    """Read it live, and judge that."""
    live = read_owned_resources(run, found.names, found.kinds)
    verdict = assess_lease(live.lease, live.vm, run.server_clock.now())
    if not live.bodies or verdict == LeaseStatus():
        return None
    result = Collected(found.name, found.group, verdict.why, live.lease, "skipped")
    if verdict.why is None:
        return replace(result, reason=verdict.skip_reason)
    live = _with_orphaned_group(run, live)
    stays = _why_the_group_stays(run, live)
    to_delete = {i: k for i, k in live.kinds.items() if k is not Kind.GROUP or stays is None}
    if not to_delete:
        return replace(result, reason=stays)
    result = replace(result, resources=tuple(sorted(to_delete)), reason=stays)
    return (
        _remove_deployment(run, live, to_delete, result)
        if yes
        else replace(result, action="would-remove")
    )


def _with_orphaned_group(run: Run, live: OwnedResources) -> OwnedResources:
    """With a group of ours that another deployment has left."""
    group = live.names.of(Kind.GROUP)
    left = run_task(run, find_orphaned_group(run, live.names))
    if not left:
        return live
    ownership = replace(live.ownership, orphaned=left)
    body: Body = {"id": group, "tags": dict(left[key(group)])}
    bodies = live.bodies | {key(group): body}
    return OwnedResources(live.names, {**live.kinds, group: Kind.GROUP}, bodies, ownership)


def _why_the_group_stays(run: Run, live: OwnedResources) -> str | None:
    """Somebody else's resources in a group of ours."""
    group = live.names.of(Kind.GROUP)
    if key(group) not in live.bodies:
        return None
    others = run_task(
        run, find_foreign_contents(run, group, live.names.deployment, mine=live.bodies.keys())
    )
    return f"the group stays, {others.reason}" if others.reason else None


class _Busy(Exception):
    """The deployment's journal is locked."""


@contextmanager
def _locked_journal(run: Run, name: str) -> Iterator[JournalFile]:
    def busy() -> None:
        raise _Busy

    with run.cloud.journals.locked(run.cloud.subscription, name, busy) as file:
        yield file


def _remove_deployment(
    run: Run, live: OwnedResources, to_delete: dict[ResourceId, Kind], result: Collected
) -> Collected:
    assessed = {at: tags_of(body) for at, body in live.bodies.items()}
    ownership = replace(live.ownership, assessed=assessed)
    run.tell("note", f"{result.name} in {result.group} is {result.why}: deleting it")
    left = dict(to_delete)
    try:
        with _locked_journal(run, result.name) as file:
            removal = remove(run, live.kinds, ownership, _gone_handler(file, left))
    except KeyboardInterrupt as err:
        raise _interrupted_error(run, left) from err
    except _Busy:
        return replace(result, resources=(), reason=_BUSY)
    return _collected_result(run, removal, to_delete, result)


def _gone_handler(file: JournalFile, left: dict[ResourceId, Kind]) -> Callable[[ResourceId], None]:
    """What to do with each id that is gone: take it out of `left`, and of this machine's journal.

    The journal is not needed: whoever wants to create again next finds it as it should be.
    """
    journal = file.read()
    writer = JournalWriter(file, journal) if journal is not None else None

    def gone(id_: ResourceId) -> None:
        left.pop(id_, None)
        if writer is None:
            return
        writer.gone(id_)
        if not writer.journal.records:
            writer.forget()

    return gone


def _collected_result(
    run: Run, removal: Removal, to_delete: dict[ResourceId, Kind], result: Collected
) -> Collected:
    missing = first_denied(removal.errors)
    result = replace(result, resources=tuple(sorted(removal.ids(Fate.GONE))), denied=missing)
    if removal.ids(Fate.CHANGED):
        return replace(result, reason=_CHANGED)
    left = report_leftovers(run, to_delete | removal.left, result.name) if removal.errors else ()
    kept = {key(id_) for id_, _ in removal.kept}
    if any(key(one.id) not in kept for one in left):
        return replace(result, action="failed", reason=str(removal.errors[0]), left=left)
    reasons = [f"the group stays, {why}" for _, why in removal.kept]
    return replace(result, action="removed", reason=next(iter(reasons), result.reason))
