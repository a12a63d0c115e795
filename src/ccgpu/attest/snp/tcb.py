"""Trusted computing base: the security version numbers (SVN) of AMD's firmware on one chip.

There is no order of two TCBs as wholes: one is at least another only if each component is.
"""

from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class Tcb:
    """Version numbers by component; `fmc` is Turin's alone."""

    bootloader: int
    tee: int
    snp: int
    microcode: int
    fmc: int | None = None

    @property
    def components(self) -> Sequence[tuple[str, int]]:
        """The components that there are, by name."""
        every = (
            ("bootloader", self.bootloader),
            ("tee", self.tee),
            ("snp", self.snp),
            ("microcode", self.microcode),
            ("fmc", self.fmc),
        )
        return tuple((name, svn) for name, svn in every if svn is not None)

    def at_least(self, floor: "Tcb") -> bool:
        """Whether both have the same components, and none of these is below the other's."""
        own, floors = self.components, floor.components
        return len(own) == len(floors) and all(
            svn >= least for (_, svn), (_, least) in zip(own, floors, strict=True)
        )

    def __str__(self) -> str:
        return ", ".join(f"{name} {svn}" for name, svn in self.components)


def decode(raw: bytes, *, turin: bool) -> Tcb:
    """The TCB in 8 bytes of a report, or `Malformed` if a reserved one is not zero."""
    places = _TURIN_PLACES if turin else _PLACES
    if any(byte for at, byte in enumerate(raw) if at not in places.values()):
        raise Malformed(RESERVED, "zero", raw)
    return Tcb(**{name: raw[at] for name, at in places.items()})
