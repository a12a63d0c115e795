"""What is fetched for evidence: found in real evidence, and asked for by nobody's say-so."""

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from ccgpu.attest import required_collateral
from ccgpu.attest.gpu.roots import NVIDIA_DEVICE, NVIDIA_RIM
from ccgpu.attest.snp.roots import AMD_ROOTS
from ccgpu.collateral import kds
from ccgpu.collateral.sources import PUBLIC
from ccgpu.domain.collateral import CollateralFile, CollateralRequest, FetchedCollateral
from ccgpu.domain.evidence import (
    CallerCollateral,
    CpuEvidence,
    Evidence,
    GpuCollateral,
    GpuEvidence,
    NamedManifest,
    merge_caller_collateral,
)
from ccgpu.errors import EvidenceRejected, EvidenceUnavailable
from ccgpu.fakeguest.evidence.pki import pem
from ccgpu.workflows.fetch_collateral import fetch_collateral, without_forged_thim
from support import documents, revocation
from support.services import UNREACHABLE, Services, WebResponse, json_response

_AT = datetime(2025, 9, 15, 12, tzinfo=UTC)
_DRIVER = "NV_GPU_DRIVER_GH100_550.90.07"
_VBIOS = "NV_GPU_VBIOS_1010_0200_882_96009F0001"
_MIRROR = "https://useast2.thim.azure.net/nvidia"


@pytest.fixture
def genoa(vectors):
    return (vectors / "attest" / "azure-genoa-v3" / "hcl-report.bin").read_bytes()


@pytest.mark.parametrize(("place", "asked_of_it"), [(None, True), (-1, False), (-600, False)])
def test_a_thim_certificate_saves_a_request_only_if_amd_signed_it(
    genoa, vectors, place, asked_of_it
):
    raw = bytearray((vectors / "attest" / "azure-genoa-v3" / "vcek.der").read_bytes())
    if place is not None:
        raw[place] ^= 1
    answer = documents.thim(bytes(raw), b"")
    part = without_forged_thim(CpuEvidence(hcl=genoa, thim=answer), AMD_ROOTS)

    assert part.thim == (answer if asked_of_it else None)
    assert required_collateral.cpu_request(part).thim == part.thim
    for other in (b"", b"{}", b'{"vcekCert": "x"}', documents.thim(b"junk", b"")):
        assert without_forged_thim(CpuEvidence(hcl=genoa, thim=other), AMD_ROOTS).thim is None


@pytest.fixture
def h100(vectors):
    folder = vectors / "gpu" / "h100-550.90.07"
    report, chain = (folder / "report.bin").read_bytes(), (folder / "device-chain.pem").read_bytes()
    return GpuEvidence("HOPPER", report, chain)


@pytest.fixture
def manifests(vectors):
    folder = vectors / "gpu" / "h100-550.90.07"
    return {each: (folder / f"{each}.xml").read_bytes() for each in (_DRIVER, _VBIOS)}


def test_a_report_needs_vcek_and_crl(genoa, vectors):
    needs = required_collateral.cpu_request(CpuEvidence(hcl=genoa))
    (chip,) = needs.chips
    report = (vectors / "attest" / "azure-genoa-v3" / "snp-report.bin").read_bytes()
    assert chip.chip_id == report[0x1A0:0x1E0]
    assert (chip.product, chip.bootloader, chip.tee, chip.snp, chip.microcode) == (
        *("Genoa", 10, 0, 23, 84),
    )
    assert (needs.crls, needs.thim) == (("Genoa",), None)
    assert required_collateral.cpu_request(CpuEvidence(report=report)).chips == (chip,)


def test_collateral_in_the_evidence_is_requested_again(genoa):
    needs = required_collateral.cpu_request(CpuEvidence(hcl=genoa, vek=b"x", crl=b"y"))
    assert (len(needs.chips), needs.crls) == (1, ("Genoa",))


def test_the_product_of_a_version_2_report_is_that_of_its_vcek(vectors):
    case = vectors / "attest" / "azure-milan-v2"
    vek = next(path for path in case.iterdir() if path.name.startswith("vcek")).read_bytes()
    report = (case / "snp-report.bin").read_bytes()
    needs = required_collateral.cpu_request(CpuEvidence(report=report, veks=(b"junk", vek)))
    assert (needs.chips[0].product, needs.crls) == ("Milan", ("Milan",))


@pytest.mark.parametrize("brought", [True, False])
def test_the_certificate_in_the_evidence_is_used_without_an_answer_of_amd(genoa, vectors, brought):
    services = Services(_AT.timestamp())
    der = (vectors / "attest" / "azure-genoa-v3" / "vcek.der").read_bytes()
    needs = required_collateral.cpu_request(
        CpuEvidence(hcl=genoa, vek=pem(der) if brought else b"junk")
    )
    services.publish(kds.vcek_item(needs.chips[0], PUBLIC).requests[0].url, WebResponse(status=429))
    services.publish(
        kds.crl_item("Genoa", PUBLIC).requests[0].url,
        WebResponse(revocation.crl(services.clock.now(), 30)),
    )
    with services.fetching() as fetching:
        fetched = fetching.fetch(needs)
    assert fetched.vceks == ((der,) if brought else ())
    assert len(fetched.missing) == (0 if brought else 1)


@pytest.mark.parametrize("part", [CpuEvidence(), CpuEvidence(hcl=b""), CpuEvidence(report=b"x")])
def test_without_a_report_nothing_is_requested(part):
    with pytest.raises(EvidenceRejected):
        required_collateral.cpu_request(part)


