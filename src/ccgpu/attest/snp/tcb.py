"""Trusted computing base: the security version numbers (SVN) of AMD's firmware on one chip.

There is no order of two TCBs as wholes: one is at least another only if each component is.
"""

from dataclasses import dataclass

from ccgpu.attest.check import Malformed, Rule

RESERVED = Rule(
    "snp.tcb.reserved-bytes",
    "the reserved bytes of a TCB are zero",
    "AMD SEV-SNP ABI (56860), TCB_VERSION structure",
)

# ABI specification, TCB_VERSION: where each component stands. Turin (family 1Ah) moved them.
_PLACES = {"bootloader": 0, "tee": 1, "snp": 6, "microcode": 7}
_TURIN_PLACES = {"fmc": 0, "bootloader": 1, "tee": 2, "snp": 3, "microcode": 7}
_RESERVED, _TURIN_RESERVED = range(2, 6), range(4, 7)


@dataclass(frozen=True, slots=True)
class Tcb:
    """Version numbers by component; `fmc` is Turin's alone."""

    bootloader: int
    tee: int
    snp: int
    microcode: int
    fmc: int | None = None

    def at_least(self, floor: "Tcb") -> bool:
        """Whether both have the same components, and none of these is below the other's."""
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


def decode(raw: bytes, *, turin: bool) -> Tcb:
    """The TCB in 8 bytes of a report, or `Malformed` if a reserved one is not zero."""
    places = _TURIN_PLACES if turin else _PLACES
    reserved = _TURIN_RESERVED if turin else _RESERVED
    if any(raw[at] for at in reserved):
        raise Malformed(RESERVED, "zero", raw)
    return Tcb(**{name: raw[at] for name, at in places.items()})
