"""The processor product of a report, from the CPUID values that it has since version 3."""

from dataclasses import dataclass

# AMD SEV-SNP ABI (56860), ATTESTATION_REPORT, CPUID_FAM_ID and CPUID_MOD_ID; the models of each
# product from AMD's Versioned Chip Endorsement Key specification (57230) and the revision guides.
_ZEN3_4, _ZEN5 = 0x19, 0x1A
_PRODUCTS = (
    (_ZEN3_4, range(0x10), "Milan"),
    (_ZEN3_4, range(0x10, 0x20), "Genoa"),
    (_ZEN3_4, range(0xA0, 0xB0), "Genoa"),  # Bergamo and Siena share Genoa's keys
    (_ZEN5, range(0x12), "Turin"),
)

# Reports of version 2 carry no CPUID; Turin's firmware never wrote them.
BEFORE_CPUID = ("Milan", "Genoa")


@dataclass(frozen=True, slots=True)
class Cpuid:
    """CPUID family, model and stepping."""

    family: int
    model: int
    stepping: int

    @property
    def product(self) -> str | None:
        """AMD's product name, as in certificates ("Genoa"); None if unknown."""
        for family, models, name in _PRODUCTS:
            if family == self.family and self.model in models:
                return name
        return None

    @property
    def places_like_turin(self) -> bool:
        """Whether its TCBs have Turin's layout."""
        return self.family == _ZEN5

    def __str__(self) -> str:
        return f"{self.family:02x}/{self.model:02x}/{self.stepping:02x}"
