"""NVIDIA's one signature algorithm: ECDSA on P-384 with SHA-384, never taken from evidence."""

from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

# RFC 5758, 3.2: ecdsa-with-SHA384.
ECDSA_SHA384 = "1.2.840.10045.4.3.3"
_ALGORITHM = ec.ECDSA(hashes.SHA384())


def is_p384_key(key: PublicKeyTypes) -> bool:
    """Whether it is a key on P-384."""
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1)


def is_certificate_signed_by(key: PublicKeyTypes, certificate: x509.Certificate) -> bool:
    """Whether this key signed the certificate, with a signature of whole bytes."""
    signature = certificate.signature
    # `cryptography` drops unused bits; a certificate would then have two encodings.
    whole = certificate.public_bytes(Encoding.DER).endswith(b"\0" + signature)
    return whole and _is_valid(key, signature, certificate.tbs_certificate_bytes)


def is_signed_by(key: PublicKeyTypes, signature: tuple[int, int], signed: bytes) -> bool:
    """Whether this key made the signature (r, s) of `signed`."""
    return _is_valid(key, encode_dss_signature(*signature), signed)


@lru_cache(maxsize=8)  # two keys are pinned, and simulated ones may come with evidence
def pinned_key(spki: bytes) -> PublicKeyTypes:
    """The public key of an anchor (`spki`: DER)."""
    return load_der_public_key(spki)


def _is_valid(key: PublicKeyTypes, signature: bytes, signed: bytes) -> bool:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(signature, signed, _ALGORITHM)
    except InvalidSignature:
        return False
    return True
