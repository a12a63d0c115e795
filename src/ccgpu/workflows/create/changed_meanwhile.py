"""After a plan that failed: another client has changed what it is about, or it is rolled back."""

from collections.abc import Sequence

from ccgpu.azure.long_running import NOT_FOUND_CODES
from ccgpu.domain.plan import Plan
from ccgpu.errors import AlreadyExists, CcgpuError
from ccgpu.workflows.create.context import CreateRequest
from ccgpu.workflows.create.failure import rollback_and_raise
from ccgpu.workflows.create.planning import read_actual
from ccgpu.workflows.discovery.snapshot import Actual
from ccgpu.workflows.journal_writer import JournalWriter

_MAX_PLANS = 3  # plans for one region; a change by another client requires a new one


def changed_or_undone(
    request: CreateRequest,
    writer: JournalWriter,
    actual: Actual,
    applied: Sequence[Plan],
    err: CcgpuError,
) -> Actual:
    """The resources now, if another client's change is why the last plan failed.

    Args:
        request: What is created.
        writer: The journal of the run.
        actual: The resources that the last plan was made for.
        applied: The plans that were begun, each of which failed.
        err: The error of the last one.

    Raises:
        CcgpuError: It has failed for another reason, or too often; what the run made is rolled
            back.
    """
    run, keep = request.run, request.options.keep_on_failure
    changed = _read_if_changed(request, actual, err)
    if changed is None:
        rollback_and_raise(run, writer, err, applied[-1], keep=keep)
    if len(applied) == _MAX_PLANS:
        again = _changed_again(request.spec.name, err)
        rollback_and_raise(run, writer, again, applied[-1], keep=keep)
    run.tell("note", f"someone else has changed it in the meantime: {err}")
    return changed


def _changed_again(name: str, err: CcgpuError) -> CcgpuError:
    """The error of a create whose resources another client changes each time."""
    return AlreadyExists(
        f"{name} keeps being changed by someone else: {err}",
        code=err.code or "Changed",
        hint=f"`ccgpu create {name}` tries again, once nobody else changes it",
    )


def _read_if_changed(request: CreateRequest, actual: Actual, err: CcgpuError) -> Actual | None:
    """The resources now, if `err` is caused by another client's change; else None.

    It may have created a resource first, or deleted one: `gc` may have deleted a resource before
    the plan renewed its lease.
    """
    exists = isinstance(err, AlreadyExists)
    if not exists and (err.code not in NOT_FOUND_CODES or request.options.keep_on_failure):
        return None
    try:
        now = read_actual(request)
    except CcgpuError:  # what this run has made is undone, as after any other error
        return None
    return None if not exists and now.keys() >= actual.keys() else now
