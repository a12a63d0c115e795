"""Roots that come with simulated evidence: anybody can make them, only a flag lets them count."""

import hashlib
from collections.abc import Mapping

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ccgpu.attest.roots import AmdRoots, Anchor, Roots
from ccgpu.domain.evidence import Evidence

ARK, ASK, ASVK = "ark", "ask", "asvk"
NVIDIA_DEVICE, NVIDIA_RIM = "nvidia-device", "nvidia-rim"
PRODUCT = "Genoa"  # what the simulated machines are


def roots_of(found: Evidence) -> Roots | None:
    """The simulated roots that the evidence carries; None if it carries none, or half of them."""
    carried = found.simulated_roots or {}
    try:
        anchors = {role: anchor(der) for role, der in carried.items()}
    except ValueError:
        return None
    return _roots(anchors)


def _roots(anchors: Mapping[str, Anchor]) -> Roots | None:
    if not {ARK, ASK, NVIDIA_DEVICE, NVIDIA_RIM} <= anchors.keys():
        return None
    amd = AmdRoots(anchors[ARK], anchors[ASK], anchors.get(ASVK))
    return Roots({PRODUCT: amd}, anchors[NVIDIA_DEVICE], anchors[NVIDIA_RIM], simulated=True)


def anchor(der: bytes) -> Anchor:
    """The anchor that a certificate (DER) makes. `ValueError` if it is none."""
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key()
    return Anchor(
        certificate.subject.rfc4514_string(),
        hashlib.sha256(der).digest(),
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        certificate.serial_number,
    )
