"""The base of all errors, and those that any command can end with."""

from collections.abc import Sequence
from dataclasses import dataclass
from traceback import format_exception, format_exception_only
from typing import ClassVar, Literal

Presence = Literal["exists", "gone", "unknown"]


@dataclass(frozen=True, slots=True)
class Leftover:
    """A resource that an error reports: its ARM id, whether it exists, whether it is billed."""

    id: str
    state: Presence
    billed: bool


class CcgpuError(Exception):
    """Base class: `str(err)` is what happened, `hint` is at most one line on what to do."""

    exit_code: ClassVar[int] = 1
    code: str = "CcgpuError"
    correlation_id: str | None = None  # Azure's id of the request that it refused
    signed_in_with: str | None = None  # the credential that a refused request was signed with

    def __init__(
        self, message: str, *, hint: str | None = None, resources: Sequence[Leftover] = ()
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.resources = tuple(resources)
        self.code = type(self).__name__


class InternalError(CcgpuError):
    """A bug in ccgpu, with its traceback."""

    def __init__(self, message: str, *, traceback: str) -> None:
        super().__init__(message, hint="please report it, with the traceback")
        self.traceback = traceback

    @classmethod
    def of(cls, err: BaseException) -> "InternalError":
        """The error for an unexpected exception."""
        what = "".join(format_exception_only(err)).strip()
        return cls(f"a bug in ccgpu: {what}", traceback="".join(format_exception(err)))


class AnswerLost(CcgpuError):
    """The work is done, but its result could not be written to stdout (usually a full disk)."""


class StateUnusable(CcgpuError):
    """The state folder cannot be read or written, so nothing may be created."""

    exit_code: ClassVar[int] = 4


class TimedOut(CcgpuError):
    """The time limit passed."""

    exit_code: ClassVar[int] = 11


class Interrupted(CcgpuError):
    """Ctrl-C, or a signal that means the same."""

    exit_code: ClassVar[int] = 130
