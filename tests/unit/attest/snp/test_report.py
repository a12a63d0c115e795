"""The report: every byte has a name, any bytes parse or are malformed."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Malformed
from ccgpu.attest.fields import table
from ccgpu.attest.snp import report as reports
from ccgpu.attest.snp.bits import GuestPolicy, KeyInfo, PlatformInfo
from ccgpu.attest.snp.layout import FIELDS, SIGNED, SINCE, SIZE, VERSIONS

_ORDER = (
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF << 192
    | 0xC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
)
_RESERVED = [name for name, place in FIELDS.items() if place.reserved]


def _refusal(raw: bytes) -> str:
    with pytest.raises(Malformed) as caught:
        reports.parse(raw)
    return caught.value.rule.id


def test_the_table_tiles_the_report():
    assert table(tuple(FIELDS.values()), SIZE) == FIELDS
    assert SIZE == 1184
    assert FIELDS["signature_r"].start == SIGNED.end


@pytest.mark.parametrize("version", VERSIONS)
def test_each_field_is_read_from_its_place(machine, version):
    cpuid = {"cpuid_fam_id": 0, "cpuid_mod_id": 0, "cpuid_step": 0} if version < 3 else {}
    vectors = {"launch_mit_vector": 0xA, "current_mit_vector": 0xB} if version >= 5 else {}
    raw = machine.report(
        version=version,
        guest_svn=0x01020304,
        policy=0x3011F,
        family_id=b"F" * 16,
        image_id=b"I" * 16,
        vmpl=2,
        signature_algo=7,
        platform_info=0x21,
        key_info=0x5,
        report_data=b"D" * 64,
        measurement=b"M" * 48,
        host_data=b"H" * 32,
        id_key_digest=b"K" * 48,
        author_key_digest=b"A" * 48,
        report_id=b"R" * 32,
        report_id_ma=b"G" * 32,
        chip_id=b"C" * 64,
        current_tcb=bytes((1, 2, 0, 0, 0, 0, 3, 4)),
        reported_tcb=bytes((5, 6, 0, 0, 0, 0, 7, 8)),
        committed_tcb=bytes((9, 10, 0, 0, 0, 0, 11, 12)),
        launch_tcb=bytes((13, 14, 0, 0, 0, 0, 15, 16)),
        current_major=1,
        current_minor=2,
        current_build=3,
        committed_major=4,
        committed_minor=5,
        committed_build=6,
        signature_r=1,
        signature_s=_ORDER - 1,
        **cpuid,
        **vectors,
    ).raw
    report = reports.parse(raw)
    assert report.raw == raw
    assert report.signed == raw[:0x2A0]
    assert report.version == version
    assert report.guest_svn == 0x01020304
    assert (report.policy.abi_major, report.policy.abi_minor) == (1, 0x1F)
    assert report.family_id == b"F" * 16
    assert report.image_id == b"I" * 16
    assert report.vmpl == 2
    assert report.signature_algo == 7
    assert report.platform_info.raw == 0x21
    assert report.key_info.signing_key == "VLEK"
    assert report.report_data == b"D" * 64
    assert report.measurement == b"M" * 48
    assert report.host_data == b"H" * 32
    assert report.id_key_digest == b"K" * 48
    assert report.author_key_digest == b"A" * 48
    assert report.report_id == b"R" * 32
    assert report.report_id_ma == b"G" * 32
    assert report.chip_id == b"C" * 64
    assert str(report.current_tcb) == "bootloader 1, tee 2, snp 3, microcode 4"
    assert str(report.reported_tcb) == "bootloader 5, tee 6, snp 7, microcode 8"
    assert str(report.committed_tcb) == "bootloader 9, tee 10, snp 11, microcode 12"
    assert str(report.launch_tcb) == "bootloader 13, tee 14, snp 15, microcode 16"
    assert str(report.current_version) == "1.2.3"
    assert str(report.committed_version) == "4.5.6"
    assert report.signature == (1, _ORDER - 1)
    assert (report.launch_mit_vector, report.current_mit_vector) == (
        (0xA, 0xB) if vectors else (None, None)
    )
    assert str(report.cpuid) == ("None" if cpuid else "19/11/01")
    assert report.product == (None if cpuid else "Genoa")


def test_the_tcb_of_turin_has_another_layout(machine):
    raw = machine.report(
        cpuid_fam_id=0x1A,
        cpuid_mod_id=0x02,
        reported_tcb=bytes((1, 2, 3, 4, 0, 0, 0, 5)),
        **{f"{which}_tcb": bytes(8) for which in ("current", "committed", "launch")},
        signature_r=1,
        signature_s=1,
    ).raw
    report = reports.parse(raw)
    assert report.product == "Turin"
    assert str(report.reported_tcb) == "bootloader 2, tee 3, snp 4, microcode 5, fmc 1"


@pytest.mark.parametrize(
    ("family", "model", "product"),
    [
        (0x19, 0x00, "Milan"),
        (0x19, 0x0F, "Milan"),
        (0x19, 0x10, "Genoa"),
        (0x19, 0x1F, "Genoa"),
        (0x19, 0x20, None),
        (0x19, 0x9F, None),
        (0x19, 0xA0, "Genoa"),
        (0x19, 0xAF, "Genoa"),
        (0x19, 0xB0, None),
        (0x1A, 0x00, "Turin"),
        (0x1A, 0x11, "Turin"),
        (0x1A, 0x12, None),
        (0x17, 0x01, None),
    ],
)
def test_family_and_model_name_the_product(machine, family, model, product):
    report = machine.report(
        cpuid_fam_id=family,
        cpuid_mod_id=model,
        **{f"{which}_tcb": bytes(8) for which in ("current", "reported", "committed", "launch")},
        signature_r=1,
        signature_s=1,
    )
    assert reports.parse(report.raw).product == product


@pytest.mark.parametrize(
    ("bit", "name"),
    [
        (16, "smt"),
        (17, "reserved_one"),
        (18, "migration_agent"),
        (19, "debug"),
        (24, "ciphertext_hiding"),
        (25, "page_swap_disabled"),
    ],
)
def test_each_bit_of_the_guest_policy_has_its_name(bit, name):
    assert getattr(GuestPolicy(1 << bit), name)
    assert not getattr(GuestPolicy(~(1 << bit) & (1 << 64) - 1), name)


@pytest.mark.parametrize(
    ("bit", "name"), [(0, "smt"), (4, "ciphertext_hiding"), (5, "alias_check_complete")]
)
def test_each_bit_of_platform_info_has_its_name(bit, name):
    assert getattr(PlatformInfo(1 << bit), name)
    assert not getattr(PlatformInfo(~(1 << bit) & (1 << 64) - 1), name)


@pytest.mark.parametrize(
    ("number", "name"), [(0, "VCEK"), (1, "VLEK"), (2, "reserved (2)"), (7, "none")]
)
def test_each_kind_of_signing_key_has_its_name(number, name):
    assert KeyInfo(number << 2 | 0xFFFFFFE3).signing_key == name


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda _: b""])
def test_truncated_and_overlong_reports_are_refused(machine, change):
    assert _refusal(change(machine.evidence().report)) == "snp.report"


@pytest.mark.parametrize("version", [0, 1, 6, 0x02000000, 0xFFFFFFFF])
def test_an_unknown_version_is_refused(machine, version):
    assert machine.evidence(machine.report(version=version)).refusals() == {"snp.report.version"}


@pytest.mark.parametrize("name", _RESERVED)
@pytest.mark.parametrize("last", [False, True])
def test_reserved_bytes_are_zero(machine, name, last):
    size = FIELDS[name].size
    value = bytes(size - 1) + b"\x80" if last else b"\x01" + bytes(size - 1)
    evidence = machine.evidence(machine.report(**{name: value}))
    assert evidence.refusals() == {"snp.report.reserved"}


@pytest.mark.parametrize(("name", "since"), SINCE.items())
def test_a_field_of_a_later_version_is_reserved_before(machine, name, since):
    later = dict.fromkeys(SINCE, 0) | {name: 1}
    assert _refusal(machine.report(version=since - 1, **later).raw) == "snp.report.reserved"


@pytest.mark.parametrize("which", ["current", "reported", "committed", "launch"])
@pytest.mark.parametrize("at", [2, 3, 4, 5])
def test_reserved_bytes_of_a_tcb_are_zero(machine, which, at):
    raw = bytearray(machine.chip.tcb.raw)
    raw[at] = 1
    evidence = machine.evidence(machine.report(**{f"{which}_tcb": bytes(raw)}))
    assert evidence.refusals() == {"snp.tcb.reserved-bytes"}


@pytest.mark.parametrize("name", ["signature_r", "signature_s"])
@pytest.mark.parametrize("at", [48, 71])
def test_a_number_of_the_signature_fills_48_bytes(machine, name, at):
    evidence = machine.evidence()
    raw = bytearray(evidence.report)
    raw[FIELDS[name].start + at] = 1
    assert _refusal(bytes(raw)) == "snp.signature.padding"


@pytest.mark.parametrize("name", ["signature_r", "signature_s"])
@pytest.mark.parametrize("number", [0, _ORDER, _ORDER + 1, (1 << 384) - 1])
def test_a_number_of_the_signature_is_below_the_order_and_not_zero(machine, name, number):
    evidence = machine.evidence(machine.report(**{name: number}))
    assert evidence.refusals() == {"snp.signature.range"}


@given(st.binary(max_size=2 * SIZE) | st.binary(min_size=SIZE, max_size=SIZE))
def test_any_bytes_parse_or_are_malformed(raw):
    with suppress(Malformed):
        assert reports.parse(raw).raw == raw


@given(st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(0, 255)), max_size=8))
def test_a_damaged_report_parses_or_is_malformed(machine, changes):
    raw = bytearray(machine.report(signature_r=1, signature_s=1).raw)
    for at, value in changes:
        raw[at] = value
    try:
        report = reports.parse(bytes(raw))
    except Malformed:
        return
    assert report.raw == raw
