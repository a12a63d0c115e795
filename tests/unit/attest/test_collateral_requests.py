"""What is requested for evidence, and the words in which a request is refused."""

from dataclasses import replace

import pytest

from ccgpu import __version__
from ccgpu.attest import required_collateral, simulated
from ccgpu.attest.gpu.verify import KNOWN_NONCES
from ccgpu.attest.snp import report as snp_report
from ccgpu.domain.collateral import CollateralRequest
from ccgpu.domain.evidence import CpuEvidence, Evidence
from ccgpu.errors import CcgpuError, EvidenceRejected, EvidenceUnavailable
from ccgpu.fakeguest.evidence.pki import pem
from ccgpu.fakeguest.evidence.spdm import VersionedOpaqueData
from support import gpus, vms
from support.gpus import gpu
from support.vms import AT, vm

_FOUND = gpus.bound_evidence(vm(), gpu())


def _roots():
    roots = simulated.simulated_roots(_FOUND)
    assert roots is not None
    return roots


def _cpu(**changes):
    assert _FOUND.cpu is not None
    return replace(_FOUND.cpu, **changes)


def _refusal(call, *arguments) -> CcgpuError:
    with pytest.raises(CcgpuError) as caught:
        call(*arguments)
    return caught.value


def test_evidence_needs_what_its_cpu_and_each_gpu_need():
    nvidia = _roots().nvidia_device
    cpu = required_collateral.cpu_request(_cpu())
    one = required_collateral.gpu_request(_FOUND.gpus[0], nvidia, AT)
    asked = required_collateral.evidence_request

    assert asked(_FOUND, nvidia, AT) == cpu + one
    assert asked(replace(_FOUND, gpus=()), nvidia, AT) == cpu
    assert asked(replace(_FOUND, cpu=None), nvidia, AT) == one
    assert asked(replace(_FOUND, cpu=None, gpus=_FOUND.gpus * 2), nvidia, AT) == one + one
    assert asked(Evidence("bundle"), nvidia, AT) == CollateralRequest()


def test_the_cpu_needs_the_certificate_and_list_of_its_chip():
    asked = required_collateral.cpu_request(_cpu(thim=b"{}"))
    tcb = vm().chip.tcb
    (chip,) = asked.chips

    assert (chip.product, chip.chip_id) == ("Genoa", vm().chip.hwid)
    assert (chip.bootloader, chip.tee, chip.snp, chip.microcode) == (
        tcb.bootloader,
        tcb.tee,
        tcb.snp,
        tcb.microcode,
    )
    assert (asked.crls, asked.thim) == (("Genoa",), b"{}")
    assert (asked.rims, asked.ocsp) == ((), ())


def test_certificates_of_the_evidence_stand_in_as_der_and_only_the_readable_ones():
    vek = _FOUND.cpu.vek if _FOUND.cpu else None
    assert vek is not None
    junk = b"-----BEGIN junk"
    asked = required_collateral.cpu_request(_cpu(vek=pem(vek), veks=(junk, vek)))

    assert asked.veks == (vek, vek)
    assert required_collateral.cpu_request(_cpu(vek=None, veks=(junk,))).veks == ()


def test_a_gpu_needs_the_manifests_and_answers_of_its_driver_vbios_and_chain():
    asked = required_collateral.gpu_request(_FOUND.gpus[0], _roots().nvidia_device, AT)

    assert asked.rims == (
        "NV_GPU_DRIVER_GH100_595.71.05",
        "NV_GPU_VBIOS_1010_0210_886_96009F0004",
    )
    assert len(set(asked.ocsp)) == 3
    assert (asked.chips, asked.crls) == ((), ())


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (CpuEvidence(), "there is no SNP report in the evidence"),
        (CpuEvidence(hcl=b""), "the SNP report cannot be read: "),
        (CpuEvidence(report=b"x"), "the SNP report cannot be read: "),
    ],
)
def test_evidence_without_a_readable_report_is_refused(part, words):
    error = _refusal(required_collateral.cpu_request, part)

    assert isinstance(error, EvidenceRejected)
    assert str(error).startswith(words)
    assert (str(error) == words) == (part == CpuEvidence())


def test_the_report_beside_a_blob_is_not_the_one_that_is_asked_for():
    beside = required_collateral.cpu_request(_cpu(report=b"x"))
    assert beside == required_collateral.cpu_request(_cpu())


