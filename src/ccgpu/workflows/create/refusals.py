"""Why regions and zones could not host the VM: by the checks before, and by Azure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ccgpu.domain.tries import FailedTry
from ccgpu.errors import (
    CapacityUnavailable,
    CcgpuError,
    InvalidFile,
    NotFound,
    QuotaExceeded,
)
from ccgpu.scheduling.durations import in_seconds

# The error code of a refusal by the checks, not by Azure.
PREFLIGHT = "Preflight"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a candidate was passed over. tried: what was tried at Azure; None if nothing was."""

    error: CcgpuError
    tried: FailedTry | None = None


def lacks_capacity(refusals: Sequence[Refusal]) -> bool:
    """Whether Azure itself had no room for one of the candidates: it may have later."""
    return any(
        one.tried is not None and isinstance(one.error, CapacityUnavailable) for one in refusals
    )


def combined_refusal(refusals: Sequence[Refusal]) -> CcgpuError:
    """One error for all candidates, of the class that the user can most easily resolve.

    Quota can be raised, capacity returns, the spec can be changed: in this order. The code is
    Azure's if Azure refused a region, else `Preflight`.
    """
    errors = [one.error for one in refusals]
    if len(errors) == 1:
        return errors[0]
    lines = "\n".join(f"  {_reason_line(one)}" for one in refusals)
    text = f"no region can host the VM:\n{lines}"
    for kind in (QuotaExceeded, CapacityUnavailable, NotFound):
        codes = [err.code for err in errors if isinstance(err, kind)]
        if codes:
            return kind(text, code=next((one for one in codes if one != PREFLIGHT), PREFLIGHT))
    problems = [one for err in errors if isinstance(err, InvalidFile) for one in err.problems]
    hints = [err.hint for err in errors if err.hint]
    return InvalidFile("spec", list(dict.fromkeys(problems)), hint=hints[0] if hints else None)


def _reason_line(refusal: Refusal) -> str:
    """The reason against one candidate, with the error's code, and how long it was tried."""
    err, tried = refusal.error, refusal.tried
    if tried is not None:
        return f"{tried.place}: {tried.message}, after {in_seconds(tried.seconds)}"
    if isinstance(err, InvalidFile):
        text = "; ".join(f"{one.path}: {one.message}" for one in err.problems)
    else:
        text = str(err)
    return text if f"[{err.code}]" in text else f"{text} [{err.code}]"
