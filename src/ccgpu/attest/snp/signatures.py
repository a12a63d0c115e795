"""AMD's two signature algorithms. Their parameters are fixed here, never taken from evidence."""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

# AMD VCEK specification (57230), 3.1: RSASSA-PSS, SHA-384, MGF1 with SHA-384, salt of 48 bytes.
_SHA384 = hashes.SHA384()
_PSS = padding.PSS(padding.MGF1(_SHA384), 48)
# AMD SEV-SNP ABI (56860), ATTESTATION_REPORT: ECDSA on P-384 with SHA-384.
_ECDSA = ec.ECDSA(_SHA384)


def is_signed_by_authority(spki: bytes, signature: bytes, signed: bytes) -> bool:
    """Whether the pinned key `spki` (DER) made this RSASSA-PSS signature; False if not RSA."""
    key = _key(spki)
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(signature, signed, _PSS, _SHA384)
    except InvalidSignature:
        return False
    return True


def is_signed_by_chip(
    key: ec.EllipticCurvePublicKey, signature: tuple[int, int], signed: bytes
) -> bool:
    """Whether a chip's key made this ECDSA signature (r, s)."""
    try:
        key.verify(encode_dss_signature(*signature), signed, _ECDSA)
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=16)  # a handful of keys are pinned
def _key(spki: bytes) -> PublicKeyTypes:
    return load_der_public_key(spki)
