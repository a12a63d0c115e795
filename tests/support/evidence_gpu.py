"""Evidence of a simulated GPU, and its verification. Valid unless a test changes it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from ccgpu.attest import certificates
from ccgpu.attest.check import Check, Checks, Malformed, Outcome, Rule, Verified
from ccgpu.attest.gpu import chain as chains
from ccgpu.attest.gpu import mode, spdm
from ccgpu.attest.gpu.chain import DeviceChain
from ccgpu.attest.gpu.spdm import GpuReport
from ccgpu.attest.gpu.verify import verify
from ccgpu.attest.roots import Anchor
from ccgpu.fakeguest.evidence import nvidia_pki
from ccgpu.fakeguest.evidence import spdm as builder
from ccgpu.fakeguest.evidence.nvidia_pki import GpuCertificates, NvidiaAuthorities

AT = datetime(2026, 11, 22, tzinfo=UTC)
NONCE = bytes(range(0x40, 0x60))
_RULE = Rule("test.root", "a root of the test", "the test")


@dataclass(frozen=True)
class GpuResult:
    """The outcome and its checks. `outcome` and `chain` are None if unreadable."""

    chain: Outcome[DeviceChain] | None
    outcome: Outcome[GpuReport] | None
    checks: tuple[Check, ...]

    @property
    def refusals(self) -> set[str]:
        """The reason codes; empty if it is verified."""
        return {check.id for check in self.checks if not check.ok}


@dataclass(frozen=True)
class GpuEvidence:
    """One report and its chain, and what they are verified against."""

    report: bytes
    chain: bytes
    root: Anchor
    nonce: bytes | None = NONCE
    at: datetime = AT
    arch: str | None = "HOPPER"
    allow_known_nonce: bool = False
    with_mode: bool = False

    def judge(self) -> GpuResult:
        """Verify."""
        checks = Checks()
        chain = chains.verify(self.chain, self.root, self.at, checks, arch=self.arch)
        report = checks.parse(spdm.READABLE, spdm.parse, self.report, "a report")
        if report is None:
            return GpuResult(chain, None, tuple(checks.made))
        known = self.allow_known_nonce
        outcome = verify(report, chain, self.nonce, checks, allow_known_nonce=known)
        if self.with_mode and isinstance(outcome, Verified):
            mode.verify(outcome, checks)
        return GpuResult(chain, outcome, tuple(checks.made))

    def refusals(self) -> set[str]:
        """The reason codes; empty if report and chain are verified."""
        judged = self.judge()
        held = isinstance(judged.outcome, Verified) and isinstance(judged.chain, Verified)
        assert held == (not judged.refusals) or self.with_mode
        return judged.refusals


@dataclass(frozen=True)
class Gpu:
    """A GPU and the authorities that certify it."""

    nvidia: NvidiaAuthorities
    device: GpuCertificates

    @property
    def root(self) -> Anchor:
        """The simulated root as a trust anchor."""
        return certificates.anchor_of(certificates.load(self.device.root, _RULE))

    def report(self) -> builder.GpuReportTemplate:
        """A report of this GPU, not signed yet."""
        return builder.gpu_report(NONCE, self.device.fwid)

    def evidence(
        self, report: builder.GpuReportTemplate | None = None, device: GpuCertificates | None = None
    ) -> GpuEvidence:
        """Its evidence: this report and these certificates, each signed by the correct key."""
        signed = (report or self.report()).signed_by(self.device.key)
        return GpuEvidence(signed, (device or self.device).pem, self.root)


def new_gpu(chip: str = "GH100") -> Gpu:
    """A GPU with its own authorities."""
    nvidia = nvidia_pki.make_authorities(chip)
    return Gpu(nvidia, nvidia.device())


def parse_refusal(raw: bytes) -> str:
    """The rule that makes a report unreadable."""
    try:
        spdm.parse(raw)
    except Malformed as malformed:
        return malformed.rule.id
    raise AssertionError("the report can be read")
