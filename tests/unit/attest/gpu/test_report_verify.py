"""Reports that are valid but for one thing, signed again, and refused by exactly that reason."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Checks, Unverified, Verified
from ccgpu.attest.gpu import chain, layout, mode, spdm
from ccgpu.attest.gpu.verify import KNOWN_NONCES, verify
from ccgpu.fakeguest.evidence import nvidia_pki, pki
from ccgpu.fakeguest.evidence import spdm as builder
from ccgpu.fakeguest.evidence.spdm import MeasurementBlock, OpaqueField
from support.evidence_gpu import NONCE, Gpu, new_gpu
from support.tampering import tamperable_gpu

GPU = new_gpu()
EVIDENCE = GPU.evidence()
REPORT = GPU.report()


def test_the_report_of_a_gpu_is_verified():
    judged = EVIDENCE.judge()
    assert judged.refusals == set()
    assert isinstance(judged.outcome, Verified)
    assert judged.outcome.value == spdm.parse(EVIDENCE.report)


def test_the_key_of_another_gpu_did_not_sign():
    other = Gpu(GPU.nvidia, GPU.nvidia.device(GPU.device.fwid))
    assert replace(EVIDENCE, report=other.evidence().report).refusals() == {"gpu.signature"}


def test_the_key_of_the_chip_did_not_sign():
    raw = REPORT.signed_by(GPU.device.keys[nvidia_pki.CHIP])
    assert replace(EVIDENCE, report=raw).refusals() == {"gpu.signature"}


@pytest.mark.parametrize("signature", [(1, 1), (7, 2**380)])
def test_other_numbers_are_no_signature(signature):
    assert GPU.evidence(replace(REPORT, signature=signature)).refusals() == {"gpu.signature"}


def test_r_and_s_do_not_stand_for_each_other():
    r, s = spdm.parse(EVIDENCE.report).signature
    assert GPU.evidence(replace(REPORT, signature=(s, r))).refusals() == {"gpu.signature"}


def _signed_part() -> int:
    return len(EVIDENCE.report) - layout.SIGNATURE_SIZE


@given(st.integers(0, _signed_part() * 8 - 1))
def test_no_bit_of_what_is_signed_can_be_changed(bit):
    assert replace(EVIDENCE, report=_flipped(EVIDENCE.report, bit)).refusals()


@pytest.mark.slow
@given(st.integers(0, layout.SIGNATURE_SIZE * 8 - 1))
def test_no_bit_of_the_signature_can_be_changed(bit):
    changed = _flipped(EVIDENCE.report, _signed_part() * 8 + bit)
    assert replace(EVIDENCE, report=changed).refusals() <= {"gpu.signature", "gpu.signature.range"}
    assert replace(EVIDENCE, report=changed).refusals()


def _flipped(raw: bytes, bit: int) -> bytes:
    at, mask = bit // 8, 1 << bit % 8
    return raw[:at] + bytes([raw[at] ^ mask]) + raw[at + 1 :]


@pytest.mark.parametrize("nonce", [None, b""])
def test_a_report_without_an_expected_nonce_is_not_fresh(nonce):
    assert replace(EVIDENCE, nonce=nonce).refusals() == {"gpu.nonce.unasked"}


@pytest.mark.parametrize("nonce", [NONCE[:31], NONCE + b"\0", NONCE[:1], NONCE * 2])
def test_the_nonce_of_a_gpu_has_32_bytes(nonce):
    assert replace(EVIDENCE, nonce=nonce).refusals() == {"gpu.nonce.size"}


@pytest.mark.parametrize(
    "nonce",
    [
        bytes(32),
        NONCE[:31] + bytes([NONCE[31] ^ 1]),
        bytes([NONCE[0] ^ 0x80]) + NONCE[1:],
        NONCE[::-1],
    ],
)
def test_the_nonce_is_compared_in_full(nonce):
    assert replace(EVIDENCE, nonce=nonce).refusals() == {"gpu.nonce.other"}


@pytest.mark.parametrize("nonce", sorted(KNOWN_NONCES))
def test_a_nonce_that_nvidia_published_is_refused_unless_it_is_allowed(nonce):
    evidence = replace(GPU.evidence(replace(REPORT, nonce=nonce)), nonce=nonce)
    assert evidence.refusals() == {"gpu.nonce.known"}
    assert replace(evidence, allow_known_nonce=True).refusals() == set()
    assert replace(evidence, allow_known_nonce=True, nonce=NONCE).refusals() == {"gpu.nonce.other"}


def test_the_published_nonces_are_two():
    assert {known[:4].hex() for known in KNOWN_NONCES} == {"931d8dd0", "4cff7f53"}
    assert {len(known) for known in KNOWN_NONCES} == {32}


def test_the_report_of_other_firmware_is_refused():
    other = builder.gpu_report(NONCE, b"\xf2" * 48)
    assert GPU.evidence(other).refusals() == {"gpu.fwid"}


def test_one_bit_of_the_firmware_is_another_firmware():
    fwid = GPU.device.fwid[:-1] + bytes([GPU.device.fwid[-1] ^ 1])
    assert GPU.evidence(REPORT.with_opaque_fields(OpaqueField(layout.FWID, fwid))).refusals() == {
        "gpu.fwid"
    }


def test_a_report_that_does_not_say_its_firmware_is_refused():
    assert GPU.evidence(REPORT.without_opaque_fields(layout.FWID)).refusals() == {"gpu.fwid.absent"}


def test_a_leaf_that_does_not_say_its_firmware_is_refused():
    device = tamperable_gpu(GPU.device).without_extension(nvidia_pki.LEAF, layout.FWID_OID)
    assert GPU.evidence(device=device).refusals() == {"gpu.leaf.fwid.absent"}


def test_report_and_leaf_without_a_firmware_are_rejected():
    device = tamperable_gpu(GPU.device).without_extension(nvidia_pki.LEAF, layout.FWID_OID)
    refusals = GPU.evidence(REPORT.without_opaque_fields(layout.FWID), device).refusals()
    assert refusals == {"gpu.leaf.fwid.absent", "gpu.fwid.absent"}


def test_a_report_is_not_verified_by_a_chain_that_is_not():
    judged = replace(EVIDENCE, root=new_gpu().root).judge()
    assert {check.id: check.ok for check in judged.checks}["gpu.signature"]
    assert isinstance(judged.outcome, Unverified)


def test_a_report_is_not_verified_without_a_chain():
    checks = Checks()
    outcome = verify(spdm.parse(EVIDENCE.report), None, NONCE, checks)
    assert isinstance(outcome, Unverified)
    assert "gpu.signature" not in {check.id for check in checks.made}
    wrong = Checks()
    verify(
        spdm.parse(GPU.evidence(REPORT.without_opaque_fields(layout.FWID)).report),
        None,
        None,
        wrong,
    )
    refused = {check.id for check in wrong.made if not check.ok}
    assert refused == {"gpu.nonce.unasked", "gpu.fwid.absent"}


def test_a_key_of_another_kind_signs_no_report():
    key = rsa.generate_private_key(65537, 2048)
    device = tamperable_gpu(GPU.device).with_certificate(
        nvidia_pki.LEAF, key=pki.public_key_info(key)
    )
    refused = GPU.evidence(device=device).refusals()
    assert refused == {"gpu.chain.key", "gpu.signature"}


def test_all_reasons_are_listed():
    evidence = GPU.evidence(REPORT.with_opaque_fields(OpaqueField(layout.FWID, bytes(48))))
    other = Gpu(GPU.nvidia, GPU.nvidia.device()).device.pem
    assert replace(evidence, chain=other, nonce=bytes(32)).refusals() == {
        "gpu.signature",
        "gpu.nonce.other",
        "gpu.fwid",
    }


def test_measurements_are_signed_like_all_else():
    changed = REPORT.with_measurements(MeasurementBlock(9, b"\x09" * 48))
    assert GPU.evidence(changed).refusals() == set()
    judged = GPU.evidence(changed).judge()
    assert judged.outcome is not None
    assert judged.outcome.value.measurement(8) == b"\x09" * 48


def _mode(*fields: OpaqueField, silent_on: tuple[int, ...] = ()) -> set[str]:
    evidence = GPU.evidence(REPORT.with_opaque_fields(*fields).without_opaque_fields(*silent_on))
    assert evidence.refusals() == set()  # genuine, in any mode
    return replace(evidence, with_mode=True).refusals()


def _flag(value: int) -> OpaqueField:
    return OpaqueField(layout.FEATURE_FLAG, value.to_bytes(2, "little"))


def _version(value: int) -> OpaqueField:
    return OpaqueField(layout.OPAQUE_DATA_VERSION, value.to_bytes(2, "little"))


_PCIE_ON = OpaqueField(layout.PROTECTED_PCIE_STATUS, b"\xaa")


def test_a_gpu_that_is_alone_and_confidential_is_accepted():
    assert _mode() == set()


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ([_flag(1)], {"gpu.mode.multi-gpu"}),
        ([_flag(2)], {"gpu.mode.protected-pcie"}),
        ([_flag(3)], {"gpu.mode.unknown"}),
        ([_flag(0x100)], {"gpu.mode.unknown"}),
        ([_PCIE_ON], {"gpu.pcie.enabled"}),
        ([_flag(2), _PCIE_ON], {"gpu.mode.protected-pcie", "gpu.pcie.enabled"}),
        ([_version(0), _flag(1)], {"gpu.mode.multi-gpu"}),
    ],
)
def test_the_other_modes_are_refused_though_the_gpu_is_genuine(fields, reasons):
    assert _mode(*fields) == reasons


@pytest.mark.parametrize("version", [1, 2, 0x100])
def test_firmware_that_knows_of_the_flag_has_to_say_it(version):
    flag = layout.FEATURE_FLAG
    assert _mode(_version(version), silent_on=(flag,)) == {"gpu.mode.absent"}


def test_older_firmware_is_alone_by_the_pcie_status():
    flag, version = layout.FEATURE_FLAG, layout.OPAQUE_DATA_VERSION
    assert _mode(silent_on=(flag, version)) == set()
    assert _mode(_version(0), silent_on=(flag,)) == set()
    assert _mode(_PCIE_ON, silent_on=(flag, version)) == {"gpu.pcie.enabled"}


def test_a_gpu_that_does_not_say_its_pcie_status_is_refused():
    assert _mode(silent_on=(layout.PROTECTED_PCIE_STATUS,)) == {"gpu.pcie.absent"}


def test_every_mode_is_said_in_words():
    for fields, words in [
        ((_flag(1),), "several GPUs"),
        ((_flag(2),), "protected PCIe"),
        ((_flag(9),), "mode 9"),
    ]:
        judged = replace(GPU.evidence(REPORT.with_opaque_fields(*fields)), with_mode=True).judge()
        (failed,) = [check for check in judged.checks if not check.ok]
        assert (failed.expected, failed.actual) == ("one GPU", words)


def test_verified_reports_list_their_checks():
    checks = Checks()
    since = chain.verify(EVIDENCE.chain, EVIDENCE.root, EVIDENCE.at, checks)
    outcome = verify(spdm.parse(EVIDENCE.report), since, NONCE, checks)
    assert isinstance(outcome, Verified)
    mode.verify(outcome, checks)
    assert all(check.ok and check.source and check.what for check in checks.made)
    assert len({check.id for check in checks.made}) == len(checks.made)
