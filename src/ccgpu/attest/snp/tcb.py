"""Trusted computing base: the security version numbers (SVN) of AMD's firmware on one chip.

TCBs are compared component by component: one is at least another only if each component is.
"""

from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter

from ccgpu.attest.check import Malformed, Rule

RESERVED = Rule(
    "snp.tcb.reserved-bytes",
    "the reserved bytes of a TCB are zero",
    "AMD SEV-SNP ABI (56860), TCB_VERSION structure",
)

# ABI specification, TCB_VERSION: offset of each component. Turin (family 1Ah) has another layout.
# In the order of `Tcb`: boot loader, TEE, SNP, microcode and, on Turin, FMC.
_components, _turin_components = itemgetter(0, 1, 6, 7), itemgetter(1, 2, 3, 7, 0)
_RESERVED, _TURIN_RESERVED = slice(2, 6), slice(4, 7)


@dataclass(frozen=True, slots=True)
class Tcb:
    """Security version numbers (0-255) by component; only Turin has `fmc`."""

    bootloader: int
    tee: int
    snp: int
    microcode: int
    fmc: int | None = None

    def at_least(self, floor: "Tcb") -> bool:
        """Whether both have the same components and each is at least that of `floor`."""
        if (self.fmc is None) != (floor.fmc is None):
            return False
        return (
            self.bootloader >= floor.bootloader
            and self.tee >= floor.tee
            and self.snp >= floor.snp
            and self.microcode >= floor.microcode
            and (self.fmc or 0) >= (floor.fmc or 0)
        )

    def __str__(self) -> str:
        fmc = "" if self.fmc is None else f", fmc {self.fmc}"
        rest = f"tee {self.tee}, snp {self.snp}, microcode {self.microcode}"
        return f"bootloader {self.bootloader}, {rest}{fmc}"


@lru_cache(maxsize=64)  # the four of a report are one, most of the time
def decode(raw: bytes, *, turin: bool) -> Tcb:
    """Decode a TCB (8 bytes), or raise `Malformed` if a reserved byte is not zero."""
    reserved = _TURIN_RESERVED if turin else _RESERVED
    if any(raw[reserved]):
        raise Malformed(RESERVED, "zero", raw)
    return Tcb(*(_turin_components if turin else _components)(raw))
