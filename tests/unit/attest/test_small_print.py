"""Small print of a verdict: tables that do not tile, bulletins by name, a hint without a cause."""

import struct

import pytest

from ccgpu.attest import bulletins
from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.evidence_result import EvidenceResult
from ccgpu.attest.fields import Field, splitter, table
from ccgpu.errors import EvidenceRejected
from support.vms import AT


@pytest.mark.parametrize(
    ("fields", "size", "words"),
    [
        ((Field("a", 0, 1), Field("b", 2, 1)), 3, "b starts at 0x2, not at 0x1"),
        ((Field("a", 0, 2), Field("b", 1, 1)), 2, "b starts at 0x1, not at 0x2"),
        ((Field("a", 1, 1),), 2, "a starts at 0x1, not at 0x0"),
        ((Field("a", 0, 1),), 2, "the table ends at 0x1, not at 0x2"),
        ((Field("a", 0, 1), Field("b", 1, 16)), 16, "the table ends at 0x11, not at 0x10"),
        ((Field("a", 0, 1), Field("a", 1, 1)), 2, "two fields have one name"),
    ],
)
def test_a_table_tiles_and_names_each_field_once(fields, size, words):
    with pytest.raises(ValueError, match=f"^{words}$"):
        table(fields, size)


def test_a_structure_is_split_into_the_bytes_of_each_field():
    fields = table((Field("a", 0, 1), Field("b", 1, 2), Field("c", 3, 1, reserved=True)), 4)
    data = bytes(range(4))
    assert splitter(fields)(data) == {name: field.of(data) for name, field in fields.items()}
    for other in (data[:-1], data + b"\0"):
        with pytest.raises(struct.error):
            splitter(fields)(other)


def test_a_field_is_cut_from_its_structure():
    one, two = Field("a", 0, 1), Field("b", 1, 2, reserved=True)
    assert table((one, two), 3) == {"a": one, "b": two}
    assert (one.of(b"abcd"), two.of(b"abcd"), two.end) == (b"a", b"bc", 3)


def test_the_exit_code_of_one_of_many_is_that_of_its_error():
    good = EvidenceResult("a.json", Appraisal("accepted", [], "cpu-only", AT))
    bad = EvidenceResult("b.json", error=EvidenceRejected("no"))
    assert (good.exit_code, bad.exit_code) == (0, EvidenceRejected("no").exit_code)
    assert bad.exit_code != 0
    assert (bad.appraisal, bad.format_, bad.ignored) == (None, "", ())


def test_a_verdict_without_checks_is_a_rejection_without_a_hint():
    with pytest.raises(EvidenceRejected) as caught:
        Appraisal("rejected", [], "cpu-only", AT).require()
    assert caught.value.hint is None


@pytest.mark.parametrize(
    ("product", "snp", "microcode", "left"),
    [
        ("Genoa", 0x15, 0x53, {"3015", "3016", "3019", "3020", "3027"}),
        ("Genoa", 0x16, 0x53, {"3016", "3019", "3020", "3027"}),
        ("Genoa", 0x16, 0x54, {"3016", "3019", "3020", "3027"}),
        ("Genoa", 0x17, 0x53, {"3016", "3019", "3020", "3027"}),
        ("Genoa", 0x17, 0x54, {"3016", "3020", "3027"}),
        ("Genoa", 0x1A, 0x56, {"3016", "3020"}),
        ("Genoa", 0x1B, 0x55, {"3020", "3027"}),
        ("Genoa", 0x1B, 0x56, set()),
        ("Milan", 0x16, 0xFF, {"3015", "3030"}),
        ("Milan", 0x17, 0xFF, {"3030"}),
        ("Milan", 0x1C, 0xFF, {"3030"}),
        ("Milan", 0x1D, 0x00, set()),
    ],
)
def test_a_bulletin_is_covered_from_its_tcb_on(product, snp, microcode, left):
    unanswerable = {
        "AMD-SB-3023 (CVE-2025-48514)",
        "AMD-SB-3034 (Fabricked)",
        "AMD-SB-3021 (Heracles)",
    }
    told = bulletins.open_bulletins(
        product, snp=snp, microcode=microcode, alias_check=True, mitigations=0b110
    )
    assert {one.split()[0][-4:] for one in told if one not in unanswerable} == left
    assert unanswerable <= set(told) or product == "Milan"


@pytest.mark.parametrize(
    ("mitigations", "left"),
    [
        (0b111, set()),
        (0b110, set()),
        (0b010, {"AMD-SB-3016"}),
        (0b100, {"AMD-SB-3020"}),
        (0, {"AMD-SB-3016", "AMD-SB-3020"}),
        (None, {"AMD-SB-3016"}),
    ],
)
def test_a_bulletin_with_a_mitigation_bit_needs_tcb_and_bit(mitigations, left):
    told = bulletins.open_bulletins(
        "Genoa", snp=0x1B, microcode=0x58, alias_check=True, mitigations=mitigations
    )

    assert {one.split()[0] for one in told} - {"AMD-SB-3021", "AMD-SB-3023", "AMD-SB-3034"} == left


def test_withdrawn_or_unpublished_bulletins_have_no_tcb():
    for id_ in ("AMD-SB-3023", "AMD-SB-3034"):
        assert [b.answerable for b in bulletins.BULLETINS if b.id == id_] == [False]


def test_a_bit_is_set_only_if_every_vector_has_it():
    assert bulletins.common_bits((0b110, 0b011)) == 0b010
    assert bulletins.common_bits((0b110, None)) is None
    assert bulletins.bulletins_in_mask(0b110) == ("AMD-SB-3020", "AMD-SB-3016")


def test_without_the_alias_check_a_vm_is_open_to_badram():
    for product in ("Genoa", "Milan"):
        told = bulletins.open_bulletins(product, snp=99, microcode=999, alias_check=False)
        assert "AMD-SB-3015 (BadRAM)" in told


def test_a_floor_is_explained_by_the_bulletins_that_ask_for_it():
    assert bulletins.bulletins_fixed_at("snp", 0x1B, "Genoa") == ("AMD-SB-3020",)
    assert bulletins.bulletins_fixed_at("microcode", 0x56, "Genoa") == (
        "AMD-SB-3020",
        "AMD-SB-3027",
    )
    assert bulletins.bulletins_fixed_at("snp", 0x1D, "Milan") == ("AMD-SB-3030",)
    assert bulletins.bulletins_fixed_at("tee", 0, "Genoa") == ()
    assert bulletins.bulletins_fixed_at("tee", 1, "Genoa") == ()


def test_each_bulletin_has_number_and_name():
    def told(product: str) -> tuple[str, ...]:
        return bulletins.open_bulletins(product, snp=0, microcode=0, alias_check=False)

    assert told("Milan") == ("AMD-SB-3015 (BadRAM)", "AMD-SB-3030 (BreakFAST)")
    assert told("Genoa") == (
        "AMD-SB-3015 (BadRAM)",
        "AMD-SB-3019 (EntrySign)",
        "AMD-SB-3020 (RMPocalypse)",
        "AMD-SB-3027 (StackWarp)",
        "AMD-SB-3016 (CVE-2023-20585)",
        "AMD-SB-3023 (CVE-2025-48514)",
        "AMD-SB-3034 (Fabricked)",
        "AMD-SB-3021 (Heracles)",
    )
