"""Collateral: certificates, manifests and revocation data that a verdict needs besides evidence."""

import hashlib
from dataclasses import dataclass

from ccgpu.errors import EvidenceUnavailable

# The AMD products with chip ids of 64 bytes and a TCB of the four parts in `Chip`.
PRODUCTS = ("Genoa", "Milan")
_CHIP_ID_SIZE = 64


@dataclass(frozen=True, slots=True)
class Chip:
    """A chip at its reported TCB: AMD issues one VCEK for it."""

    product: str
    chip_id: bytes
    bootloader: int
    tee: int
    snp: int
    microcode: int

    def __post_init__(self) -> None:
        """Raise `EvidenceUnavailable` if AMD's service has no URL for this chip."""
        tcb = (self.bootloader, self.tee, self.snp, self.microcode)
        known = self.product in PRODUCTS and len(self.chip_id) == _CHIP_ID_SIZE
        if not known or not all(0 <= part <= 255 for part in tcb):
            raise EvidenceUnavailable(
                f"AMD's certificate of a chip {self.product[:20]!a} with a chip id of "
                f"{len(self.chip_id)} bytes cannot be requested"
            )
        if not any(self.chip_id):
            raise EvidenceUnavailable(
                "the report does not say which chip it is of (MASK_CHIP_ID)",
                hint="give the certificate from the VM's host: `--collateral DIR`",
            )

    @property
    def name(self) -> str:
        """The path of its VCEK in a folder of collateral."""
        tcb = f"{self.bootloader:02x}{self.tee:02x}{self.snp:02x}{self.microcode:02x}"
        return f"amd/vcek-{self.product}-{self.chip_id.hex()}-{tcb}.der"


@dataclass(frozen=True, slots=True)
class CollateralRequest:
    """The collateral to fetch for one VM.

    Args:
        rims: Ids of reference manifests, taken from *verified* evidence only.
        ocsp: OCSP requests (DER).
        chips: The chips whose VCEK is needed.
        crls: The AMD products whose revocation list is needed.
        thim: The response of Azure's certificate service (THIM) in the evidence, used first.
        region: The Azure region of the VM. Its mirror is tried first.
        veks: VCEKs (DER) in the evidence, used if AMD's service fails.
    """

    rims: tuple[str, ...] = ()
    ocsp: tuple[bytes, ...] = ()
    chips: tuple[Chip, ...] = ()
    crls: tuple[str, ...] = ()
    thim: bytes | None = None
    region: str | None = None
    veks: tuple[bytes, ...] = ()

    def __add__(self, other: "CollateralRequest") -> "CollateralRequest":
        """Both as one request. One THIM answer and one region are enough for one VM."""
        return CollateralRequest(
            (*self.rims, *other.rims),
            (*self.ocsp, *other.ocsp),
            (*self.chips, *other.chips),
            (*self.crls, *other.crls),
            self.thim or other.thim,
            self.region or other.region,
            (*self.veks, *other.veks),
        )


@dataclass(frozen=True, slots=True)
class CollateralFile:
    """One file of collateral.

    name: Its path in a folder of collateral.
    source: The URL or file of its origin.
    fetched: The Unix time of the download, also if it was read from the cache now.
    """

    name: str
    data: bytes
    source: str
    fetched: float

    @property
    def sha256(self) -> str:
        """The hash of the data, in hex."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class MissingCollateral:
    """Collateral that could not be fetched, and each source's reason."""

    what: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.what} cannot be had: {'; '.join(self.reasons)}"


@dataclass(frozen=True, slots=True)
class FetchedCollateral:
    """The fetched collateral in the order of the request, and the missing one."""

    collateral: tuple[CollateralFile, ...] = ()
    missing: tuple[MissingCollateral, ...] = ()

    @property
    def rims(self) -> tuple[bytes, ...]:
        """The reference manifests (XML)."""
        return self._data_below("rim/")

    @property
    def ocsp(self) -> tuple[bytes, ...]:
        """The OCSP answers (DER)."""
        return self._data_below("ocsp/")

    @property
    def vceks(self) -> tuple[bytes, ...]:
        """AMD's certificates of chips (DER)."""
        return self._data_below("amd/vcek-")

    @property
    def crls(self) -> tuple[bytes, ...]:
        """AMD's revocation lists (DER)."""
        return self._data_below("amd/crl-")

    def __add__(self, other: "FetchedCollateral") -> "FetchedCollateral":
        """The collateral of both. If both have the same file, the later one is used."""
        by_name = {each.name: each for each in (*self.collateral, *other.collateral)}
        return FetchedCollateral(tuple(by_name.values()), (*self.missing, *other.missing))

    def require(self) -> "FetchedCollateral":
        """Return self if nothing is missing.

        Raises:
            EvidenceUnavailable: with all missing collateral.
        """
        if self.missing:
            lines = [f"  {each.what}: {'; '.join(each.reasons)}" for each in self.missing]
            raise EvidenceUnavailable(
                "\n".join(["some collateral could not be fetched:", *lines]),
                hint="the rest is written, and nothing was rejected: run the command again later",
            )
        return self

    def _data_below(self, prefix: str) -> tuple[bytes, ...]:
        return tuple(each.data for each in self.collateral if each.name.startswith(prefix))
