"""The end of a run that was told to delete its deployment: whatever happened, it is deleted."""

from dataclasses import replace

from ccgpu.azure.context import AzureContext
from ccgpu.domain.events import Listener
from ccgpu.domain.run_outcome import RunOutcome
from ccgpu.errors import CcgpuError, Interrupted, LeftBehind
from ccgpu.workflows import delete as deletion


def delete_after(
    cloud: AzureContext, outcome: RunOutcome, group: str | None, listen: Listener
) -> RunOutcome:
    """Delete the deployment of a run; what is left is the outcome's problem, above any other."""
    try:
        deletion.delete(cloud, outcome.name, group, listen=listen)
    except CcgpuError as err:
        return replace(outcome, problem=_left_behind(err, outcome))
    return replace(outcome, deleted=True)


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
