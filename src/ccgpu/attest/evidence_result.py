"""One piece of evidence among several, with its verdict or the reason why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass

from ccgpu.attest.appraisal import Appraisal
from ccgpu.errors import CcgpuError


@dataclass(frozen=True, slots=True)
class EvidenceResult:
    """A piece of evidence, and its verdict or the reason why there is none."""

    source: str
    appraisal: Appraisal | None = None
    format_: str = ""
    ignored: Sequence[str] = ()
    error: CcgpuError | None = None

    @property
    def exit_code(self) -> int:
        """What `verify` of this one alone would end with."""
        return self.error.exit_code if self.error is not None else 0
