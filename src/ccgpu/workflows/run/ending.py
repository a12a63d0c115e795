"""The end of a run that was told to delete its deployment: whatever happened, it is deleted."""

import re
from collections.abc import Callable
from dataclasses import replace

from ccgpu.azure.context import AzureContext
from ccgpu.domain.events import Event, Listener
from ccgpu.domain.run_outcome import RunOutcome
from ccgpu.domain.time_limits import THEN_DELETE
from ccgpu.errors import CcgpuError, Interrupted, LeftBehind
from ccgpu.workflows import delete as deletion

_GOES_ON = "interrupted: the deletion goes on; interrupt again to stop it"


def delete_after(
    cloud: AzureContext,
    outcome: RunOutcome,
    group: str | None,
    listen: Listener,
    go_on: Callable[[], None],
) -> RunOutcome:
    """Delete the deployment of a run; what is left is the outcome's problem, above any other.

    The first interrupt does not end it: whoever cancels a pipeline wants the VM to be gone. The
    second one does.

    go_on: lets the process live on after an interrupt.
    """
    for is_last in (False, True):
        go_on()
        try:
            deletion.delete(cloud, outcome.name, group, timeout=THEN_DELETE, listen=listen)
        except (Interrupted, KeyboardInterrupt) as err:
            if is_last:
                return replace(outcome, problem=_left_behind(_interrupted(err), outcome))
            listen(Event("note", 0.0, _GOES_ON))
        except CcgpuError as err:
            return replace(outcome, problem=_left_behind(err, outcome))
        else:
            break
    _forget_what_is_gone(outcome)
    return replace(outcome, deleted=True)


def _forget_what_is_gone(outcome: RunOutcome) -> None:
    """Take the deleted deployment out of the error of its run: nothing exists, or can be run."""
    problem, name = outcome.problem, outcome.name
    if problem is None:
        return
    problem.resources = ()
    if problem.hint and re.search(rf"`ccgpu [^`]* {re.escape(name)}(?= |`)", problem.hint):
        problem.hint = f"{name} is deleted, so only a new one can be looked into"


def _interrupted(err: BaseException) -> Interrupted:
    if isinstance(err, Interrupted):
        return err
    return Interrupted("interrupted: the deletion is not complete")


def _left_behind(err: CcgpuError, outcome: RunOutcome) -> CcgpuError:
    """The error of a delete that has failed, with what had gone wrong before it."""
    before = "" if outcome.problem is None else f"\nbefore that: {outcome.problem}"
    hint = err.hint or f"`ccgpu delete {outcome.name}` tries again"
    text = f"{err}{before}"
    if isinstance(err, Interrupted):
        return Interrupted(text, hint=hint, resources=err.resources)
    if isinstance(err, LeftBehind):
        return type(err)(text, hint=hint, resources=err.resources)
    return LeftBehind(f"{outcome.name} may still exist: {text}", hint=hint, resources=err.resources)
