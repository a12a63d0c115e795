"""`ccgpu delete`: delete every resource of deployments, each until a GET answers 404.

The ids come from the journal, from the names that ccgpu gives, and from the tags; so it works on a
machine without a journal, too. A second delete finds nothing to delete, and succeeds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from ccgpu.azure.context import AzureContext
from ccgpu.azure.run import Run
from ccgpu.domain import time_limits
from ccgpu.domain.advice import FailedPart, own_hint, sum_up
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.resource import ResourceId
from ccgpu.errors import CcgpuError, Denied, Interrupted, LeftBehind, RemovalDenied
from ccgpu.workflows.deletion import STANDINGS, DeleteOutcome, Deletion, not_deleted
from ccgpu.workflows.journal_lock import lock_journal, warn_not_recorded

TIMEOUT = time_limits.DELETE

# Gets the ids that would be deleted; raises an error to refuse.
Approve = Callable[[list[ResourceId]], None]


@dataclass(frozen=True, slots=True)
class DeleteOutcomes:
    """The deployments that are deleted, and the error for those that are not."""

    done: tuple[DeleteOutcome, ...]
    failure: CcgpuError | None = None


def delete(
    cloud: AzureContext,
    name: str,
    group: str | None = None,
    *,
    timeout: float = TIMEOUT,
    listen: Listener = ignore_event,
    approve: Approve = lambda _: None,
) -> DeleteOutcome:
    """Delete one deployment.

    Raises:
        LeftBehind: Some of its resources exist or may exist; the error lists them.
        Denied: All is deleted, although a permission was missing.
    """
    done = delete_each(cloud, [name], group, timeout=timeout, listen=listen, approve=approve)
    if done.failure is not None:
        raise done.failure
    return done.done[0]


def delete_each(
    cloud: AzureContext,
    names: Sequence[str],
    group: str | None = None,
    *,
    timeout: float = TIMEOUT,
    listen: Listener = ignore_event,
    approve: Approve = lambda _: None,
) -> DeleteOutcomes:
    """Delete the deployments, concurrently; one that cannot be deleted does not stop the others.

    1. Lock their journals, in the order of the names.
    2. Find what is to be deleted.
    3. Ask for approval, once.
    4. Delete.

    The failure is `LeftBehind`, with the leftovers, if some resources exist or may exist. It is
    `Denied` if all is deleted, although a permission was missing. It is `Interrupted` after Ctrl-C,
    with what is known of each deployment.

    Raises:
        CcgpuError: One of the deployments cannot be read. Nothing has been deleted.
    """
    run = Run.begin(cloud, timeout, listen)
    works = [Deletion(run, name, group) for name in sorted(set(names))]
    try:
        return _delete_together(run, works, approve)
    except KeyboardInterrupt:
        outcomes = (work.outcome for work in works)
        done = tuple(one for one in outcomes if isinstance(one, DeleteOutcome))
        return DeleteOutcomes(done, _interrupted_error(works))


def _delete_together(run: Run, works: Sequence[Deletion], approve: Approve) -> DeleteOutcomes:
    """The four steps of `delete_each`."""
    scheduler = run.cloud.scheduler
    with ExitStack() as locks:
        for work in works:
            with work.reporting():
                warn = warn_not_recorded(run, work.name)
                work.open(locks.enter_context(lock_journal(run, work.name, unwritable=warn)))
        for work, err in zip(works, scheduler.gather(one.prepare() for one in works), strict=True):
            if err is not None:
                raise work.with_leftovers(err)
        present = sorted(id_ for work in works for id_ in work.present)
        if present:
            approve(present)
        results = scheduler.gather(work.remove() for work in works)
        failed = {
            work: work.with_leftovers(result)
            for work, result in zip(works, results, strict=True)
            if isinstance(result, CcgpuError)
        }
    done = tuple(one for one in results if isinstance(one, DeleteOutcome))
    return DeleteOutcomes(done, _failure_of(failed))


def _interrupted_error(works: Sequence[Deletion]) -> Interrupted:
    """The error after Ctrl-C: which deployments are deleted, perhaps not, or not begun."""
    told = []
    for standing, words in STANDINGS.items():
        if some := [work for work in works if work.standing == standing]:
            verb = "is" if len(some) == 1 else "are"
            told.append(words.format(f"{_listed(some, ', ')} {verb}"))
    left = [work for work in works if work.standing != "deleted"]
    return Interrupted(
        f"interrupted: {'; '.join(told)}",
        hint=f"`ccgpu delete {_listed(left)}` continues" if left else None,
        resources=[one for work in left for one in work.recall()],
    )


def _failure_of(failed: Mapping[Deletion, CcgpuError]) -> CcgpuError | None:
    """One error for all deployments that could not be deleted, or not without a refusal."""
    left = {work: err for work, err in failed.items() if not isinstance(err, Denied)}
    if len(failed) < 2 or not left:
        return next(iter(failed.values()), None)
    count = "1 deployment is" if len(left) == 1 else f"{len(left)} deployments are"
    causes = []
    for work, err in failed.items():
        told = str(err).removeprefix(f"{not_deleted(work.name)}: ")
        if work in left:
            causes.append(FailedPart(work.name, told, own_hint(_cause_of(err))))
        else:
            causes.append(FailedPart(f"{work.name} is deleted, but", told))
    lines, hint = sum_up(causes, f"`ccgpu delete {_listed(left)}` tries again")
    # One that is left for another reason than a missing permission outranks those.
    denied = all(isinstance(err, RemovalDenied) for err in left.values())
    return (RemovalDenied if denied else LeftBehind)(
        "\n".join([f"{count} not completely deleted:", *lines]),
        hint=hint,
        resources=[one for err in left.values() for one in err.resources],
    )


def _cause_of(err: CcgpuError) -> CcgpuError:
    """What `err` says that it was left behind by; else itself."""
    cause = err.__cause__
    return cause if isinstance(err, LeftBehind) and isinstance(cause, CcgpuError) else err


def _listed(works: Iterable[Deletion], separator: str = " ") -> str:
    return separator.join(work.name for work in works)
