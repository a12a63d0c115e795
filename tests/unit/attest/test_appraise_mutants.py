"""Small print of a verdict: tables that do not tile, bulletins by name, a hint without a cause."""

import pytest

from ccgpu.attest import bulletins
from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.fields import Field, table
from ccgpu.errors import EvidenceRejected
from support.vms import AT


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ((Field("a", 0, 1), Field("b", 2, 1)), 3),
        ((Field("a", 0, 2), Field("b", 1, 1)), 2),
        ((Field("a", 0, 1),), 2),
        ((Field("a", 0, 1), Field("a", 1, 1)), 2),
    ],
)
def test_a_table_tiles_and_names_each_field_once(fields, size):
    with pytest.raises(ValueError, match=r"starts at|ends at|one name"):
        table(fields, size)


def test_no_checks_at_all_are_a_rejection_without_a_hint():
    with pytest.raises(EvidenceRejected) as caught:
        Appraisal("rejected", [], "cpu-only", AT).require()
    assert caught.value.hint is None


def test_each_bulletin_is_told_by_number_and_name():
    def told(product: str) -> tuple[str, ...]:
        return bulletins.not_covered(product, snp=0, microcode=0, alias_check=False)

    assert told("Milan") == ("AMD-SB-3015 (BadRAM)", "AMD-SB-3030 (BreakFAST)")
    assert told("Genoa") == (
        "AMD-SB-3015 (BadRAM)",
        "AMD-SB-3019 (EntrySign)",
        "AMD-SB-3020 (RMPocalypse)",
        "AMD-SB-3027 (StackWarp)",
        "AMD-SB-3034 (Fabricked)",
        "AMD-SB-3021 (Heracles)",
    )