def test_a_report_that_names_no_processor_needs_a_certificate_that_does():
    unnamed = {"cpuid_fam_id": 0, "cpuid_mod_id": 0, "cpuid_step": 0}
    older = replace(vm(), report={"version": 2, **unnamed})
    raw = vms.cpu_evidence(older.collect(b"")).hcl
    assert raw is not None
    error = _refusal(required_collateral.cpu_request, CpuEvidence(hcl=raw, vek=b"junk"))

    assert isinstance(error, EvidenceUnavailable)
    assert str(error) == "an SNP report of version 2 does not name its processor"
    assert error.hint == (
        "add AMD's certificate of the chip (VCEK) and the revocation list to the evidence"
    )
    with_it = required_collateral.cpu_request(CpuEvidence(hcl=raw, vek=_cpu().vek))
    assert (with_it.chips[0].product, with_it.crls) == ("Genoa", ("Genoa",))


def test_a_report_that_is_too_new_needs_a_newer_release():
    newer = replace(gpu(), versioned=VersionedOpaqueData(version=(3, 0, 0)))
    part = gpus.nonce_evidence(newer).gpus[0]
    error = _refusal(required_collateral.gpu_request, part, _roots().nvidia_device, AT)

    assert isinstance(error, EvidenceUnavailable)
    assert str(error).startswith("the GPU's report is too new for this ccgpu: ")
    assert error.hint == f"use a ccgpu newer than {__version__}"


def test_a_gpu_that_is_not_nvidias_is_refused_with_the_reasons():
    nvidia = _roots().nvidia_device
    unread = replace(_FOUND.gpus[0], report=b"\x11\xe0")
    unchained = replace(_FOUND.gpus[0], chain=b"")
    raw = bytearray(_FOUND.gpus[0].report)
    raw[-1] ^= 1
    forged = replace(_FOUND.gpus[0], report=bytes(raw))

    for part, root, words in (
        (unread, nvidia, "the GPU's report cannot be read: "),
        (unchained, nvidia, "the report is not from a genuine NVIDIA GPU: gpu.chain"),
        (forged, nvidia, "the report is not from a genuine NVIDIA GPU: gpu.signature"),
        (
            _FOUND.gpus[0],
            _roots().nvidia_rim,
            "the report is not from a genuine NVIDIA GPU: gpu.chain.root",
        ),
    ):
        error = _refusal(required_collateral.gpu_request, part, root, AT)
        assert isinstance(error, EvidenceRejected)
        assert str(error).startswith(words)


def test_a_certificate_is_amds_if_its_authority_is_and_signed_it():
    amd = _roots().amd
    vek = _cpu().vek
    assert vek is not None

    assert required_collateral.is_signed_by_amd(vek, amd) is True
    assert required_collateral.is_signed_by_amd(pem(vek), amd) is True
    assert required_collateral.is_signed_by_amd(vek, {}) is False
    assert required_collateral.is_signed_by_amd(b"junk", amd) is False
    assert required_collateral.is_signed_by_amd(vek[:-1] + bytes([vek[-1] ^ 1]), amd) is False


def test_manifests_need_answers_about_their_signers_each():
    rims = _FOUND.collateral.rims
    both = required_collateral.manifest_request(rims)
    first, second = (required_collateral.manifest_request([each]) for each in rims)

    assert both.ocsp == first.ocsp + second.ocsp
    assert len(first.ocsp) == 3
    assert required_collateral.manifest_request([b"<", *rims]) == both
    assert (both.rims, both.chips) == ((), ())


def test_the_chip_is_that_of_the_report():
    assert _cpu().hcl is not None
    report = snp_report.parse((_cpu().hcl or b"")[0x20 : 0x20 + 1184])
    (chip,) = required_collateral.cpu_request(_cpu()).chips
    assert chip.chip_id == report.chip_id


def test_whether_a_report_is_fresh_is_not_asked_here():
    known = gpus.nonce_evidence(gpu(), min(KNOWN_NONCES)).gpus[0]
    asked = required_collateral.gpu_request(known, _roots().nvidia_device, AT)

    assert asked.rims[0] == "NV_GPU_DRIVER_GH100_595.71.05"
