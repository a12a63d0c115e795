"""SNP evidence of a simulated machine: valid unless a test says otherwise, then judged."""

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
from ccgpu.fakeguest.evidence.amd import Amd, Chip
from ccgpu.fakeguest.evidence.pki import Certificate, Extension

AT = datetime(2026, 11, 22, tzinfo=UTC)
_RULE = Rule("test.root", "a root of the test", "the test")


def roots_of(amd: Amd, **changed: bytes) -> Mapping[str, AmdRoots]:
    """The simulated authorities, pinned; some of them changed (`ark=`, `ask=`, `asvk=`: DER)."""
    ders = {"ark": amd.ark, "ask": amd.ask, "asvk": amd.asvk} | changed
    pinned = {
        role: certificates.anchor_of(certificates.load(der, _RULE)) for role, der in ders.items()
    }
    return {amd.product: AmdRoots(**pinned)}


@dataclass(frozen=True)
class Judged:
    """What came of it."""

    outcome: Outcome[SnpReport]
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class SnpEvidence:
    """One report, and all that is needed to judge it."""

    report: bytes
    vek: bytes
    roots: Mapping[str, AmdRoots]
    chain: bytes | None = None
    crl: bytes | None = None
    at: datetime = AT

    def judge(self) -> Judged:
        """All checks. `Malformed` if the report cannot be read."""
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
        return Judged(outcome, tuple(checks.made))

    def refusals(self) -> set[str]:
        """The reason codes; none if it is verified."""
        try:
            judged = self.judge()
        except Malformed as malformed:
            return {malformed.rule.id}
        refused = {check.id for check in judged.checks if not check.ok}
        assert isinstance(judged.outcome, Verified) == (not refused)
        return refused


@dataclass(frozen=True)
class Machine:
    """A processor and the authorities that vouch for it."""

    amd: Amd
    chip: Chip = field(default_factory=Chip)

    def report(self, **changes: int | bytes) -> snp.Report:
        """A report of this machine."""
        return snp.report(self.chip, **changes)

    @property
    def vcek(self) -> Certificate:
        """The certificate of its key, not yet signed."""
        return self.amd.vcek(self.chip)

    def evidence(
        self, report: snp.Report | None = None, vek: Certificate | None = None
    ) -> SnpEvidence:
        """What it shows: this report with this certificate, each signed by whom it should be."""
        return SnpEvidence(
            report=(report or self.report()).signed_by(self.chip.key),
            vek=(vek or self.vcek).signed_by(self.amd.ask_key),
            roots=roots_of(self.amd),
        )


def with_extension(certificate: Certificate, changed: Extension) -> Certificate:
    """The certificate with one extension in another form; in its place, or at the end."""
    rest = [each for each in certificate.extensions if each.oid != changed.oid]
    return replace(certificate, extensions=(*rest, changed))


def without_extension(certificate: Certificate, oid: str) -> Certificate:
    """The certificate without one extension."""
    rest = tuple(each for each in certificate.extensions if each.oid != oid)
    assert len(rest) < len(certificate.extensions)
    return replace(certificate, extensions=rest)
