"""Opens a message of RFC 9180 (HPKE) in base mode.

DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, and AES-GCM. X25519 and AES-GCM are those of Ubuntu's
package python3-cryptography (3.4.8 in 22.04, 41 in 24.04); HMAC is the standard library's.
"""

import hashlib
import hmac

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )
except ImportError as err:
    ABSENT = str(err)  # what is listed or removed needs no cryptography
else:
    ABSENT = ""

KEM, KDF = 0x0020, 0x0001  # RFC 9180, §7.1 and §7.2
AEADS = {16: 0x0001, 32: 0x0002}  # §7.3: AES-128-GCM and AES-256-GCM, by the size of the key
ENCAPSULATED_SIZE = 32  # bytes, §7.1: Nenc
NONCE_SIZE = 12  # bytes, §7.3: Nn
HASH_SIZE = 32  # bytes, §7.2: Nh
VERSION = b"HPKE-v1"


class CannotBeOpened(Exception):
    """The message is of another key, of another context, or was changed."""


def load_private_key(pem: bytes) -> "X25519PrivateKey":
    """The X25519 key in PKCS #8; raises `CannotBeOpened` if it is none."""
    try:
        private = load_pem_private_key(pem, None)
    except Exception as err:  # of several kinds, by the version of the package
        raise CannotBeOpened("the VM's key cannot be read") from err
    if not isinstance(private, X25519PrivateKey):
        raise CannotBeOpened("the VM's key is no X25519 key")
    return private


def open_message(
    private: "X25519PrivateKey",
    message: bytes,
    info: bytes,
    associated: bytes = b"",
    key_size: int = 32,
) -> bytes:
    """The content of the first message of a sender (sequence number 0).

    message: the encapsulated key (32 bytes), and the ciphertext with its tag. key_size: bytes of
    the AEAD's key.
    """
    encapsulated, sealed = message[:ENCAPSULATED_SIZE], message[ENCAPSULATED_SIZE:]
    key, nonce = key_schedule(decapsulate(private, encapsulated), info, key_size)
    try:
        return AESGCM(key).decrypt(nonce, sealed, associated)
    except (InvalidTag, ValueError) as err:  # ValueError: shorter than a tag
        raise CannotBeOpened("the message does not open with this key") from err


def decapsulate(private: "X25519PrivateKey", encapsulated: bytes) -> bytes:
    """The shared secret (32 bytes): `Decap` of §4.1."""
    suite = b"KEM" + KEM.to_bytes(2, "big")
    try:
        agreed = private.exchange(X25519PublicKey.from_public_bytes(encapsulated))
    except Exception as err:  # of several kinds, by the version of the package
        raise CannotBeOpened("the encapsulated key is no usable X25519 key") from err
    if not any(agreed):  # §7.1.4
        raise CannotBeOpened("the encapsulated key is no usable X25519 key")
    own = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    extracted = labeled_extract(suite, b"", b"eae_prk", agreed)
    return labeled_expand(suite, extracted, b"shared_secret", encapsulated + own, HASH_SIZE)


def key_schedule(shared: bytes, info: bytes, key_size: int) -> tuple[bytes, bytes]:
    """The AEAD's key and base nonce: `KeySchedule` of §5.1 in base mode, without a PSK."""
    suite = b"HPKE" + b"".join(part.to_bytes(2, "big") for part in (KEM, KDF, AEADS[key_size]))
    no_psk = labeled_extract(suite, b"", b"psk_id_hash", b"")
    context = b"\x00" + no_psk + labeled_extract(suite, b"", b"info_hash", info)
    secret = labeled_extract(suite, shared, b"secret", b"")
    key = labeled_expand(suite, secret, b"key", context, key_size)
    return key, labeled_expand(suite, secret, b"base_nonce", context, NONCE_SIZE)


def labeled_extract(suite: bytes, salt: bytes, label: bytes, given: bytes) -> bytes:
    """`LabeledExtract` of §4, by HKDF-Extract (RFC 5869, §2.2)."""
    return hmac.new(
        salt or bytes(HASH_SIZE), VERSION + suite + label + given, hashlib.sha256
    ).digest()


def labeled_expand(suite: bytes, key: bytes, label: bytes, info: bytes, size: int) -> bytes:
    """`LabeledExpand` of §4, by HKDF-Expand (RFC 5869, §2.3): at most one block, 32 bytes."""
    if size > HASH_SIZE:
        raise ValueError("more than one block is not needed")
    labeled = size.to_bytes(2, "big") + VERSION + suite + label + info
    return hmac.new(key, labeled + b"\x01", hashlib.sha256).digest()[:size]
