"""Opaque data: each field once, of a known type and size, within its bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Malformed
from ccgpu.attest.gpu import layout, opaque, vbios
from ccgpu.fakeguest.evidence import spdm
from ccgpu.fakeguest.evidence.spdm import OpaqueField

FWID = b"\xf1" * 48
REPORT = spdm.gpu_report(bytes(32), FWID)


def _raw(report: spdm.GpuReportTemplate = REPORT) -> bytes:
    return b"".join(each.raw for each in report.opaque)


def _refusal(raw: bytes) -> str:
    with pytest.raises(Malformed) as caught:
        opaque.parse(raw)
    return caught.value.rule.id


def test_the_fields_are_read():
    found = opaque.parse(_raw())
    assert found.driver_version == "595.71.05"
    assert found.vbios_version == "96.00.9F.00.04"
    assert (found.project, found.project_sku, found.chip_sku) == ("1010", "0210", "886")
    assert found.nvdec0_enabled is False
    assert found.fwid == FWID
    assert found.protected_pcie is False
    assert found.data_version == 1
    assert found.feature_flag == 0
    assert found.fields == {each.type: each.value for each in REPORT.opaque}


def test_numbers_are_little_endian():
    found = opaque.parse(
        _raw(
            REPORT.with_opaque_fields(
                OpaqueField(layout.OPAQUE_DATA_VERSION, b"\x02\x01"),
                OpaqueField(layout.FEATURE_FLAG, b"\x04\x03"),
            )
        )
    )
    assert (found.data_version, found.feature_flag) == (0x0102, 0x0304)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (layout.FWID, "fwid"),
        (layout.PROTECTED_PCIE_STATUS, "protected_pcie"),
        (layout.OPAQUE_DATA_VERSION, "data_version"),
        (layout.FEATURE_FLAG, "feature_flag"),
    ],
)
def test_fields_missing_in_older_firmware_are_none(kind, name):
    assert getattr(opaque.parse(_raw(REPORT.without_opaque_fields(kind))), name) is None


@pytest.mark.parametrize(
    "kind",
    [
        layout.DRIVER_VERSION,
        layout.VBIOS_VERSION,
        layout.PROJECT,
        layout.PROJECT_SKU,
        layout.CHIP_SKU,
        layout.NVDEC0_STATUS,
    ],
)
def test_fields_of_every_firmware_are_required(kind):
    assert _refusal(_raw(REPORT.without_opaque_fields(kind))) == "gpu.opaque.missing"


def test_empty_opaque_data_have_no_fields():
    assert _refusal(b"") == "gpu.opaque.missing"


@pytest.mark.parametrize("kind", [0, 26, 31, 37, 254, 255, 256 + 3, 0xFFFF])
def test_an_unknown_type_is_refused(kind):
    assert (
        _refusal(_raw(REPORT.with_opaque_fields(OpaqueField(kind, b"\x01"))))
        == "gpu.opaque.unknown"
    )


@pytest.mark.parametrize("kind", [1, 2, 4, 5, 7, 8, 9, 10, 13, *range(22, 26), 32, 33, 35])
def test_a_known_but_unused_type_is_kept(kind):
    found = opaque.parse(_raw(REPORT.with_opaque_fields(OpaqueField(kind, b"\x01\x02"))))
    assert found.fields[kind] == b"\x01\x02"


@pytest.mark.parametrize("kind", sorted(each.type for each in REPORT.opaque))
def test_duplicate_fields_are_refused(kind):
    again = next(each for each in REPORT.opaque if each.type == kind)
    assert _refusal(_raw() + again.raw) == "gpu.opaque.duplicate"


@pytest.mark.parametrize("kind", sorted(each.type for each in REPORT.opaque))
def test_a_field_without_a_value_is_refused(kind):
    assert _refusal(_raw(REPORT.with_opaque_fields(OpaqueField(kind, b"")))) == "gpu.opaque.empty"


@pytest.mark.parametrize("more", [1, 2, 0xFF00])
def test_a_field_ends_within_the_data(more):
    last = OpaqueField(layout.FEATURE_FLAG, b"\0\0", size=2 + more)
    assert _refusal(_raw(REPORT.with_opaque_fields(last))) == "gpu.opaque.overrun"


@pytest.mark.parametrize("left", [1, 2, 3])
def test_the_head_of_a_field_ends_within_the_data(left):
    assert _refusal(_raw() + bytes([1, 0, 0])[:left]) == "gpu.opaque.overrun"


@pytest.mark.parametrize("kind", sorted(layout.OPAQUE_SIZES))
@pytest.mark.parametrize("more", [-1, 1])
def test_a_field_has_the_size_of_its_type(kind, more):
    size = layout.OPAQUE_SIZES[kind] + more
    reason = "gpu.opaque.size" if size else "gpu.opaque.empty"
    assert _refusal(_raw(REPORT.with_opaque_fields(OpaqueField(kind, b"\x55" * size)))) == reason


@pytest.mark.parametrize(
    "value",
    [
        b"../../x\0",
        b"550/90\0",
        b"550?x=1\0",
        b"550%2e\0",
        b"550 90\0",
        b"550\n\0",
        b"550\0.90\0",
        "550\u0660".encode() + b"\0",
        b"\xff\0",
        b"\0",
        b" ",
        b"5" * 65,
    ],
)
@pytest.mark.parametrize(
    "kind", [layout.DRIVER_VERSION, layout.PROJECT, layout.PROJECT_SKU, layout.CHIP_SKU]
)
def test_a_name_that_becomes_part_of_an_address_is_plain(kind, value):
    assert _refusal(_raw(REPORT.with_opaque_fields(OpaqueField(kind, value)))) == "gpu.opaque.text"


def test_a_name_may_have_all_that_is_plain():
    value = b"aZ09._-" + b"x" * 57
    found = opaque.parse(_raw(REPORT.with_opaque_fields(OpaqueField(layout.DRIVER_VERSION, value))))
    assert found.driver_version == value.decode()


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        (layout.NVDEC0_STATUS, "nvdec0_enabled", "gpu.opaque.nvdec"),
        (layout.PROTECTED_PCIE_STATUS, "protected_pcie", "gpu.opaque.protected-pcie"),
    ],
)
def test_a_switch_is_on_or_off_and_nothing_else(kind, name, reason):
    for value in range(256):
        raw = _raw(REPORT.with_opaque_fields(OpaqueField(kind, bytes([value]))))
        if value in (0xAA, 0x55):
            assert getattr(opaque.parse(raw), name) is (value == 0xAA)
        else:
            assert _refusal(raw) == reason


@pytest.mark.parametrize(
    ("raw", "version"),
    [
        ("009f009604000000", "96.00.9F.00.04"),
        ("00a5009601000000", "96.00.A5.00.01"),
        ("0403020105060708", "01.02.03.04.05"),
    ],
)
def test_the_vbios_version_is_little_endian(raw, version):
    assert vbios.format_version(bytes.fromhex(raw)) == version


def test_the_ids_of_the_manifests_are_made_of_the_report():
    found = opaque.parse(_raw())
    assert opaque.driver_rim_id(found, "GH100") == "NV_GPU_DRIVER_GH100_595.71.05"
    assert opaque.vbios_rim_id(found) == "NV_GPU_VBIOS_1010_0210_886_96009F0004"


def test_the_ids_of_the_manifests_are_upper_case():
    changed = REPORT.with_opaque_fields(
        OpaqueField(layout.PROJECT, b"g520\0"), OpaqueField(layout.DRIVER_VERSION, b"590.12-rc\0")
    )
    found = opaque.parse(_raw(changed))
    assert opaque.driver_rim_id(found, "GH100") == "NV_GPU_DRIVER_GH100_590.12-RC"
    assert opaque.vbios_rim_id(found) == "NV_GPU_VBIOS_G520_0210_886_96009F0004"


@given(st.binary(max_size=600))
def test_any_bytes_parse_or_are_malformed(raw):
    try:
        found = opaque.parse(raw)
    except Malformed:
        return
    assert sum(4 + len(value) for value in found.fields.values()) == len(raw)


@pytest.mark.slow
@given(st.data())
def test_any_change_of_opaque_data_parses_or_is_malformed(data):
    raw = _raw()
    at = data.draw(st.integers(0, len(raw)))
    put = data.draw(st.binary(min_size=1, max_size=4))
    changed = raw[:at] + put + raw[at + len(put) :]
    try:
        found = opaque.parse(changed)
    except Malformed:
        return
    plain = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
    assert plain.issuperset(opaque.driver_rim_id(found, "GH100") + opaque.vbios_rim_id(found))
