"""An attestation: a verdict on a VM that was asked, and what became of it. Pure."""

from dataclasses import dataclass

from ccgpu.attest.appraisal import Appraisal
from ccgpu.domain.challenge import ChallengeRecord
from ccgpu.domain.collateral import MissingCollateral
from ccgpu.domain.evidence import Evidence
from ccgpu.errors import CcgpuError, EvidenceRejected, EvidenceUnavailable

_MOST_SHOWN = 3  # items of collateral in a message


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Seconds that the parts of an attestation took."""

    collect: float
    collateral: float
    verify: float


@dataclass(frozen=True, slots=True)
class Attestation:
    """A verdict on a VM, with the evidence and the collateral that it rests on.

    name: the deployment's. challenge: what the evidence had to answer. boot_id: the boot that was
    asked. missing: the collateral that could not be fetched. bundle: the path of the recorded
    evidence. problem: why the VM is not usable though it was accepted; None if it is.
    """

    name: str
    challenge: ChallengeRecord
    boot_id: str
    evidence: Evidence
    appraisal: Appraisal
    times: StepTimes
    missing: tuple[MissingCollateral, ...] = ()
    bundle: str | None = None
    gpu_ready: bool = False
    problem: CcgpuError | None = None

    def require_good(self) -> None:
        """Raise unless the VM was accepted and, if its GPU was judged, the GPU is ready.

        Raises:
            EvidenceRejected: The verdict is `rejected`.
            EvidenceUnavailable: There is no verdict.
            GuestNotReady, TimedOut: The GPU is not ready.
        """
        try:
            self.appraisal.require()
        except EvidenceRejected as err:
            err.hint = f"send it nothing secret; `ccgpu delete {self.name}` removes the VM"
            raise
        except EvidenceUnavailable as err:
            text = "; ".join((str(err), *map(str, self.missing[:_MOST_SHOWN])))
            more = len(self.missing) - _MOST_SHOWN
            raise EvidenceUnavailable(
                f"{text}; and {more} more" if more > 0 else text,
                hint=f"`ccgpu attest {self.name}` tries again",
            ) from err
        if self.problem is not None:
            raise self.problem
