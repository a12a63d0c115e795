"""Which collateral a verdict on evidence needs. Pure: another module fetches it.

Names that a GPU reports are used only after NVIDIA's root has been verified to stand behind the
report; whether the report is fresh is for the verdict. The CPU's part needs no verification first:
a URL made of a chip id and four numbers leads nowhere else. What the evidence brings is requested
all the same, since it may be old or another machine's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ccgpu import __version__
from ccgpu.attest import certificates
from ccgpu.attest.check import Checks, Malformed, Verified
from ccgpu.attest.gpu import chain, ocsp_request, opaque, opaque_versioned, rim, spdm
from ccgpu.attest.gpu import verify as gpu_report
from ccgpu.attest.hcl import blob
from ccgpu.attest.roots import AmdRoots, Anchor
from ccgpu.attest.snp import chain as authorities
from ccgpu.attest.snp import report as snp_report
from ccgpu.attest.snp import signatures
from ccgpu.attest.snp import vek as veks
from ccgpu.attest.snp.certificate import READABLE
from ccgpu.attest.snp.report import SnpReport
from ccgpu.domain.collateral import Chip, CollateralRequest, FetchedCollateral
from ccgpu.domain.evidence import (
    CallerCollateral,
    CpuEvidence,
    Evidence,
    GpuEvidence,
    NamedManifest,
)
from ccgpu.errors import EvidenceRejected, EvidenceUnavailable


def evidence_request(evidence: Evidence, nvidia: Anchor, at: datetime) -> CollateralRequest:
    """What a verdict at that time may need, except OCSP answers about the manifests' signers.

    Args:
        evidence: The evidence of one VM.
        nvidia: The root of the GPUs' certificates.
        at: The time at which the certificates of the GPUs have to be valid.

    Raises:
        EvidenceRejected: The evidence does not tell what is needed.
        EvidenceUnavailable: The report is of a version that does not, or that is too new.
    """
    request = CollateralRequest()
    if evidence.cpu is not None:
        request += cpu_request(evidence.cpu)
    for gpu in evidence.gpus:
        request += gpu_request(gpu, nvidia, at)
    return request


def cpu_request(part: CpuEvidence) -> CollateralRequest:
    """The certificate of the report's chip, and the revocation list of its product.

    Raises:
        EvidenceRejected: There is no report, or it cannot be read.
        EvidenceUnavailable: Neither the report, as before version 3, nor a certificate in the
            evidence names the product.
    """
    report = _read_report(part)
    brought = [each for each in (part.vek, *part.veks) if each is not None]
    product = report.product or next(iter(_products(brought)), None)
    if product is None:
        raise EvidenceUnavailable(
            f"an SNP report of version {report.version} does not name its processor",
            hint="add AMD's certificate of the chip (VCEK) and the revocation list to the evidence",
        )
    return CollateralRequest(
        chips=(_chip(report, product),),
        crls=(product,),
        thim=part.thim,
        veks=tuple(_readable_ders(brought)),
    )


def gpu_request(part: GpuEvidence, nvidia: Anchor, at: datetime) -> CollateralRequest:
    """The manifests of the driver and VBIOS that a GPU runs, and OCSP answers about its chain.

    Raises:
        EvidenceRejected: The report cannot be read, or is not of a GPU below that root.
        EvidenceUnavailable: The report is of a version that this ccgpu does not know.
    """
    checks = Checks()
    certificates = chain.verify(part.chain, nvidia, at, checks)
    try:
        report = spdm.parse(part.report)
    except Malformed as err:
        if err.rule is opaque_versioned.FORMAT:
            raise EvidenceUnavailable(
                f"the GPU's report is too new for this ccgpu: {err}",
                hint=f"use a ccgpu newer than {__version__}",
            ) from err
        raise EvidenceRejected(f"the GPU's report cannot be read: {err}") from err
    outcome = gpu_report.verify(report, certificates, report.nonce, checks, allow_known_nonce=True)
    if certificates is None or not isinstance(outcome, Verified):
        failed = ", ".join(each.id for each in checks.made if not each.ok)
        raise EvidenceRejected(f"the report is not from a genuine NVIDIA GPU: {failed}")
    data, device = outcome.value.opaque, certificates.value
    ids = (opaque.driver_rim_id(data, device.chip or ""), opaque.vbios_rim_id(data))
    requests = tuple(ocsp_request.build(*pair, nonce=None) for pair in device.issued)
    return CollateralRequest(rims=ids, ocsp=requests)


def manifest_request(manifests: Sequence[bytes]) -> CollateralRequest:
    """OCSP answers about the signers of manifests. The verdict reports one that is malformed."""
    requests = []
    for xml in manifests:
        try:
            manifest, _ = rim.parse(xml)
        except Malformed:
            continue
        requests += [ocsp_request.build(*pair, nonce=None) for pair in manifest.issued]
    return CollateralRequest(ocsp=tuple(requests))


def add_collateral(evidence: Evidence, fetched: FetchedCollateral) -> Evidence:
    """The evidence with what was fetched for it. What it brought itself stays as it is."""
    rims = [each for each in fetched.collateral if each.name.startswith("rim/")]
    given = CallerCollateral(
        veks=fetched.vceks,
        crls=fetched.crls,
        rims=tuple(NamedManifest(_rim_id(each.name), each.data) for each in rims),
        ocsp=fetched.ocsp,
    )
    return replace(evidence, given=evidence.given + given)


def is_signed_by_amd(certificate: bytes, roots: Mapping[str, AmdRoots]) -> bool:
    """Whether AMD signed a VCEK (DER or PEM)."""
    try:
        vek = veks.parse(certificate)
    except Malformed:
        return False
    signer = authorities.authority(vek, roots.get(vek.product))
    own = vek.certificate
    return signer is not None and signatures.is_signed_by_authority(
        signer.spki, own.signature, own.signed
    )


def _rim_id(name: str) -> str:
    return name.removeprefix("rim/").removesuffix(".xml")


def _read_report(part: CpuEvidence) -> SnpReport:
    try:
        raw = part.report if part.hcl is None else blob.parse(part.hcl).report
        if raw is None:
            raise EvidenceRejected("there is no SNP report in the evidence")
        return snp_report.parse(raw)
    except Malformed as err:
        raise EvidenceRejected(f"the SNP report cannot be read: {err}") from err


def _chip(report: SnpReport, product: str) -> Chip:
    tcb = report.reported_tcb
    return Chip(product, report.chip_id, tcb.bootloader, tcb.tee, tcb.snp, tcb.microcode)


def _products(brought: Sequence[bytes]) -> Iterator[str]:
    for each in brought:
        try:
            yield veks.parse(each).product
        except Malformed:
            continue


def _readable_ders(brought: Sequence[bytes]) -> Iterator[bytes]:
    for each in brought:
        try:
            yield certificates.read_der(each, READABLE)
        except Malformed:
            continue
