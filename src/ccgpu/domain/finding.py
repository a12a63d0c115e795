"""Findings of a check of the user's set-up: what is right, what is not, and what to do about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ccgpu.domain.forecast import ExpectedEnd
from ccgpu.errors import CcgpuError, Denied, InvalidFile, NotFound, TimedOut


class FindingState(StrEnum):
    """How a check ended. `unknown`: it could not be made, which is neither a yes nor a no."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `error`: the error of a failed one, whose exit code counts."""

    step: str
    state: FindingState
    message: str
    remedy: str | None = None
    error: CcgpuError | None = None


@dataclass(frozen=True, slots=True)
class SetupReport:
    """The findings in order, what will stop working, and by which credential Azure was asked.

    at: the time of the report.
    """

    findings: tuple[Finding, ...]
    endings: tuple[ExpectedEnd, ...]
    at: datetime
    signed_in_with: str | None = None


_MEND = "mend what the message names, then check again"
_REMEDIES: Mapping[type[CcgpuError], str] = {
    InvalidFile: "correct the field that the message names: `ccgpu schema spec` describes it",
    Denied: "grant the action that the message names: `ccgpu role` prints all that are needed",
    NotFound: "create it, or correct its name in the spec",
    TimedOut: "check again, with more time: `--timeout 30m`",
}


def good(step: str, message: str) -> Finding:
    """A check that has passed."""
    return Finding(step, FindingState.OK, message)


def warned(step: str, message: str, remedy: str | None) -> Finding:
    """A check that found what will not stop a create."""
    return Finding(step, FindingState.WARNING, message, remedy)


def unknown(step: str, message: str, remedy: str | None = None) -> Finding:
    """A check that could not be made."""
    return Finding(step, FindingState.UNKNOWN, message, remedy)


def failed(step: str, error: CcgpuError) -> Finding:
    """A check that has failed with this error; its hint is the remedy, else that of its class."""
    remedies = (text for kind, text in _REMEDIES.items() if isinstance(error, kind))
    remedy = error.hint or next(remedies, _MEND)
    return Finding(step, FindingState.FAILED, str(error), remedy, error)


def require_good_findings(findings: Iterable[Finding]) -> None:
    """Raise the error of the first check that has failed; its message names all that have."""
    wrong = [one for one in findings if one.error is not None]
    if wrong and (first := wrong[0].error) is not None:
        steps = ", ".join(dict.fromkeys(one.step for one in wrong))
        first.args = (f"the set-up is not in order: {steps}",)
        raise first
