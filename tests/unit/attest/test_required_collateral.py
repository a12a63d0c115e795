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
def test_azures_answer_saves_a_request_only_with_a_certificate_that_amd_signed(
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


def test_a_report_needs_the_certificate_of_its_chip_and_the_list(genoa, vectors):
    needs = required_collateral.cpu_request(CpuEvidence(hcl=genoa))
    (chip,) = needs.chips
    report = (vectors / "attest" / "azure-genoa-v3" / "snp-report.bin").read_bytes()
    assert chip.chip_id == report[0x1A0:0x1E0]
    assert (chip.product, chip.bootloader, chip.tee, chip.snp, chip.microcode) == (
        *("Genoa", 10, 0, 23, 84),
    )
    assert (needs.crls, needs.thim) == (("Genoa",), None)
    assert required_collateral.cpu_request(CpuEvidence(report=report)).chips == (chip,)


def test_what_the_evidence_brings_is_asked_for_all_the_same(genoa):
    needs = required_collateral.cpu_request(CpuEvidence(hcl=genoa, vek=b"x", crl=b"y"))
    assert (len(needs.chips), needs.crls) == (1, ("Genoa",))


def test_a_report_that_names_no_product_is_of_its_certificates(vectors):
    case = vectors / "attest" / "azure-milan-v2"
    vek = next(path for path in case.iterdir() if path.name.startswith("vcek")).read_bytes()
    report = (case / "snp-report.bin").read_bytes()
    needs = required_collateral.cpu_request(CpuEvidence(report=report, veks=(b"junk", vek)))
    assert (needs.chips[0].product, needs.crls) == ("Milan", ("Milan",))


@pytest.mark.parametrize("brought", [True, False])
def test_the_evidences_certificate_will_do_where_amd_has_no_answer(genoa, vectors, brought):
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
def test_without_a_report_nothing_is_asked_for(part):
    with pytest.raises(EvidenceRejected):
        required_collateral.cpu_request(part)


def test_a_report_that_names_no_product_must_bring_its_certificate(vectors):
    report = (vectors / "attest" / "azure-milan-v2" / "snp-report.bin").read_bytes()
    with pytest.raises(EvidenceUnavailable, match="version 2 does not name its processor"):
        required_collateral.cpu_request(CpuEvidence(report=report))


def test_a_gpu_needs_its_two_manifests_and_three_answers(h100):
    needs = required_collateral.gpu_request(h100, NVIDIA_DEVICE, _AT)
    assert needs.rims == (_DRIVER, _VBIOS)
    asked = {ocsp.load_der_ocsp_request(each).serial_number for each in needs.ocsp}
    chain = x509.load_pem_x509_certificates(h100.chain)
    assert asked == {each.serial_number for each in chain[1:4]}


@pytest.mark.parametrize("place", [4, 40, 2000, -1])
def test_a_gpu_that_nvidia_does_not_stand_behind_has_nothing_asked_for(h100, place):
    report = bytearray(h100.report)
    report[place] ^= 1
    with pytest.raises(EvidenceRejected):
        required_collateral.gpu_request(
            GpuEvidence("HOPPER", bytes(report), h100.chain), NVIDIA_DEVICE, _AT
        )


def test_nor_has_one_of_another_root_or_without_certificates(h100):
    with pytest.raises(EvidenceRejected, match=r"gpu\.chain\.root"):
        required_collateral.gpu_request(h100, NVIDIA_RIM, _AT)
    with pytest.raises(EvidenceRejected):
        required_collateral.gpu_request(GpuEvidence("HOPPER", h100.report, b""), NVIDIA_DEVICE, _AT)


def test_manifests_need_answers_about_their_signers_and_damaged_ones_none(manifests):
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


def test_a_fetch_has_two_rounds_and_brings_everything(genoa, h100, manifests):
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


def test_what_was_fetched_is_the_callers_and_kept_before_the_evidences():
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
