"""Verifies an SNP report up to AMD's root key.

Steps: 1 fields that must have one value · 2 the VEK certificate · 3 its chain to AMD's root (RFC
5280, 6.1) · 4 revocation (RFC 5280, 6.3) · 5 the signature · 6 that report and certificate match.
The caller must still apply the policy (products, TCB floors, the paravisor's key, alias check).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ccgpu.attest.check import Checks, Outcome, Rule
from ccgpu.attest.roots import AmdRoots
from ccgpu.attest.snp import certificate, report_invariants, report_vek_match, signatures, tcb_order
from ccgpu.attest.snp import chain as authorities
from ccgpu.attest.snp import crl as revocation
from ccgpu.attest.snp import vek as veks
from ccgpu.attest.snp.report import SnpReport
from ccgpu.attest.snp.vek import Vek

SIGNATURE = Rule(
    "snp.signature",
    "the report is signed by the key of the certificate",
    "AMD SEV-SNP ABI (56860), ATTESTATION_REPORT, SIGNATURE",
)


def verify(
    report: SnpReport,
    vek: bytes,
    chain: bytes | None,
    crls: Sequence[bytes],
    roots: Mapping[str, AmdRoots],
    at: datetime,
    checks: Checks,
    *,
    allow_provisional: bool = False,
) -> Outcome[SnpReport]:
    """Verify a report at a time; `roots` by product.

    `vek`: certificate of the key that signed it (DER or PEM). `chain`: ASK and ARK (PEM), if they
    came along. `crls`: AMD's revocation lists (DER or PEM). The report that is returned names its
    product.
    """
    since = checks.checkpoint()
    report_invariants.verify(report, checks)  # 1
    tcb_order.verify(report, checks, allow_provisional=allow_provisional)
    key = checks.parse(certificate.READABLE, veks.parse, vek, "a VCEK or a VLEK")  # 2
    if key is None:
        return checks.conclude(report, since)
    anchors = roots.get(key.product)
    authorities.verify(key, chain, anchors, at, checks)  # 3
    if crls:
        revocation.verify(crls, key, anchors, at, checks)  # 4
    _check_signature(report, key, checks)  # 5
    product = report_vek_match.verify(report, key, checks)  # 6
    named = report if report.product == product else replace(report, product=product)
    return checks.conclude(named, since)


def _check_signature(report: SnpReport, key: Vek, checks: Checks) -> None:
    subject = key.certificate.subject
    signed = signatures.is_signed_by_chip(key.key, report.signature, report.signed)
    checks.record(SIGNATURE, signed, subject, subject if signed else "another key, or other bytes")
