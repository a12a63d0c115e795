"""Trust anchors: the certificate authorities that verification starts from, always an argument.

The pinned ones are constants in `snp/roots.py` and `gpu/roots.py`. Simulated ones come with
simulated evidence and are used only with `--backend fake`.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Anchor:
    """A pinned certificate.

    `subject` in RFC 4514 form, `sha256` of the whole certificate (DER; 32 bytes), `spki` its
    SubjectPublicKeyInfo (DER), `serial` its serial number.
    """

    subject: str
    sha256: bytes
    spki: bytes
    serial: int


@dataclass(frozen=True, slots=True)
class AmdRoots:
    """One product's anchors: AMD's root, and the keys that sign VCEKs (ASK) and VLEKs (ASVK)."""

    ark: Anchor
    ask: Anchor
    asvk: Anchor | None = None


@dataclass(frozen=True, slots=True)
class Roots:
    """All trust anchors of a verdict. `amd`: by product name ("Genoa")."""

    amd: Mapping[str, AmdRoots]
    nvidia_device: Anchor
    nvidia_rim: Anchor
    simulated: bool = False
