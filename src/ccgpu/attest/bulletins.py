"""AMD's security bulletins as dated data: which firmware answers which, for the products we know.

Numbers are security version numbers (SVN, 0-255). Read 2026-11-22, the bulletins as of 2026-10-08;
https://www.amd.com/en/resources/product-security/bulletin/ + the id in lower case + ".html".
A bulletin without numbers cannot be answered by a TCB: it is listed as never covered.
"""

from dataclasses import dataclass

DATE = "2026-11-22"


@dataclass(frozen=True, slots=True)
class Bulletin:
    """One bulletin: `snp` and `microcode` are the lowest SVNs that answer it on `product`."""

    id: str
    name: str
    cve: str
    product: str
    snp: int = 0
    microcode: int = 0
    alias_check: bool = False

    @property
    def answerable(self) -> bool:
        """Whether a report can show that it is answered."""
        return bool(self.snp or self.microcode or self.alias_check)


BULLETINS = (
    Bulletin("AMD-SB-3015", "BadRAM", "CVE-2024-21944", "Genoa", snp=0x16, alias_check=True),
    Bulletin("AMD-SB-3019", "EntrySign", "CVE-2024-56161", "Genoa", snp=0x17, microcode=0x54),
    Bulletin("AMD-SB-3020", "RMPocalypse", "CVE-2025-0033", "Genoa", snp=0x1B, microcode=0x56),
    Bulletin("AMD-SB-3027", "StackWarp", "CVE-2025-29943", "Genoa", microcode=0x56),
    Bulletin("AMD-SB-3034", "Fabricked", "CVE-2025-54510", "Genoa"),
    Bulletin("AMD-SB-3021", "Heracles", "ciphertext side channel", "Genoa"),
    Bulletin("AMD-SB-3015", "BadRAM", "CVE-2024-21944", "Milan", snp=0x17, alias_check=True),
    Bulletin("AMD-SB-3030", "BreakFAST", "CVE-2025-61971", "Milan", snp=0x1D),
)


def answered_by(component: str, floor: int, product: str) -> tuple[str, ...]:
    """The bulletins that ask for more than `floor - 1` of `component` and no more than `floor`."""
    wanted = {b.id: getattr(b, component, 0) for b in BULLETINS if b.product == product}
    return tuple(id_ for id_, number in wanted.items() if number and number == floor)


def not_covered(product: str, *, snp: int, microcode: int, alias_check: bool) -> tuple[str, ...]:
    """The bulletins of `product` that such firmware does not answer, or cannot be shown to."""
    return tuple(
        f"{b.id} ({b.name})"
        for b in BULLETINS
        if b.product == product
        and (
            not b.answerable
            or snp < b.snp
            or microcode < b.microcode
            or (b.alias_check and not alias_check)
        )
    )
