"""What to fetch, what was had of it, and what was not."""

from dataclasses import dataclass

from ccgpu.collateral.kds import Chip
from ccgpu.collateral.want import Piece
from ccgpu.errors import EvidenceUnavailable


@dataclass(frozen=True, slots=True)
class Needs:
    """What to fetch.

    `rims`: ids of reference manifests, taken from *verified* evidence only. `ocsp`: requests (DER).
    `chips`: whose VCEK; `thim` is where to look for them first, and `veks` (DER, of the evidence)
    where AMD does not answer. `crls`: AMD products. `region`: the Azure region of the VM, whose
    mirror is asked first.
    """

    rims: tuple[str, ...] = ()
    ocsp: tuple[bytes, ...] = ()
    chips: tuple[Chip, ...] = ()
    crls: tuple[str, ...] = ()
    thim: bytes | None = None
    region: str | None = None
    veks: tuple[bytes, ...] = ()

    def __add__(self, other: "Needs") -> "Needs":
        """Both, in one round; of one VM, so that one THIM answer and one region are enough."""
        return Needs(
            (*self.rims, *other.rims),
            (*self.ocsp, *other.ocsp),
            (*self.chips, *other.chips),
            (*self.crls, *other.crls),
            self.thim or other.thim,
            self.region or other.region,
            (*self.veks, *other.veks),
        )


@dataclass(frozen=True, slots=True)
class Missing:
    """What could not be had, and why, source by source."""

    what: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was had, in the order it was asked for, and what was not."""

    pieces: tuple[Piece, ...] = ()
    missing: tuple[Missing, ...] = ()

    @property
    def rims(self) -> tuple[bytes, ...]:
        """The reference manifests (XML)."""
        return self._all("rim/")

    @property
    def ocsp(self) -> tuple[bytes, ...]:
        """The OCSP answers (DER)."""
        return self._all("ocsp/")

    @property
    def vceks(self) -> tuple[bytes, ...]:
        """AMD's certificates of chips (DER)."""
        return self._all("amd/vcek-")

    @property
    def crls(self) -> tuple[bytes, ...]:
        """AMD's revocation lists (DER)."""
        return self._all("amd/crl-")

    def __add__(self, other: "Fetched") -> "Fetched":
        """Of two rounds; a piece that both had stands once, as it came last."""
        pieces = {piece.name: piece for piece in (*self.pieces, *other.pieces)}
        return Fetched(tuple(pieces.values()), (*self.missing, *other.missing))

    def require(self) -> "Fetched":
        """Itself, if nothing is missing. `EvidenceUnavailable` names all that is."""
        if self.missing:
            lines = [f"  {each.what}: {'; '.join(each.reasons)}" for each in self.missing]
            raise EvidenceUnavailable(
                "\n".join(["some collateral could not be fetched:", *lines]),
                hint="this is not a rejection; try again later, or give `--collateral DIR`",
            )
        return self

    def _all(self, prefix: str) -> tuple[bytes, ...]:
        return tuple(piece.data for piece in self.pieces if piece.name.startswith(prefix))
