"""Reports and certificates of real GPUs: each gets the answer that its description gives."""

import base64
import json
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from ccgpu.attest import certificates
from ccgpu.attest.check import Checks, Malformed, Outcome, Rule, Verified
from ccgpu.attest.gpu import chain as chains
from ccgpu.attest.gpu import opaque, spdm
from ccgpu.attest.gpu.chain import DeviceChain
from ccgpu.attest.gpu.roots import NVIDIA_DEVICE, NVIDIA_RIM
from ccgpu.attest.gpu.verify import verify
from support.evidence_gpu import GpuEvidence, parse_refusal
from support.slow import mostly_slow

_RULE = Rule("test.root", "a root of the test", "the test")
TIMES = [datetime(2025, 9, 15, 12, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)]


@pytest.fixture
def h100(vectors) -> GpuEvidence:
    """An H100 with driver 550.90.07; NVIDIA published its nonce."""
    folder = vectors / "gpu" / "h100-550.90.07"
    return GpuEvidence(
        report=(folder / "report.bin").read_bytes(),
        chain=(folder / "device-chain.pem").read_bytes(),
        root=NVIDIA_DEVICE,
        nonce=bytes.fromhex((folder / "nonce.hex").read_text()),
        allow_known_nonce=True,
        with_mode=True,
    )


@pytest.fixture
def ppcie(vectors) -> GpuEvidence:
    """An H100 in protected-PCIe mode."""
    file = vectors / "gpu" / "negative" / "ppcie" / "hopper_evidence.json"
    (found,) = json.loads(file.read_text())
    return GpuEvidence(
        report=base64.b64decode(found["evidence"]),
        chain=base64.b64decode(found["certificate"]),
        root=NVIDIA_DEVICE,
        nonce=bytes.fromhex(found["nonce"]),
        arch=found["arch"],
    )


@pytest.mark.parametrize(
    ("file", "anchor"),
    [("nvidia-device-identity-ca", NVIDIA_DEVICE), ("nvidia-corim-signing-root-ca", NVIDIA_RIM)],
)
def test_the_pinned_roots_are_nvidias(vectors, file, anchor):
    pem = (vectors / "roots" / f"{file}.pem").read_bytes()
    assert certificates.anchor_of(certificates.load(pem, _RULE)) == anchor


@pytest.mark.parametrize("at", TIMES, ids=str)
def test_the_h100_is_accepted(h100, vectors, at):
    expected = json.loads((vectors / "gpu" / "h100-550.90.07" / "expected.json").read_text())
    judged = replace(h100, at=at).judge()
    assert judged.refusals == set()
    assert isinstance(judged.outcome, Verified)
    assert isinstance(judged.chain, Verified)
    found = judged.outcome.value.opaque
    assert found.driver_version == expected["driver"]
    assert found.vbios_version == expected["vbios"]
    assert found.fwid == bytes.fromhex(expected["fwid"])
    assert found.nvdec0_enabled is False
    assert judged.chain.value.hwmodel == "GH100 A01 GSP BROM"
    assert judged.chain.value.ueid == "478176379286082186618948445787393647364802107249"


def test_the_manifests_of_the_h100_are_those_beside_it(h100, vectors):
    found = spdm.parse(h100.report).opaque
    ids = {opaque.driver_rim_id(found, "GH100"), opaque.vbios_rim_id(found)}
    folder = vectors / "gpu" / "h100-550.90.07"
    assert ids == {file.stem for file in folder.glob("*.xml")}


def test_the_h100_is_refused_for_its_nonce(h100):
    assert replace(h100, allow_known_nonce=False).refusals() == {"gpu.nonce.known"}


def test_the_h100_is_refused_with_another_byte_behind_it(h100):
    assert parse_refusal(h100.report + b"\0") == "gpu.report.trailing"


def test_protected_pcie_is_refused_by_mode_and_its_cryptography_is_good(ppcie):
    assert ppcie.refusals() == set()
    wrong = {"gpu.mode.protected-pcie", "gpu.pcie.enabled"}
    assert replace(ppcie, with_mode=True).refusals() == wrong


def test_an_invalid_signature_is_refused_and_another_firmware(vectors):
    folder = vectors / "gpu" / "negative" / "invalid-signature"
    text = (folder / "hopperAttestationReportInvalidSignature.txt").read_text()
    evidence = GpuEvidence(
        report=bytes.fromhex(text),
        chain=(folder / "hopperCertChain.txt").read_bytes(),
        root=NVIDIA_DEVICE,
        nonce=spdm.parse(bytes.fromhex(text)).nonce,
        allow_known_nonce=True,
    )
    assert evidence.refusals() == {"gpu.signature", "gpu.fwid"}


@pytest.mark.parametrize(
    ("case", "reasons"),
    [
        (1, set()),
        (2, {"gpu.chain.length"}),
        (3, {"gpu.chain.length"}),
        (4, {"gpu.chain.length"}),
    ],
    ids=["whole", "root only", "an intermediate is missing", "the leaf is missing"],
)
def test_a_chain_is_whole_or_refused(vectors, case, reasons):
    folder = vectors / "gpu" / "negative" / "chain-cases"
    report = bytes.fromhex((folder / "hopperAttestationReport.txt").read_text())
    evidence = GpuEvidence(
        report=report,
        chain=(folder / f"hopper_cert_chain_case{case}.txt").read_bytes(),
        root=NVIDIA_DEVICE,
        nonce=spdm.parse(report).nonce,
        allow_known_nonce=True,
    )
    assert evidence.refusals() == reasons


@dataclass(frozen=True)
class Flips:
    """A genuine report, ready for bits to be flipped; the chain is verified once."""

    raw: bytes
    nonce: bytes
    chain: Outcome[DeviceChain]

    def accepted(self, bit: int) -> bool:
        """Whether the report is verified with one bit flipped."""
        changed = bytearray(self.raw)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            report = spdm.parse(bytes(changed))
        except Malformed:
            return False
        found = verify(report, self.chain, self.nonce, Checks(), allow_known_nonce=True)
        return isinstance(found, Verified)


@pytest.fixture
def flips(h100) -> Flips:
    chain = chains.verify(h100.chain, h100.root, h100.at, Checks())
    assert isinstance(chain, Verified)
    assert h100.nonce is not None
    outcome = verify(spdm.parse(h100.report), chain, h100.nonce, Checks(), allow_known_nonce=True)
    assert isinstance(outcome, Verified)
    return Flips(h100.report, h100.nonce, chain)


@pytest.mark.slow
@pytest.mark.parametrize("first", mostly_slow(range(15), 15, 15))  # CI tries one in 15
def test_every_flipped_bit_of_the_report_is_refused(flips, first):
    bits = len(flips.raw) * 8
    assert bits == 32936
    assert [bit for bit in range(first, bits, 15) if flips.accepted(bit)] == []


@pytest.mark.slow
def test_a_flipped_bit_of_the_report_is_refused(flips):
    bits = random.sample(range(len(flips.raw) * 8), 400)  # pytest-randomly seeds it and says how
    assert [bit for bit in bits if flips.accepted(bit)] == []
