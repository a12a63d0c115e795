"""SNP evidence of a simulated machine, and its verification. Valid unless a test changes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ccgpu.attest import certificates
from ccgpu.attest.check import Check, Checks, Malformed, Outcome, Rule, Verified
from ccgpu.attest.roots import AmdRoots
from ccgpu.attest.snp import report as reports
from ccgpu.attest.snp.report import SnpReport
from ccgpu.attest.snp.verify import verify
from ccgpu.fakeguest.evidence import snp
from ccgpu.fakeguest.evidence.amd import AmdAuthorities, SimulatedChip
from ccgpu.fakeguest.evidence.pki import CertificateTemplate, X509Extension

AT = datetime(2026, 11, 22, tzinfo=UTC)
_RULE = Rule("test.root", "a root of the test", "the test")


def pinned_roots(amd: AmdAuthorities, **changed: bytes) -> Mapping[str, AmdRoots]:
    """The simulated authorities as trust anchors; `changed` replaces some of them (DER)."""
    ders = {"ark": amd.ark, "ask": amd.ask, "asvk": amd.asvk} | changed
    pinned = {
        role: certificates.anchor_of(certificates.load(der, _RULE)) for role, der in ders.items()
    }
    return {amd.product: AmdRoots(**pinned)}


@dataclass(frozen=True)
class SnpResult:
    """The outcome and its checks."""

    outcome: Outcome[SnpReport]
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class SnpEvidence:
    """One report, and everything needed to verify it."""

    report: bytes
    vek: bytes
    roots: Mapping[str, AmdRoots]
    chain: bytes | None = None
    crl: bytes | None = None
    at: datetime = AT

    def judge(self) -> SnpResult:
        """Verify. Raises `Malformed` if the report cannot be parsed."""
        checks = Checks()
        outcome = verify(
            reports.parse(self.report),
            self.vek,
            self.chain,
            () if self.crl is None else (self.crl,),
            self.roots,
            self.at,
            checks,
        )
        return SnpResult(outcome, tuple(checks.made))

    def refusals(self) -> set[str]:
        """The reason codes; empty if it is verified."""
        try:
            judged = self.judge()
        except Malformed as malformed:
            return {malformed.rule.id}
        refused = {check.id for check in judged.checks if not check.ok}
        assert isinstance(judged.outcome, Verified) == (not refused)
        return refused


@dataclass(frozen=True)
class Machine:
    """A processor and the authorities that certify it."""

    amd: AmdAuthorities
    chip: SimulatedChip = field(default_factory=SimulatedChip)

    def report(self, **changes: int | bytes) -> snp.SnpReportTemplate:
        """A report of this machine."""
        return snp.snp_report(self.chip, **changes)

    @property
    def vcek(self) -> CertificateTemplate:
        """The certificate of its key, not signed yet."""
        return self.amd.vcek(self.chip)

    def evidence(
        self, report: snp.SnpReportTemplate | None = None, vek: CertificateTemplate | None = None
    ) -> SnpEvidence:
        """Its evidence: this report and this certificate, each signed by the correct key."""
        return SnpEvidence(
            report=(report or self.report()).signed_by(self.chip.key),
            vek=(vek or self.vcek).signed_by(self.amd.ask_key),
            roots=pinned_roots(self.amd),
        )


def replace_extension(
    certificate: CertificateTemplate, changed: X509Extension
) -> CertificateTemplate:
    """The certificate with this extension in place of one with the same identifier."""
    rest = [each for each in certificate.extensions if each.oid != changed.oid]
    return replace(certificate, extensions=(*rest, changed))


def remove_extension(certificate: CertificateTemplate, oid: str) -> CertificateTemplate:
    """The certificate without one extension."""
    rest = tuple(each for each in certificate.extensions if each.oid != oid)
    assert len(rest) < len(certificate.extensions)
    return replace(certificate, extensions=rest)
