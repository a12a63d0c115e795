"""Key material for tests, generated in each run."""

import base64
import struct
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

_Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


def _line(key: _Key) -> str:
    return _public_line(key.public_key())


def _public_line(key: _PublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@cache
def ed25519_line(number: int = 0) -> str:
    """An Ed25519 public key, different for each number."""
    return _line(ed25519.Ed25519PrivateKey.from_private_bytes(struct.pack(">Q24x", number)))


def rsa_line(bits: int) -> str:
    """An RSA public key of that size, which has no private half: to find one takes long."""
    modulus = (1 << bits) - 1
    return _public_line(rsa.RSAPublicNumbers(65537, modulus).public_key())


@cache
def ecdsa_line() -> str:
    return _line(ec.generate_private_key(ec.SECP256R1()))


@cache
def private_key() -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def unsupported_line(algorithm: str) -> str:
    """A key of an unsupported algorithm: DSA, security keys, certificates."""
    blob = struct.pack(">I", len(algorithm)) + algorithm.encode() + bytes(32)
    return f"{algorithm} {base64.b64encode(blob).decode()} someone@example"
