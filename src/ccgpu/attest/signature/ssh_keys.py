"""Verifies the signature blobs of SSH keys, of security keys (FIDO) too.

Sources: RFC 4253 §6.6 (RSA), RFC 8332 (RSA with SHA-2), RFC 5656 §3.1.2 (ECDSA), RFC 8709 §6
(Ed25519), OpenSSH PROTOCOL.u2f (security keys). Certificates are no keys, and count for nothing.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from ccgpu.attest.signature.wire import SshReader

_MIN_RSA_BITS = 2048  # NIST SP 800-131A, §3
_RSA: Mapping[str, hashes.HashAlgorithm] = {
    "rsa-sha2-256": hashes.SHA256(),
    "rsa-sha2-512": hashes.SHA512(),
}  # PROTOCOL.sshsig: RSA signatures with SHA-1 are not allowed
_ECDSA: Mapping[str, hashes.HashAlgorithm] = {
    "ecdsa-sha2-nistp256": hashes.SHA256(),
    "ecdsa-sha2-nistp384": hashes.SHA384(),
    "ecdsa-sha2-nistp521": hashes.SHA512(),
}
_ED25519 = "ssh-ed25519"
_SK_ED25519, _SK_ECDSA = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"
_USER_PRESENT = 0x01  # PROTOCOL.u2f, "SSH U2F Signatures": the flags of FIDO


def verifies(key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether `signature` is one over `data` by the key of this blob.

    Raises:
        ValueError: A blob is malformed, or of a kind that is not supported.
    """
    kind, reader = SshReader(key).name(), SshReader(signature)
    algorithm = reader.name()
    try:
        _VERIFIERS[kind](key, algorithm, reader, data)
    except (KeyError, UnsupportedAlgorithm) as err:
        raise ValueError(f"keys of the type {kind[:60]!a}") from err
    except InvalidSignature:
        return False
    return True


def _rsa(key: bytes, algorithm: str, reader: SshReader, data: bytes) -> None:
    public = cast("rsa.RSAPublicKey", _load(key, "ssh-rsa"))
    if algorithm not in _RSA:
        raise ValueError(f"RSA signatures of the kind {algorithm[:60]!a}")
    if public.key_size < _MIN_RSA_BITS:
        raise ValueError(f"RSA keys of less than {_MIN_RSA_BITS} bits")
    value = reader.string()
    reader.end()
    public.verify(value, data, padding.PKCS1v15(), _RSA[algorithm])


def _ecdsa(key: bytes, algorithm: str, reader: SshReader, data: bytes) -> None:
    _require(algorithm, SshReader(key).name())
    public = cast("ec.EllipticCurvePublicKey", _load(key, algorithm))
    value = _dss(reader.string())
    reader.end()
    public.verify(value, data, ec.ECDSA(_ECDSA[algorithm]))


def _ed25519(key: bytes, algorithm: str, reader: SshReader, data: bytes) -> None:
    _require(algorithm, _ED25519)
    public = cast("ed25519.Ed25519PublicKey", _load(key, algorithm))
    value = reader.string()
    reader.end()
    public.verify(value, data)


def _sk_ed25519(key: bytes, algorithm: str, reader: SshReader, data: bytes) -> None:
    _require(algorithm, _SK_ED25519)
    fields = SshReader(key)
    fields.name()
    public = ed25519.Ed25519PublicKey.from_public_bytes(fields.string())
    application = fields.string()
    fields.end()
    value = reader.string()
    public.verify(value, _touched(reader, application, data))


def _sk_ecdsa(key: bytes, algorithm: str, reader: SshReader, data: bytes) -> None:
    _require(algorithm, _SK_ECDSA)
    fields = SshReader(key)
    fields.name()
    _require(fields.name(), "nistp256")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), fields.string())
    application = fields.string()
    fields.end()
    value = _dss(reader.string())
    public.verify(value, _touched(reader, application, data), ec.ECDSA(hashes.SHA256()))


def _touched(reader: SshReader, application: bytes, data: bytes) -> bytes:
    """What a security key signs: it says that somebody has touched it."""
    flags, counter = reader.take(1), reader.take(4)
    reader.end()
    if not flags[0] & _USER_PRESENT:
        raise ValueError("a signature of a security key that nobody touched")
    return hashlib.sha256(application).digest() + flags + counter + hashlib.sha256(data).digest()


def _dss(blob: bytes) -> bytes:
    """An ECDSA signature in DER, of r and s (RFC 5656, §3.1.2)."""
    reader = SshReader(blob)
    value = encode_dss_signature(reader.number(), reader.number())
    reader.end()
    return value


def _load(key: bytes, kind: str) -> object:
    """The key, of the type that its name says; `ValueError` for any other blob."""
    return load_ssh_public_key(f"{kind} ".encode() + base64.b64encode(key))


def _require(found: str, wanted: str) -> None:
    if found != wanted:
        raise ValueError(f"{found[:60]!a} where {wanted} belongs")


_Verifier = Callable[[bytes, str, SshReader, bytes], None]
_VERIFIERS: Mapping[str, _Verifier] = {
    "ssh-rsa": _rsa,
    **dict.fromkeys(_ECDSA, _ecdsa),
    _ED25519: _ed25519,
    _SK_ED25519: _sk_ed25519,
    _SK_ECDSA: _sk_ecdsa,
}
