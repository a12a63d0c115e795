"""AMD's security bulletins as dated data: which firmware fixes which, per product.

Numbers are security version numbers (SVN, 0-255) and bits of the report's mitigation vectors. They
are second-hand: AMD's pages were read through other verifiers and the Linux kernel's mailing lists.
https://www.amd.com/en/resources/product-security/bulletin/ + the id in lower case + ".html".
The dates of AMD-SB-3015, 3020 and 3027 are not confirmed; no verdict depends on a date.
A report cannot show that a bulletin without numbers is fixed: it is always listed as open.

AMD-SB-3034: AMD withdrew its TCB values on 2026-09-24, so there are none here. AMD-SB-3023: AMD's
page named mitigation bit 3; AMD's kernel engineers say that bit 3 is of another issue and that the
fix shows in the SVN, which is not published for Genoa: no numbers either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

DATE = "2026-11-28"
# AMD publishes every quarter: older data has missed two rounds. Read anew by then.
REVIEW_BY = datetime(2027, 5, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bulletin:
    """One bulletin: `snp` and `microcode` are the lowest SVNs (0-255) with the fix on `product`.

    `published`: if the date is known. `alias_check`: the fix needs PLATFORM_INFO bit 5 as well.
    `mitigation`: the bit of both mitigation vectors that shows the fix; with `bit_required` it must
    be set, whatever the TCB.
    """

    id: str
    name: str
    cve: str
    product: str
    published: str | None = None
    snp: int = 0
    microcode: int = 0
    alias_check: bool = False
    mitigation: int | None = None
    bit_required: bool = False

    @property
    def answerable(self) -> bool:
        """Whether a report can show that it is fixed."""
        return bool(self.snp or self.microcode or self.alias_check)

    def is_covered(self, snp: int, microcode: int, mitigations: int | None, alias: bool) -> bool:
        """Whether firmware of these SVNs and bits has the fix, as far as a report shows."""
        if not self.answerable or snp < self.snp or microcode < self.microcode:
            return False
        return (alias or not self.alias_check) and self._mitigated(mitigations)

    def _mitigated(self, mitigations: int | None) -> bool:
        if self.mitigation is None:
            return True
        if mitigations is None:
            return not self.bit_required
        return bool(mitigations >> self.mitigation & 1)


BULLETINS = (
    Bulletin(
        "AMD-SB-3015",
        "BadRAM",
        "CVE-2024-21944",
        "Genoa",
        "2024-12-10",
        snp=0x16,
        alias_check=True,
    ),
    Bulletin(
        "AMD-SB-3019",
        "EntrySign",
        "CVE-2024-56161",
        "Genoa",
        "2025-02-03",
        snp=0x17,
        microcode=0x54,
    ),
    Bulletin(
        "AMD-SB-3020",
        "RMPocalypse",
        "CVE-2025-0033",
        "Genoa",
        "2025-10-13",
        snp=0x1B,
        microcode=0x56,
        mitigation=1,
    ),
    Bulletin("AMD-SB-3027", "StackWarp", "CVE-2025-29943", "Genoa", "2026-01-15", microcode=0x56),
    Bulletin(
        "AMD-SB-3016",
        "CVE-2023-20585",
        "CVE-2023-20585",
        "Genoa",
        "2026-04-14",
        snp=0x1B,
        mitigation=2,
        bit_required=True,
    ),
    Bulletin("AMD-SB-3023", "CVE-2025-48514", "CVE-2025-48514", "Genoa"),
    Bulletin("AMD-SB-3034", "Fabricked", "CVE-2025-54510", "Genoa", "2026-04-14"),
    Bulletin("AMD-SB-3021", "Heracles", "ciphertext side channel", "Genoa"),
    Bulletin(
        "AMD-SB-3015",
        "BadRAM",
        "CVE-2024-21944",
        "Milan",
        "2024-12-10",
        snp=0x17,
        alias_check=True,
    ),
    Bulletin("AMD-SB-3030", "BreakFAST", "CVE-2025-61971", "Milan", snp=0x1D),
)


@lru_cache(maxsize=64)  # a policy asks for the same few at each verdict
def bulletins_fixed_at(component: str, floor: int, product: str) -> tuple[str, ...]:
    """The ids of the bulletins whose fix came with SVN `floor` of `component`."""
    wanted = {
        b.id: getattr(b, component, 0)
        for b in BULLETINS
        if b.product == product and not b.bit_required
    }
    return tuple(id_ for id_, number in wanted.items() if number and number == floor)


def bulletins_in_mask(mask: int) -> tuple[str, ...]:
    """The ids of the bulletins that a bit of `mask` signals, of any product."""
    ids = [b.id for b in BULLETINS if b.mitigation is not None and mask >> b.mitigation & 1]
    return tuple(dict.fromkeys(ids))


def open_bulletins(
    product: str,
    *,
    snp: int,
    microcode: int,
    alias_check: bool,
    mitigations: int | None = None,
) -> tuple[str, ...]:
    """The bulletins of `product` that this firmware does not fix, or cannot be shown to.

    `mitigations`: the bits that are set in both vectors; None if the report has no vectors.
    """
    return tuple(
        f"{b.id} ({b.name})"
        for b in BULLETINS
        if b.product == product and not b.is_covered(snp, microcode, mitigations, alias_check)
    )


def common_bits(vectors: Sequence[int | None]) -> int | None:
    """The bits that are set in every one of the vectors; None if one of them is missing."""
    bits = -1
    for vector in vectors:
        if vector is None:
            return None
        bits &= vector
    return bits
