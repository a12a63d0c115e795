"""An attestation: a verdict on a VM that was asked, and what became of it. Pure."""

from dataclasses import dataclass

from ccgpu.attest.appraisal import Appraisal
from ccgpu.domain.challenge import ChallengeRecord
from ccgpu.domain.collateral import MissingCollateral
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.given_image import GivenImage
from ccgpu.domain.host_address import HostAddress
from ccgpu.domain.reference_values import ReferenceFile
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

    name: the deployment's, or the address of a machine of none. challenge: what the evidence had to
    answer. boot_id: the boot that was asked. missing: the collateral that could not be fetched.
    bundle: the path of the recorded evidence. until: when an accepted verdict is too old for its
    policy (RFC 3339); None for no limit. problem: why the VM is not usable though it was accepted;
    None if it is. pins: the file of golden PCR values that it was held to, or that its values were
    written to. image: the measured image that it was held to. host: where a machine that is no
    deployment's is reached.
    """

    name: str
    challenge: ChallengeRecord
    boot_id: str
    evidence: Evidence
    appraisal: Appraisal
    times: StepTimes
    missing: tuple[MissingCollateral, ...] = ()
    bundle: str | None = None
    until: str | None = None
    gpu_ready: bool = False
    problem: CcgpuError | None = None
    pins: ReferenceFile | None = None
    image: GivenImage | None = None
    host: HostAddress | None = None

    @property
    def is_good(self) -> bool:
        """Whether the VM was accepted and, if its GPU was judged, the GPU is ready."""
        return self.appraisal.verdict == "accepted" and self.problem is None

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
            err.hint = "send it nothing secret"
            if self.host is None:
                removal = f"`ccgpu delete {self.name}` removes it"
                err.hint += f"; the VM stays, and bills until {removal}"
            raise
        except EvidenceUnavailable as err:
            text = "; ".join((str(err), *map(str, self.missing[:_MOST_SHOWN])))
            more = len(self.missing) - _MOST_SHOWN
            again = f"`ccgpu attest {self.name}` tries again"
            raise EvidenceUnavailable(
                f"{text}; and {more} more" if more > 0 else text,
                hint=again if self.host is None else "run the same command again",
            ) from err
        if self.problem is not None:
            raise self.problem
