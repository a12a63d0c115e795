"""The bit fields of a report: guest policy, platform information, key information.

Each keeps its raw value. Bits that AMD reserves are `reserved`; `report_invariants` checks them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GuestPolicy:
    """POLICY: what the guest's owner allowed (AMD SEV-SNP ABI (56860), Guest Policy)."""

    raw: int

    @property
    def abi_minor(self) -> int:
        """Bits 0-7: the least ABI version."""
        return self.raw & 0xFF

    @property
    def abi_major(self) -> int:
        """Bits 8-15: the least ABI version."""
        return self.raw >> 8 & 0xFF

    @property
    def smt(self) -> bool:
        """Bit 16: simultaneous multithreading is allowed."""
        return bool(self.raw >> 16 & 1)

    @property
    def reserved_one(self) -> bool:
        """Bit 17: reserved, must be one."""
        return bool(self.raw >> 17 & 1)

    @property
    def migration_agent(self) -> bool:
        """Bit 18: a migration agent may be associated with the guest."""
        return bool(self.raw >> 18 & 1)

    @property
    def debug(self) -> bool:
        """Bit 19: the host may read and write the guest's memory."""
        return bool(self.raw >> 19 & 1)

    @property
    def cxl(self) -> bool:
        """Bit 21: the guest may run where CXL devices and memory are."""
        return bool(self.raw >> 21 & 1)

    @property
    def ciphertext_hiding(self) -> bool:
        """Bit 24: hiding of ciphertext is required."""
        return bool(self.raw >> 24 & 1)

    @property
    def page_swap_disabled(self) -> bool:
        """Bit 25: the host may not move or swap pages of the guest."""
        return bool(self.raw >> 25 & 1)

    @property
    def reserved(self) -> int:
        """Bits 26-63, in place."""
        return self.raw >> 26 << 26

    def __str__(self) -> str:
        return f"{self.raw:#x}"


@dataclass(frozen=True, slots=True)
class PlatformInfo:
    """PLATFORM_INFO: how the machine is set up (AMD SEV-SNP ABI (56860), ATTESTATION_REPORT)."""

    raw: int

    @property
    def smt(self) -> bool:
        """Bit 0: simultaneous multithreading is on."""
        return bool(self.raw & 1)

    @property
    def ciphertext_hiding(self) -> bool:
        """Bit 4: ciphertext of DRAM is hidden from the host."""
        return bool(self.raw >> 4 & 1)

    @property
    def alias_check_complete(self) -> bool:
        """Bit 5: since the last reset, the firmware checked for memory aliases and found none."""
        return bool(self.raw >> 5 & 1)

    @property
    def reserved(self) -> int:
        """Bits 6 and 8-63, in place."""
        return self.raw & ~0xBF


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """The word at 48h: which keys were in use (AMD SEV-SNP ABI (56860), ATTESTATION_REPORT)."""

    raw: int

    @property
    def author_key(self) -> bool:
        """Bit 0: AUTHOR_KEY_DIGEST says who signed the ID key."""
        return bool(self.raw & 1)

    @property
    def mask_chip_key(self) -> bool:
        """Bit 1: the host forbids the use of the chip's key; nothing is signed."""
        return bool(self.raw >> 1 & 1)

    @property
    def signing_key(self) -> str:
        """Bits 2-4: the kind of key that signed the report."""
        number = self.raw >> 2 & 7
        return {0: "VCEK", 1: "VLEK", 7: "none"}.get(number, f"reserved ({number})")

    @property
    def reserved(self) -> int:
        """Bits 5-31, in place."""
        return self.raw >> 5 << 5
