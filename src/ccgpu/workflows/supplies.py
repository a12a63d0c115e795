"""Evidence and its collateral: what is fetched for it, and what it is with that.

What is fetched by a name that a GPU says is asked for only once NVIDIA's root stands behind the
report; whether the report is new is the verdict's business. The CPU's half needs nothing verified
first: an address made of a chip id and four numbers leads nowhere else. What the evidence brings is
fetched all the same: it may be old, or another's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

from ccgpu import __version__
from ccgpu.attest import certificates
from ccgpu.attest.check import Checks, Malformed, Verified
from ccgpu.attest.gpu import chain, ocsp_request, opaque, opaque_versioned, rim, spdm
from ccgpu.attest.gpu import verify as gpu_report
from ccgpu.attest.gpu.roots import NVIDIA_DEVICE
from ccgpu.attest.hcl import blob
from ccgpu.attest.roots import Anchor
from ccgpu.attest.snp import chain as authorities
from ccgpu.attest.snp import report as snp_report
from ccgpu.attest.snp import signatures
from ccgpu.attest.snp import vek as veks
from ccgpu.attest.snp.certificate import READABLE
from ccgpu.attest.snp.report import SnpReport
from ccgpu.attest.snp.roots import AMD_ROOTS
from ccgpu.collateral.kds import Chip
from ccgpu.collateral.needs import Fetched, Needs
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.evidence import (
    CallerCollateral,
    CpuEvidence,
    Evidence,
    GpuEvidence,
    NamedManifest,
)
from ccgpu.errors import EvidenceRejected, EvidenceUnavailable
from ccgpu.store.evidence import thim
from ccgpu.workflows.collateral import Fetching


def fetch(
    found: Evidence,
    fetching: Fetching,
    listen: Listener = ignore_event,
    *,
    region: str | None = None,
    nvidia: Anchor = NVIDIA_DEVICE,
) -> Fetched:
    """Everything a verdict on the evidence may need, in two rounds.

    The second asks after the certificates that the manifests of the first are signed with.
    `region`: of Azure, where the VM is, if that is known. `EvidenceRejected` if it cannot even be
    told what is needed.
    """
    at = datetime.fromtimestamp(fetching.now(), UTC)
    needs = Needs(region=region)
    if found.cpu is not None:
        needs += of_cpu(found.cpu)
    for gpu in found.gpus:
        needs += of_gpu(gpu, nvidia, at)
    first = fetching.fetch(needs, listen)
    return first + fetching.fetch(replace(of_manifests(first.rims), region=region), listen)


def fetch_all(
    every: Sequence[Evidence],
    fetching: Fetching,
    listen: Listener = ignore_event,
    *,
    region: str | None = None,
) -> Fetched:
    """Everything that verdicts on several machines may need; each piece once."""
    fetched = Fetched()
    for found in every:
        fetched += fetch(found, fetching, listen, region=region)
    return fetched


def of_cpu(part: CpuEvidence) -> Needs:
    """What AMD has to say about a report: its chip's certificate, and the revocation list.

    `EvidenceRejected` if there is no report to be read; `EvidenceUnavailable` if neither it, as
    before version 3, nor a certificate in the evidence says which product it is of.
    """
    report = _report(part)
    brought = [each for each in (part.vek, *part.veks) if each is not None]
    product = report.product or next(iter(_products(brought)), None)
    if product is None:
        raise EvidenceUnavailable(
            f"an SNP report of version {report.version} does not name its processor",
            hint="add AMD's certificate of the chip (VCEK) and the revocation list to the evidence",
        )
    return Needs(
        chips=(_chip(report, product),),
        crls=(product,),
        thim=part.thim if _is_amds(part.thim) else None,
        veks=tuple(_ders(brought)),
    )


def of_gpu(part: GpuEvidence, nvidia: Anchor, at: datetime) -> Needs:
    """The manifests of the driver and VBIOS that a GPU runs, and the answers about its chain.

    `EvidenceRejected` if the report is not of a GPU of NVIDIA's.
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
    said, of = outcome.value.opaque, certificates.value
    ids = (opaque.driver_rim_id(said, of.chip or ""), opaque.vbios_rim_id(said))
    requests = tuple(ocsp_request.build(*pair, nonce=None) for pair in of.issued)
    return Needs(rims=ids, ocsp=requests)


def of_manifests(manifests: Sequence[bytes]) -> Needs:
    """The answers about those who signed them. One that cannot be read is the verdict's to tell."""
    requests = []
    for xml in manifests:
        try:
            manifest, _ = rim.parse(xml)
        except Malformed:
            continue
        requests += [ocsp_request.build(*pair, nonce=None) for pair in manifest.issued]
    return Needs(ocsp=tuple(requests))


def supplied(found: Evidence, fetched: Fetched) -> Evidence:
    """The evidence, given what was fetched for it; what it brought itself stays as it is."""
    rims = [piece for piece in fetched.pieces if piece.name.startswith("rim/")]
    given = CallerCollateral(
        veks=fetched.vceks,
        crls=fetched.crls,
        rims=tuple(NamedManifest(PurePosixPath(each.name).stem, each.data) for each in rims),
        ocsp=fetched.ocsp,
    )
    return replace(found, given=found.given + given)


def _report(part: CpuEvidence) -> SnpReport:
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


def _is_amds(answer: bytes | None) -> bool:
    """Whether AMD signed the certificate in Azure's answer: one that is forged saves no request."""
    raw, _ = thim.certificates(answer or b"")
    try:
        vek = None if raw is None else veks.parse(raw)
    except Malformed:
        return False
    signer = None if vek is None else authorities.authority(vek, AMD_ROOTS.get(vek.product))
    if vek is None or signer is None:
        return False
    own = vek.certificate
    return signatures.is_signed_by_authority(signer.spki, own.signature, own.signed)


def _products(brought: Sequence[bytes]) -> Iterator[str]:
    for each in brought:
        try:
            yield veks.parse(each).product
        except Malformed:
            continue


def _ders(brought: Sequence[bytes]) -> Iterator[bytes]:
    for each in brought:
        try:
            yield certificates.read_der(each, READABLE)
        except Malformed:
            continue
