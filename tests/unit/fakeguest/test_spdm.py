"""The GPU report builder: everything can be changed before signing."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ccgpu.attest.gpu import layout
from ccgpu.fakeguest.evidence import nvidia_pki, spdm
from ccgpu.fakeguest.evidence.spdm import MeasurementBlock, OpaqueField

_KEY = nvidia_pki.new_key()
_NONCE, _FWID = b"\x4e" * 32, b"\xf1" * 48
_REPORT = spdm.gpu_report(_NONCE, _FWID)
_RECORD = layout.REQUEST_SIZE + layout.RESPONSE_SIZE


@pytest.mark.parametrize("name", [name for name in layout.REQUEST if name != "nonce"])
def test_each_field_of_the_request_can_be_changed_and_nothing_else_changes(name):
    after = replace(_REPORT, request={name: 0x5A}).unsigned
    place = layout.REQUEST[name]
    assert after == _patched(_REPORT.unsigned, place.start, b"\x5a")


@pytest.mark.parametrize("name", layout.RESPONSE)
def test_each_field_of_the_response_can_be_changed_and_nothing_else_changes(name):
    after = replace(_REPORT, response={name: 0x5A}).unsigned
    place = layout.RESPONSE[name]
    value = (0x5A).to_bytes(place.size, "little")
    assert after == _patched(_REPORT.unsigned, layout.REQUEST_SIZE + place.start, value)


@pytest.mark.parametrize("name", [name for name in layout.BLOCK if name != "value"])
def test_each_field_of_a_measurement_can_be_changed_and_nothing_else_changes(name):
    changes: dict[str, Any] = {name: 0x5A}
    blocks = (replace(_REPORT.blocks[0], **changes), *_REPORT.blocks[1:])
    place = layout.BLOCK[name]
    value = (0x5A).to_bytes(place.size, "little")
    after = replace(_REPORT, blocks=blocks).unsigned
    assert after == _patched(_REPORT.unsigned, _RECORD + place.start, value)


def _patched(raw: bytes, at: int, value: bytes) -> bytes:
    return raw[:at] + value + raw[at + len(value) :]


def test_the_nonce_and_the_measurements_are_in_their_places():
    raw = spdm.gpu_report(_NONCE, _FWID, {0: b"\x01" * 48, 63: b"\x40" * 48}).unsigned
    assert layout.REQUEST["nonce"].of(raw) == _NONCE
    blocks = [raw[_RECORD + 55 * number :][:55] for number in range(64)]
    assert [block[0] for block in blocks] == list(range(1, 65))
    assert blocks[0][7:] == b"\x01" * 48
    assert blocks[63][7:] == b"\x40" * 48
    assert blocks[1][7:] == spdm.measurement(1)


def test_a_measurement_is_replaced_by_its_index():
    report = _REPORT.with_measurements(
        MeasurementBlock(3, b"\x03" * 48), MeasurementBlock(64, b"\x40" * 48)
    )
    assert [each.index for each in report.blocks] == list(range(1, 65))
    changed = [each.index for each in report.blocks if each not in _REPORT.blocks]
    assert changed == [3, 64]


def test_an_opaque_field_is_replaced_added_and_left_out():
    new, other = OpaqueField(layout.FWID, b"\x02" * 48), OpaqueField(1, b"issuer")
    report = _REPORT.with_opaque_fields(new, other)
    assert {new, other} <= set(report.opaque)
    assert len(report.opaque) == len(_REPORT.opaque) + 1
    assert layout.FWID not in {
        each.type for each in report.without_opaque_fields(layout.FWID).opaque
    }


def test_sizes_default_to_the_correct_ones():
    assert OpaqueField(3, b"abc").raw == b"\x03\0\x03\0abc"
    assert OpaqueField(3, b"abc", size=0x0102).raw == b"\x03\0\x02\x01abc"
    opaque = b"".join(each.raw for each in _REPORT.opaque)
    assert _REPORT.unsigned.endswith(len(opaque).to_bytes(2, "little") + opaque)
    assert replace(_REPORT, opaque_size=7).unsigned.endswith(b"\x07\0" + opaque)


def test_a_report_is_signed_with_the_key_that_is_given():
    raw = _REPORT.signed_by(_KEY)
    assert raw[:-96] == _REPORT.unsigned
    r, s = int.from_bytes(raw[-96:-48], "big"), int.from_bytes(raw[-48:], "big")
    signature = encode_dss_signature(r, s)
    _KEY.public_key().verify(signature, raw[:-96], ec.ECDSA(hashes.SHA384()))


def test_signature_and_trailing_bytes_can_be_set():
    raw = replace(_REPORT, signature=(1, 2), trailing=b"more").signed_by(_KEY)
    assert raw == _REPORT.unsigned + bytes(47) + b"\x01" + bytes(47) + b"\x02" + b"more"


def test_the_vbios_version_is_written_back_to_front():
    assert spdm.encode_vbios_version("96.00.9F.00.04").hex() == "009f009604000000"
