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

_Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def _line(key: _Key) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@cache
def ed25519_line(number: int = 0) -> str:
    """An Ed25519 public key, different for each number."""
    return _line(ed25519.Ed25519PrivateKey.from_private_bytes(struct.pack(">Q24x", number)))


@cache
def rsa_line(bits: int) -> str:
    return _line(rsa.generate_private_key(public_exponent=65537, key_size=bits))


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
