"""Real reports and certificates get the answers that they deserve."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ccgpu.attest import certificates
from ccgpu.attest.check import Rule
from ccgpu.attest.snp.roots import AMD_ROOTS
from support.evidence_amd import AT, SnpEvidence

_RULE = Rule("test.root", "a root of the test", "the test")
_PEM = Encoding.PEM


def _case(folder: Path, report: str, vek: str) -> SnpEvidence:
    return SnpEvidence((folder / report).read_bytes(), (folder / vek).read_bytes(), AMD_ROOTS)


@pytest.mark.parametrize(
    ("name", "product", "version"),
    [
        ("azure-genoa-v3", "Genoa", 3),
        ("azure-milan-v3", "Milan", 3),
        ("azure-milan-v2", "Milan", 2),
        ("snp-genoa-v5", "Genoa", 5),
    ],
)
def test_genuine_reports_are_verified(vectors, name, product, version):
    evidence = _case(vectors / "attest" / name, "snp-report.bin", "vcek.der")
    assert not evidence.refusals()
    report = evidence.judge().outcome.value
    assert (report.product, report.version) == (product, version)


def test_a_genuine_report_of_a_debuggable_guest_is_rejected(vectors):
    folder = vectors / "attest" / "negative" / "debug-policy"
    evidence = _case(folder, "attestation.bin", "vcek.der")
    assert evidence.refusals() == {"snp.policy.debug"}


def test_a_report_with_the_certificate_of_another_machine_is_refused(vectors):
    folder = vectors / "attest" / "negative" / "other-machine-vcek"
    vcek, *chain = certificates.split_ders((folder / "certs.pem").read_bytes(), _RULE, 3)
    report = (folder / "hcl-report-snp.bin").read_bytes()[32 : 32 + 1184]
    pem = b"".join(certificates.load(der, _RULE).public_bytes(_PEM) for der in chain)
    evidence = SnpEvidence(report, vcek, AMD_ROOTS, chain=pem)
    refusals = evidence.refusals()
    assert {"snp.signature", "snp.chip-id.hwid"} <= refusals
    held = {check.id for check in evidence.judge().checks if check.ok}
    assert {"snp.vek.signature", "snp.ask.signature", "snp.ark.signature"} <= held


def test_a_report_signed_by_a_vlek_is_rejected_for_every_reason(vectors):
    folder = vectors / "attest" / "negative" / "vlek-vmpl1"
    evidence = _case(folder, "test-vlek-report.bin", "test-vlek.der")
    assert evidence.refusals() == {
        "snp.vmpl",
        "snp.key-info.signing-key",
        "snp.chip-id.masked",
        "snp.vek.dates",
    }
    held = {check.id for check in evidence.judge().checks if check.ok}
    assert {"snp.signature", "snp.vek.signature"} <= held


@pytest.mark.parametrize("product", ["genoa", "milan"])
def test_the_pinned_authorities_are_amds(vectors, product):
    pem = (vectors / "roots" / f"{product}_ask_ark_asvk.pem").read_bytes()
    ask, ark, asvk = certificates.load_chain(pem, _RULE, 3)
    pinned = AMD_ROOTS[product.capitalize()]
    assert certificates.anchor_of(ask) == pinned.ask
    assert certificates.anchor_of(ark) == pinned.ark
    assert pinned.asvk is not None
    assert certificates.anchor_of(asvk) == pinned.asvk


@pytest.mark.parametrize(
    ("at", "valid"),
    [(AT, True), (datetime(2032, 1, 25, tzinfo=UTC), False)],
)
def test_the_evidence_may_include_a_real_chain(vectors, at, valid):
    pem = (vectors / "roots" / "genoa_ask_ark_asvk.pem").read_bytes()
    chain = pem[: pem.rindex(b"-----BEGIN")]
    case = _case(vectors / "attest" / "azure-genoa-v3", "snp-report.bin", "vcek.der")
    evidence = SnpEvidence(case.report, case.vek, AMD_ROOTS, chain=chain, at=at)
    assert evidence.refusals() == (set() if valid else {"snp.vek.dates"})
