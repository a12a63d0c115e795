"""Every single flipped bit of a report is refused: signed or not, and of the signature itself."""

from dataclasses import replace

import pytest

from ccgpu.attest.snp.layout import FIELDS, SIGNED, SIZE
from ccgpu.attest.snp.roots import AMD_ROOTS
from support.evidence_amd import SnpEvidence
from support.slow import mostly_slow

_SIGNATURE = range(FIELDS["signature_r"].start, FIELDS["signature_s"].end)
_TAIL = range(FIELDS["reserved_330"].start, FIELDS["reserved_330"].end)
_PARSING = {"snp.report.version", "snp.report.reserved", "snp.tcb.reserved-bytes"}


@pytest.fixture(params=["built", "real"])
def evidence(request, machine):
    """Good evidence: our own, and that of a real machine."""
    if request.param == "built":
        return machine.evidence()
    folder = request.getfixturevalue("vectors") / "attest" / "snp-genoa-v5"
    report, vek = (folder / "snp-report.bin").read_bytes(), (folder / "vcek.der").read_bytes()
    return SnpEvidence(report, vek, AMD_ROOTS)


_EVERY = 9  # one more than the bits of a byte, so that the quick run flips each of the eight
_CHUNKS = pytest.mark.parametrize("first", mostly_slow(range(_EVERY), _EVERY))


def _flipped(evidence: SnpEvidence, bit: int) -> SnpEvidence:
    raw = bytearray(evidence.report)
    raw[bit // 8] ^= 1 << bit % 8
    return replace(evidence, report=bytes(raw))


@_CHUNKS
def test_no_bit_of_what_is_signed_may_flip(evidence, first):
    for bit in range(first, SIGNED.size * 8, _EVERY):
        refusals = _flipped(evidence, bit).refusals()
        assert "snp.signature" in refusals or refusals <= _PARSING
        assert refusals


@_CHUNKS
def test_no_bit_of_the_signature_may_flip(evidence, first):
    wanted = ({"snp.signature"}, {"snp.signature.padding"}, {"snp.signature.range"})
    for bit in range(8 * _SIGNATURE.start + first, 8 * _SIGNATURE.stop, _EVERY):
        assert _flipped(evidence, bit).refusals() in wanted


def test_no_bit_of_the_unsigned_tail_may_flip(evidence):
    for byte in _TAIL:
        for bit in range(8 * byte, 8 * byte + 8):
            assert _flipped(evidence, bit).refusals() == {"snp.report.reserved"}


def test_these_are_all_bits_of_a_report():
    assert SIGNED.size == 0x2A0
    assert SIGNED.size + len(_SIGNATURE) + len(_TAIL) == SIZE
