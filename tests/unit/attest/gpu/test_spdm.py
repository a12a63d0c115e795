"""The report: every byte has a name, any bytes parse or are malformed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Malformed
from ccgpu.attest.fields import table
from ccgpu.attest.gpu import layout, spdm
from ccgpu.fakeguest.evidence import spdm as builder
from ccgpu.fakeguest.evidence.spdm import MeasurementBlock
from support.evidence_gpu import NONCE, new_gpu, parse_refusal

_ORDER = (
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF << 192
    | 0xC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
)
GPU = new_gpu()
REPORT = GPU.report()
RAW = REPORT.signed_by(GPU.device.key)
_RECORD = layout.REQUEST_SIZE + layout.RESPONSE_SIZE
_TAIL = _RECORD + layout.RECORD_SIZE


def _refusal(report: builder.GpuReportTemplate) -> str:
    return parse_refusal(report.signed_by(GPU.device.key))


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        (layout.REQUEST, 37),
        (layout.RESPONSE, 8),
        (layout.BLOCK, 55),
        (layout.TAIL, 34),
        (layout.TLV_HEADER, 4),
        (layout.FWID_EXTENSION, 189),
    ],
)
def test_the_tables_tile_their_structures(fields, size):
    assert table(tuple(fields.values()), size) == fields


def test_each_field_is_read_from_its_place():
    blocks = tuple(MeasurementBlock(index, bytes([index]) * 48) for index in range(1, 65))
    changed = replace(
        REPORT, blocks=blocks, responder_nonce=b"\x77" * 32, signature=(1, _ORDER - 1)
    )
    raw = changed.signed_by(GPU.device.key)
    report = spdm.parse(raw)
    assert report.raw == raw
    assert report.nonce == NONCE == raw[4:36]
    assert report.blocks == {index: bytes([index]) * 48 for index in range(1, 65)}
    assert report.responder_nonce == b"\x77" * 32
    assert report.opaque.driver_version == "595.71.05"
    assert report.signature == (1, _ORDER - 1)
    assert report.signed == raw[:-96]


def test_the_manifests_count_measurements_from_zero():
    report = spdm.parse(RAW)
    assert [report.measurement(index) for index in range(64)] == [
        report.blocks[index] for index in range(1, 65)
    ]
    assert report.measurement(-1) is None
    assert report.measurement(64) is None


def test_the_blocks_cannot_be_changed():
    with pytest.raises(TypeError):
        spdm.parse(RAW).blocks[1] = b""  # type: ignore[index]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("version", 0x10, "gpu.request.version"),
        ("version", 0x12, "gpu.request.version"),
        ("code", 0xE1, "gpu.request.code"),
        ("param1", 0x00, "gpu.request.signed"),
        ("param2", 0x01, "gpu.request.all"),
        ("slot", 1, "gpu.request.slot"),
    ],
)
def test_only_the_one_kind_of_request_is_accepted(field, value, reason):
    assert _refusal(replace(REPORT, request={field: value})) == reason


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("version", 0x12, "gpu.response.version"),
        ("code", 0x7F, "gpu.response.code"),
        ("param1", 1, "gpu.response.param1"),
        ("param2", 1, "gpu.response.param2"),
        ("blocks", 63, "gpu.blocks.count"),
        ("blocks", 65, "gpu.blocks.count"),
        ("record_size", 3519, "gpu.blocks.length"),
        ("record_size", 3520 + 55, "gpu.blocks.length"),
    ],
)
def test_only_the_one_kind_of_response_is_accepted(field, value, reason):
    assert _refusal(replace(REPORT, response={field: value})) == reason


def test_a_measurement_that_is_left_out_is_missed_by_count_and_length():
    fewer = replace(REPORT, blocks=REPORT.blocks[:-1])
    assert _refusal(fewer) == "gpu.blocks.count"
    assert _refusal(replace(fewer, response={"blocks": 64})) == "gpu.blocks.length"


@pytest.mark.parametrize(
    ("number", "change", "reason"),
    [
        (2, {"index": 1}, "gpu.block.duplicate"),
        (64, {"index": 63}, "gpu.block.duplicate"),
        (64, {"index": 65}, "gpu.block.gap"),
        (1, {"index": 0}, "gpu.block.gap"),
        (30, {"index": 31}, "gpu.block.gap"),
        (5, {"specification": 2}, "gpu.block.specification"),
        (5, {"specification": 0}, "gpu.block.specification"),
        (7, {"size": 50}, "gpu.block.size"),
        (7, {"size": 52}, "gpu.block.size"),
        (64, {"size": 50}, "gpu.block.size"),
        (64, {"size": 52}, "gpu.block.overrun"),
        (1, {"size": 3516}, "gpu.block.size"),
        (1, {"size": 3517}, "gpu.block.overrun"),
        (1, {"size": 0xFFFF}, "gpu.block.overrun"),
        (9, {"type": 0}, "gpu.block.type"),
        (9, {"type": 0x81}, "gpu.block.type"),
        (11, {"value_size": 32}, "gpu.block.value-size"),
        (11, {"value_size": 0xFFFF}, "gpu.block.value-size"),
    ],
)
def test_each_measurement_is_one_digest(number, change, reason):
    blocks = list(REPORT.blocks)
    blocks[number - 1] = replace(blocks[number - 1], **change)
    assert _refusal(replace(REPORT, blocks=tuple(blocks))) == reason


def test_measurements_in_another_order_are_refused():
    blocks = (REPORT.blocks[1], REPORT.blocks[0], *REPORT.blocks[2:])
    assert _refusal(replace(REPORT, blocks=blocks)) == "gpu.block.gap"


@pytest.mark.parametrize("trailing", [b"\0", b"\xff", RAW])
def test_bytes_after_the_signature_are_refused(trailing):
    assert _refusal(replace(REPORT, trailing=trailing)) == "gpu.report.trailing"


def test_opaque_data_end_where_they_say():
    size = sum(len(each.raw) for each in REPORT.opaque)
    assert _refusal(replace(REPORT, opaque_size=size + 97)) == "gpu.report"
    assert _refusal(replace(REPORT, opaque_size=0xFFFF)) == "gpu.report"
    assert _refusal(replace(REPORT, opaque_size=size + 1)) == "gpu.report"
    assert _refusal(replace(REPORT, opaque_size=size - 1)) == "gpu.report.trailing"


@pytest.mark.parametrize(
    "size",
    [0, 36, 37, 44, _RECORD, _TAIL - 1, _TAIL, _TAIL + 33, _TAIL + 34, len(RAW) - 97, len(RAW) - 1],
)
def test_a_report_that_is_cut_off_cannot_be_read(size):
    assert parse_refusal(RAW[:size]) == "gpu.report"


@pytest.mark.parametrize("signature", [(0, 1), (1, 0), (_ORDER, 1), (1, _ORDER), (2**384 - 1, 1)])
def test_the_numbers_of_a_signature_are_in_range(signature):
    assert _refusal(replace(REPORT, signature=signature)) == "gpu.signature.range"


def test_the_numbers_of_a_signature_may_be_the_first_and_the_last():
    raw = replace(REPORT, signature=(1, _ORDER - 1)).signed_by(GPU.device.key)
    assert spdm.parse(raw).signature == (1, _ORDER - 1)


def _parses_or_is_malformed(raw: bytes) -> None:
    try:
        report = spdm.parse(raw)
    except Malformed:
        return
    assert report.raw == raw


@given(st.binary(max_size=5000))
def test_any_bytes_parse_or_are_malformed(raw):
    _parses_or_is_malformed(raw)


@given(st.data())
def test_any_change_of_a_report_parses_or_is_malformed(data):
    at = data.draw(st.integers(0, len(RAW)))
    cut = data.draw(st.integers(0, 8))
    put = data.draw(st.binary(max_size=8))
    _parses_or_is_malformed(RAW[:at] + put + RAW[at + cut :])


@given(st.binary(max_size=700))
def test_any_opaque_data_in_a_report_parse_or_are_malformed(raw):
    size = layout.TAIL["opaque_size"]
    tail = RAW[_TAIL : _TAIL + size.start] + len(raw).to_bytes(2, "little")
    _parses_or_is_malformed(RAW[:_TAIL] + tail + raw + RAW[-layout.SIGNATURE_SIZE :])
