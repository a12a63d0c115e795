"""The report builder: every field of the table can be changed before signing."""

from itertools import pairwise

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ccgpu.attest.snp.layout import FIELDS, SIGNED, SIZE
from ccgpu.fakeguest.evidence import snp
from ccgpu.fakeguest.evidence.amd import SimulatedChip, SimulatedTcb

_CHIP = SimulatedChip()
_NUMBERS = ("signature_r", "signature_s")


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_can_be_changed_and_nothing_else_changes(name):
    place = FIELDS[name]
    before = snp.snp_report(_CHIP).raw
    after = snp.snp_report(_CHIP, **{name: b"\xa5" * place.size}).raw
    assert place.of(after) == b"\xa5" * place.size
    assert before[: place.start] == after[: place.start]
    assert before[place.end :] == after[place.end :]
    assert len(after) == SIZE


def test_a_report_is_signed_with_the_key_that_is_given():
    raw = snp.snp_report(_CHIP).signed_by(_CHIP.key)
    r, s = (int.from_bytes(FIELDS[name].of(raw), "little") for name in _NUMBERS)
    signature = encode_dss_signature(r, s)
    _CHIP.key.public_key().verify(signature, SIGNED.of(raw), ec.ECDSA(hashes.SHA384()))


@pytest.mark.parametrize("name", _NUMBERS)
def test_a_number_of_the_signature_can_be_replaced(name):
    raw = snp.snp_report(_CHIP, **{name: 7}).signed_by(_CHIP.key)
    assert int.from_bytes(FIELDS[name].of(raw), "little") == 7


def test_numbers_are_little_endian_and_tcbs_in_their_own_order():
    raw = snp.snp_report(_CHIP, guest_svn=0x01020304, current_tcb=SimulatedTcb(1, 2, 3, 4)).raw
    assert FIELDS["guest_svn"].of(raw) == b"\4\3\2\1"
    assert FIELDS["current_tcb"].of(raw) == bytes((1, 2, 0, 0, 0, 0, 3, 4))
    assert SimulatedTcb(1, 2, 3, 4, fmc=5).raw == bytes((5, 1, 2, 3, 0, 0, 0, 4))


def test_unknown_field_or_wrong_size_is_an_error():
    with pytest.raises(KeyError):
        snp.snp_report(_CHIP, nonsense=1)
    with pytest.raises(ValueError, match="report_data has 64 bytes, not 3"):
        snp.snp_report(_CHIP, report_data=b"abc")


def test_the_table_has_an_order():
    assert all(before.end == after.start for before, after in pairwise(FIELDS.values()))
