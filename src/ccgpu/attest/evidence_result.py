"""The result of `verify --each` for one piece of evidence."""

from collections.abc import Sequence
from dataclasses import dataclass

from ccgpu.attest.appraisal import Appraisal
from ccgpu.errors import CcgpuError


@dataclass(frozen=True, slots=True)
class EvidenceResult:
    """The verdict on the evidence at `source`, or the error that prevented one.

    With a verdict that is not `accepted`, `error` is what `Appraisal.require` raises.
    """

    source: str
    appraisal: Appraisal | None = None
    format_: str = ""
    ignored: Sequence[str] = ()
    error: CcgpuError | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of `verify` for this evidence alone."""
        return self.error.exit_code if self.error is not None else 0
