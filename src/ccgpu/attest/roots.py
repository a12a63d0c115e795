"""Who is believed: certificate authorities by name and key, as arguments of every verification.

The pinned ones stand as constants beside the code that uses them (`snp/roots.py`, `gpu/roots.py`);
simulated ones come with simulated evidence and are believed only when asked for.
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
    """One product's anchors: the AMD root key, and the two keys it signs (VCEKs and VLEKs)."""

    ark: Anchor
    ask: Anchor
    asvk: Anchor | None = None


@dataclass(frozen=True, slots=True)
class Roots:
    """Everyone a verdict may rest on. `amd` by product name ("Genoa")."""

    amd: Mapping[str, AmdRoots]
    nvidia_device: Anchor
    nvidia_rim: Anchor
    simulated: bool = False
