"""The validity periods of the certificates, lists and answers that a verdict rests on. Pure.

They are as parsed: nothing is verified here. Each names the part of the chain of trust that holds
only if it was verified. What concerns other machines is left out, and so is what cannot be read.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from cryptography import x509

from ccgpu.attest import certificates
from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.gpu import chain as device_chain
from ccgpu.attest.gpu import ocsp_response, rim, spdm, usage
from ccgpu.attest.gpu.ocsp import CertificateAndIssuer, IssuedCertificate
from ccgpu.attest.gpu.rim import Manifest
from ccgpu.attest.hcl import blob
from ccgpu.attest.roots import Roots
from ccgpu.attest.snp import chain as authorities
from ccgpu.attest.snp import crl, selection
from ccgpu.attest.snp import report as snp_report
from ccgpu.attest.snp import vek as veks
from ccgpu.attest.snp.report import SnpReport
from ccgpu.domain.evidence import CpuEvidence, Evidence, GpuEvidence

_MAX_CERTIFICATES = 8  # as where they are verified


@dataclass(frozen=True, slots=True)
class ValidityPeriod:
    """From when to when something signed is valid; `end` is None if it does not say.

    kind: "certificate", "revocation list" or "OCSP answer". name: what it is of. issuer: who is
    said to have signed it. part: the key of its part in the chain of trust. status: what it says.
    alone: nothing else in the evidence is of the same kind and name, so that the checks were made
    on this very piece.
    """

    kind: str
    name: str
    issuer: str
    start: datetime
    end: datetime | None
    part: str
    status: str = ""
    alone: bool = True


def validity_periods(evidence: Evidence, at: datetime, roots: Roots) -> tuple[ValidityPeriod, ...]:
    """The periods of AMD's pieces, then of each GPU's, each once."""
    found = list(_cpu_periods(evidence, at, roots))
    issued: list[CertificateAndIssuer] = []
    for gpu in evidence.gpus:
        found += _device_periods(gpu, issued)
    manifests = _manifests(evidence)
    counts = Counter((each.kind, each.version) for each in manifests)
    for manifest in manifests:
        alone = counts[manifest.kind, manifest.version] == 1
        found += (replace(each, alone=alone) for each in _manifest_periods(manifest))
        issued += manifest.issued
    found += _answers(evidence, issued)
    return tuple(dict.fromkeys(found))


def _cpu_periods(evidence: Evidence, at: datetime, roots: Roots) -> Iterator[ValidityPeriod]:
    part = evidence.cpu
    report = None if part is None else _report(part)
    if part is None or report is None:
        return
    chosen = selection.select(report, part, evidence.given, roots.amd, at)
    yield from _vek_periods(chosen.vek)
    yield from _amd_authorities(chosen.chain)
    lists = list(_lists(chosen.crls))
    yield from (replace(each, alone=len(lists) == 1) for each in lists)


def _report(part: CpuEvidence) -> SnpReport | None:
    try:
        raw = part.report if part.hcl is None else blob.parse(part.hcl).report
        return None if raw is None else snp_report.parse(raw)
    except Malformed:
        return None


def _vek_periods(raw: bytes | None) -> Iterator[ValidityPeriod]:
    try:
        vek = None if raw is None else veks.parse(raw)
    except Malformed:
        return
    if vek is not None:
        own = vek.certificate
        yield ValidityPeriod(
            "certificate", own.subject, own.issuer, own.not_before, own.not_after, "vcek"
        )


def _amd_authorities(chain: bytes | None) -> Iterator[ValidityPeriod]:
    found = () if chain is None else _load(chain, authorities.CHAIN)
    for certificate, key in zip(found, ("amd-signer", "amd-root"), strict=False):
        yield _certificate_period(certificate, key)


def _lists(raw_lists: Sequence[bytes]) -> Iterator[ValidityPeriod]:
    for raw in raw_lists:
        try:
            each = crl.parse(raw)
        except Malformed:
            continue
        yield ValidityPeriod(
            "revocation list",
            each.issuer,
            each.issuer,
            each.this_update,
            each.next_update,
            "amd-crl",
            f"{len(each.serials)} revoked",
        )


def _device_periods(
    gpu: GpuEvidence, issued: list[CertificateAndIssuer]
) -> Iterator[ValidityPeriod]:
    """The periods of a GPU's certificates; adds to `issued` those that OCSP answers are about."""
    found = _load(gpu.chain, device_chain.READABLE)
    issued += pairwise(found[1:])  # NVIDIA's service knows no leaf
    last = len(found) - 1
    for number, certificate in enumerate(found):
        key = {0: "gpu-leaf", last: "nvidia-root"}.get(number, "nvidia-authorities")
        yield _certificate_period(certificate, key)


def _manifests(evidence: Evidence) -> list[Manifest]:
    """The manifests of the drivers and VBIOSes that the reports name."""
    running = set()
    for gpu in evidence.gpus:
        try:
            opaque = spdm.parse(gpu.report).opaque
        except Malformed:
            continue
        running |= {("driver", opaque.driver_version), ("vbios", opaque.vbios_version)}
    every = (*(each.xml for each in evidence.given.rims), *evidence.collateral.rims)
    read = [_manifest(xml) for xml in dict.fromkeys(every)]
    return [each for each in read if each and (each.kind, each.version) in running]


def _manifest(xml: bytes) -> Manifest | None:
    try:
        return rim.parse(xml)[0]
    except Malformed:
        return None


def _manifest_periods(manifest: Manifest) -> Iterator[ValidityPeriod]:
    last = len(manifest.certificates) - 1
    for number, certificate in enumerate(manifest.certificates):
        yield _certificate_period(certificate, "rim-root" if number == last else "rim-signer")


def _answers(
    evidence: Evidence, issued: Sequence[CertificateAndIssuer]
) -> Iterator[ValidityPeriod]:
    """The periods of the OCSP answers about these certificates."""
    every = (*evidence.given.ocsp, *evidence.collateral.ocsp)
    found = [each for raw in dict.fromkeys(every) for each in _answer(raw, issued)]
    counts = Counter(each.name for each in found)
    yield from (replace(each, alone=counts[each.name] == 1) for each in found)


def _answer(raw: bytes, issued: Sequence[CertificateAndIssuer]) -> Iterator[ValidityPeriod]:
    try:
        answer = ocsp_response.parse(raw)
    except Malformed:
        return
    for certificate, issuer in dict.fromkeys(issued):
        if IssuedCertificate(certificate, issuer).cert_id(answer.hash_name) == answer.about:
            yield ValidityPeriod(
                "OCSP answer",
                usage.describe(certificate),
                issuer.subject.rfc4514_string(),
                answer.this_update,
                answer.next_update,
                "ocsp",
                answer.status,
            )


def _load(chain: bytes, rule: Rule) -> tuple[x509.Certificate, ...]:
    try:
        return certificates.load_chain(chain, rule, _MAX_CERTIFICATES)
    except Malformed:
        return ()


def _certificate_period(certificate: x509.Certificate, part: str) -> ValidityPeriod:
    return ValidityPeriod(
        "certificate",
        usage.describe(certificate),
        certificate.issuer.rfc4514_string(),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        part,
    )