def test_a_version_2_report_must_include_its_certificate(vectors):
    report = (vectors / "attest" / "azure-milan-v2" / "snp-report.bin").read_bytes()
    with pytest.raises(EvidenceUnavailable, match="version 2 does not name its processor"):
        required_collateral.cpu_request(CpuEvidence(report=report))


def test_a_gpu_needs_two_rims_and_three_ocsp_responses(h100):
    needs = required_collateral.gpu_request(h100, NVIDIA_DEVICE, _AT)
    assert needs.rims == (_DRIVER, _VBIOS)
    asked = {ocsp.load_der_ocsp_request(each).serial_number for each in needs.ocsp}
    chain = x509.load_pem_x509_certificates(h100.chain)
    assert asked == {each.serial_number for each in chain[1:4]}


@pytest.mark.parametrize("place", [4, 40, 2000, -1])
def test_nothing_is_requested_for_a_gpu_with_an_invalid_report(h100, place):
    report = bytearray(h100.report)
    report[place] ^= 1
    with pytest.raises(EvidenceRejected):
        required_collateral.gpu_request(
            GpuEvidence("HOPPER", bytes(report), h100.chain), NVIDIA_DEVICE, _AT
        )


def test_nothing_is_requested_for_a_gpu_of_another_root_or_no_chain(h100):
    with pytest.raises(EvidenceRejected, match=r"gpu\.chain\.root"):
        required_collateral.gpu_request(h100, NVIDIA_RIM, _AT)
    with pytest.raises(EvidenceRejected):
        required_collateral.gpu_request(GpuEvidence("HOPPER", h100.report, b""), NVIDIA_DEVICE, _AT)


def test_rims_need_ocsp_responses_for_their_signers_unless_damaged(manifests):
    needs = required_collateral.manifest_request([*manifests.values(), b"<xml/>"])
    assert len(needs.ocsp) == 6
    assert required_collateral.manifest_request([b"", b"<"]) == CollateralRequest()


def _publish(services: Services, manifests: dict[str, bytes]) -> None:
    for rim_id, xml in manifests.items():
        digest = hashlib.sha256(xml).hexdigest()
        answer = {"id": rim_id, "rim": base64.b64encode(xml).decode(), "sha256": digest}
        services.publish(f"{_MIRROR}/v1/rim/{rim_id}", json_response(answer))
    answer_to = lambda asked: WebResponse(revocation.ocsp_response_to(asked.body, asked.at))  # noqa: E731
    services.publish(f"{_MIRROR}/ocsp/", answer_to)


def test_a_fetch_of_two_rounds_returns_everything(genoa, h100, manifests):
    services = Services(_AT.timestamp())
    _publish(services, manifests)
    chip = required_collateral.cpu_request(CpuEvidence(hcl=genoa)).chips[0]
    services.publish(
        "https://kdsintf.amd.com/vcek/v1/Genoa/crl",
        WebResponse(revocation.crl(services.clock.now(), 30)),
    )
    vcek = (
        f"https://kdsintf.amd.com/vcek/v1/Genoa/{chip.chip_id.hex()}"
        "?blSPL=10&teeSPL=00&snpSPL=23&ucodeSPL=84"
    )
    services.publish(vcek, UNREACHABLE)
    found = Evidence("folder", cpu=CpuEvidence(hcl=genoa), gpus=(h100,))
    with services.fetching() as fetching:
        fetched = fetch_collateral(found, fetching, region="eastus2")
    assert set(fetched.rims) == set(manifests.values())
    asked = {piece.name for piece in fetched.collateral if piece.name.startswith("ocsp/")}
    assert len(fetched.ocsp) == len(asked) >= 6
    assert [each.what for each in fetched.missing] == [
        f"AMD's certificate of the Genoa chip {chip.chip_id.hex()[:16]}…"
    ]
    assert {each.url for each in services.requests if "thim" in each.url} == {
        f"{_MIRROR}/v1/rim/{_DRIVER}",
        f"{_MIRROR}/v1/rim/{_VBIOS}",
        f"{_MIRROR}/ocsp/",
    }


def test_fetched_collateral_is_the_callers_and_precedes_the_evidences():
    pieces = [
        CollateralFile(name, data, "", 0.0)
        for name, data in {
            "rim/A.xml": b"rim",
            "ocsp/a.der": b"ocsp",
            "amd/vcek-a.der": b"vcek",
            "amd/crl-Genoa.der": b"crl",
        }.items()
    ]
    own = GpuCollateral((b"own rim",), (b"own ocsp",), (b"nonce",))
    found = Evidence("folder", cpu=CpuEvidence(vek=b"own vcek"), collateral=own)
    whole = required_collateral.add_collateral(found, FetchedCollateral(tuple(pieces)))
    assert replace(whole, given=CallerCollateral()) == found
    assert whole.given == CallerCollateral(
        veks=(b"vcek",), crls=(b"crl",), rims=(NamedManifest("A", b"rim"),), ocsp=(b"ocsp",)
    )
    kept = merge_caller_collateral(whole)
    assert kept.cpu == CpuEvidence(vek=b"vcek", veks=(b"own vcek",), crl=b"crl")
    assert kept.collateral == GpuCollateral(
        (b"rim", b"own rim"), (b"ocsp", b"own ocsp"), (b"nonce",)
    )
    assert kept.given == CallerCollateral()
    assert required_collateral.add_collateral(Evidence("folder"), FetchedCollateral()) == Evidence(
        "folder"
    )
