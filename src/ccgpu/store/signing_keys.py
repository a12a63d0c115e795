"""Reads `--sign KEY`: a key of SSH, which OpenSSH signs with, or one that signs as cosign does.

Errors never show a file's content, which is a private key.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccgpu.errors import InvalidFile, Problem, UsageProblem
from ccgpu.store.input_files import input_name, is_stdin
from ccgpu.store.named_files import read_bounded

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    BarePrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey | RSAPrivateKey

MAX_BYTES = 64 * 1024
_HINT = (
    "name an SSH private key, the .pub file of one in the agent, a key of `cosign "
    "generate-key-pair`, or a PKCS #8 key (ECDSA P-256, RSA or Ed25519)"
)
_MIN_RSA_BITS = 2048  # NIST SP 800-131A, §3
_PKCS8, _ENCRYPTED_PKCS8 = "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"  # RFC 7468, §10 and §11
# sigstore/sigstore, pkg/cryptoutils/privatekey.go: the present label, and the older one.
_COSIGN = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
_SSH = ("OPENSSH PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")  # what ssh-keygen writes
_BEGIN = re.compile(r"-----BEGIN ([A-Z ]+)-----\r?\n([^-]*)-----END \1-----")
_PUBLIC_LINE = re.compile(r"(?:ssh-|ecdsa-sha2-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/=]+")
# secure-systems-lab/go-securesystemslib, encrypted: N is 32768, in newer keys 65536; r 8, p 1.
_MAX_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 1 << 20, 8, 1

Password = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class SshKeyFile:
    """The file of a private key, or of the public key whose private half an agent has."""

    path: Path


def read_signing_key(path: Path, password: Password) -> "SshKeyFile | BarePrivateKey":
    """The key in a file. `password`: asks for the password of a key that ccgpu opens itself.

    Raises:
        InvalidFile: The file holds no key that can sign.
        UsageProblem: The password is wrong, or nobody can be asked for it.
    """
    try:
        raw = read_bounded(str(path), Path(), MAX_BYTES, "a key file")
        if len(raw) > MAX_BYTES:
            raise ValueError(f"is larger than {MAX_BYTES} bytes")  # noqa: TRY301
        text = raw.decode("utf-8", "replace")
        return _read(path, raw, text, password)
    except ValueError as err:
        raise InvalidFile(input_name(path), [Problem("", str(err))], hint=_HINT) from None


def _read(path: Path, raw: bytes, text: str, password: Password) -> "SshKeyFile | BarePrivateKey":
    found = _BEGIN.search(text)
    label = found[1] if found else None
    if label in _SSH or (label is None and _PUBLIC_LINE.match(text)):
        if is_stdin(path):
            raise ValueError("holds an SSH key, which OpenSSH takes from a file alone: name it")
        return SshKeyFile(path)
    if found and label in _COSIGN:
        return _load(_decrypt(found[2], password), None)
    if label == _PKCS8:
        return _load(raw, None)
    if label == _ENCRYPTED_PKCS8:
        return _load(raw, password())
    raise ValueError("holds no private key that can sign")


def _load(data: bytes, password: bytes | None) -> "BarePrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import (
        load_der_private_key,
        load_pem_private_key,
    )

    load: Any = load_pem_private_key if data.startswith(b"-----") else load_der_private_key
    try:
        key = load(data, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if password is not None:
            raise _wrong_password() from None
        raise ValueError("holds a private key that cannot be read") from None
    match key:
        case ed25519.Ed25519PrivateKey():
            return key
        case ec.EllipticCurvePrivateKey() if isinstance(key.curve, ec.SECP256R1):
            return key
        case rsa.RSAPrivateKey() if key.key_size >= _MIN_RSA_BITS:
            return key
    raise ValueError("holds a key of a kind that ccgpu does not sign with")


def _decrypt(body: str, password: Password) -> bytes:
    """The PKCS #8 key in a key file of cosign: scrypt, then NaCl's secretbox."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    try:
        document = json.loads(base64.b64decode("".join(body.split()), validate=True))
        kdf, cipher = document["kdf"], document["cipher"]
        cost = tuple(int(kdf["params"][name]) for name in ("N", "r", "p"))
        salt, nonce, sealed = (
            base64.b64decode(text, validate=True)
            for text in (kdf["salt"], cipher["nonce"], document["ciphertext"])
        )
        names = kdf["name"], cipher["name"]
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise ValueError("is damaged: no key file of cosign") from None
    usable = 1 < cost[0] <= _MAX_SCRYPT_N and cost[1:] == (_SCRYPT_R, _SCRYPT_P)
    if names != ("scrypt", "nacl/secretbox") or not usable:
        raise ValueError("is a key file of cosign that is encrypted in a way not known here")
    secret_box, crypto_error = _secret_box()
    derived = Scrypt(salt, 32, cost[0], _SCRYPT_R, _SCRYPT_P).derive(password())
    try:
        opened: bytes = secret_box(derived).decrypt(sealed, nonce)
    except (crypto_error, ValueError):  # ValueError: a nonce of another length
        raise _wrong_password() from None
    return opened


def _secret_box() -> tuple[Any, type[Exception]]:
    """NaCl's secretbox (XSalsa20-Poly1305), which `cryptography` does not have."""
    try:
        from nacl.exceptions import CryptoError
        from nacl.secret import SecretBox
    except ImportError:
        raise UsageProblem(
            "a key file of cosign is opened with PyNaCl, which is not installed",
            hint="install it beside ccgpu: `pip install 'ccgpu[cosign]'`; or sign with an SSH key",
        ) from None
    return SecretBox, CryptoError


def _wrong_password() -> UsageProblem:
    return UsageProblem("the password does not open the key", hint="sign with the right one")


def sign_bare(key: "BarePrivateKey", data: bytes) -> bytes:
    """The signature in base64, on one line: what `cosign sign-blob` writes.

    ECDSA and RSA (PKCS #1 v1.5) with SHA-256, or Ed25519.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    match key:
        case ec.EllipticCurvePrivateKey():
            value = key.sign(data, ec.ECDSA(hashes.SHA256()))
        case rsa.RSAPrivateKey():
            value = key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        case _:
            value = key.sign(data)
    return base64.b64encode(value) + b"\n"
