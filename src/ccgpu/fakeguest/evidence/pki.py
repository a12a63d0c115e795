"""Certificates and revocation lists in DER, encoded by hand so that every field is free.

A library's builder refuses what evidence must be refused for: AMD's serial number 0, a repeated
extension, an algorithm that is not the one used.
"""

import base64
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

BOOLEAN, INTEGER, BITS, OCTETS, NULL, OID, IA5 = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x16
UTC_TIME, GENERALIZED_TIME, SEQUENCE = 0x17, 0x18, 0x30

_RSASSA_PSS, _MGF1, _ECDSA_SHA384 = (
    "1.2.840.113549.1.1.10",
    "1.2.840.113549.1.1.8",
    "1.2.840.10045.4.3.3",
)
_HASHES = {"sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2"}


def element(tag: int, *parts: bytes) -> bytes:
    """One DER element: tag, length in its shortest form, content."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    number = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(number))) + number + content


def integer(number: int) -> bytes:
    """An INTEGER, not negative."""
    return element(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER."""
    first, second, *rest = (int(number) for number in dotted.split("."))
    content = bytearray()
    for number in (40 * first + second, *rest):
        groups = [number >> shift & 0x7F for shift in range(0, max(number.bit_length(), 1), 7)]
        content += bytes([*(0x80 | group for group in reversed(groups[1:])), groups[0]])
    return element(OID, bytes(content))


def pem(der: bytes, label: str = "CERTIFICATE") -> bytes:
    """DER as PEM."""
    lines = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """An algorithm's identifier, and the function that signs with it."""

    identifier: bytes
    sign: Callable[[PrivateKey, bytes], bytes]


def rsa_pss(
    digest: hashes.HashAlgorithm, salt: int, *, mgf: hashes.HashAlgorithm | None = None
) -> SignatureAlgorithm:
    """RSASSA-PSS with this hash and salt length. `mgf`: another hash for MGF1."""
    mask = mgf or digest

    def sign(key: PrivateKey, data: bytes) -> bytes:
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("RSASSA-PSS needs an RSA key")
        return key.sign(data, padding.PSS(padding.MGF1(mask), salt), digest)

    parameters = element(
        SEQUENCE,
        element(0xA0, _hash_identifier(digest)),
        element(0xA1, element(SEQUENCE, oid(_MGF1), _hash_identifier(mask))),
        element(0xA2, integer(salt)),
    )
    return SignatureAlgorithm(element(SEQUENCE, oid(_RSASSA_PSS), parameters), sign)


def _hash_identifier(digest: hashes.HashAlgorithm) -> bytes:
    return element(SEQUENCE, oid(_HASHES[digest.name]), element(NULL))


def _sign_ecdsa(key: PrivateKey, data: bytes) -> bytes:
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("ECDSA needs an EC key")
    return key.sign(data, ec.ECDSA(hashes.SHA384()))


PSS_SHA384 = rsa_pss(hashes.SHA384(), 48)
ECDSA_SHA384 = SignatureAlgorithm(element(SEQUENCE, oid(_ECDSA_SHA384)), _sign_ecdsa)


@dataclass(frozen=True, slots=True)
class X509Extension:
    """An extension. `value` is the content of its OCTET STRING."""

    oid: str
    value: bytes
    critical: bool = False

    @property
    def der(self) -> bytes:
        """The extension in DER."""
        flag = element(BOOLEAN, b"\xff") if self.critical else b""
        return element(SEQUENCE, oid(self.oid), flag, element(OCTETS, self.value))


@dataclass(frozen=True, slots=True)
class CertificateTemplate:
    """A certificate before it is signed. Replace any field, then call `signed_by`."""

    subject: x509.Name
    issuer: x509.Name
    key: bytes
    not_before: datetime
    not_after: datetime
    extensions: Sequence[X509Extension] = ()
    serial: int = 0
    algorithm: SignatureAlgorithm = PSS_SHA384

    def signed_by(self, key: PrivateKey) -> bytes:
        """The certificate in DER."""
        body = element(
            SEQUENCE,
            element(0xA0, integer(2)),
            integer(self.serial),
            self.algorithm.identifier,
            self.issuer.public_bytes(),
            element(SEQUENCE, encode_time(self.not_before), encode_time(self.not_after)),
            self.subject.public_bytes(),
            self.key,
            element(0xA3, _encode_extensions(self.extensions)),
        )
        return _sign(body, self.algorithm, key)


@dataclass(frozen=True)
class ChainTemplate:
    """A certificate chain before it is signed, the leaf first.

    `keys` are those of the certificates; `signers` holds the key that signs each of them, usually
    that of the next one. `root` (DER) is signed once: another signature would make another root.
    """

    keys: Sequence[ec.EllipticCurvePrivateKey]
    certificates: Sequence[CertificateTemplate]
    signers: Sequence[PrivateKey]
    root: bytes

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """The key of the leaf."""
        return self.keys[0]

    @property
    def ders(self) -> tuple[bytes, ...]:
        """The signed certificates in DER."""
        below = zip(self.certificates[:-1], self.signers[:-1], strict=True)
        return (*(each.signed_by(signer) for each, signer in below), self.root)


@dataclass(frozen=True, slots=True)
class RevocationListTemplate:
    """A revocation list before it is signed. Each entry has `entry_extensions`."""

    issuer: x509.Name
    this_update: datetime
    next_update: datetime | None
    revoked: Sequence[int] = ()
    extensions: Sequence[X509Extension] = ()
    entry_extensions: Sequence[X509Extension] = ()
    algorithm: SignatureAlgorithm = PSS_SHA384

    def signed_by(self, key: PrivateKey) -> bytes:
        """The list in DER."""
        when = encode_time(self.this_update)
        more = _encode_extensions(self.entry_extensions)
        entries = [element(SEQUENCE, integer(serial), when, more) for serial in self.revoked]
        body = element(
            SEQUENCE,
            integer(1),
            self.algorithm.identifier,
            self.issuer.public_bytes(),
            when,
            encode_time(self.next_update) if self.next_update else b"",
            element(SEQUENCE, *entries) if entries else b"",
            element(0xA0, _encode_extensions(self.extensions)) if self.extensions else b"",
        )
        return _sign(body, self.algorithm, key)


def public_key_info(key: PrivateKey) -> bytes:
    """The SubjectPublicKeyInfo of a key."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def encode_time(when: datetime) -> bytes:
    """A time as in RFC 5280 (4.1.2.5): with a two-digit year before 2050."""
    if when.year < 2050:
        return element(UTC_TIME, f"{when:%y%m%d%H%M%SZ}".encode())
    return element(GENERALIZED_TIME, f"{when:%Y%m%d%H%M%SZ}".encode())


def _encode_extensions(extensions: Sequence[X509Extension]) -> bytes:
    return element(SEQUENCE, *(each.der for each in extensions)) if extensions else b""


def _sign(body: bytes, algorithm: SignatureAlgorithm, key: PrivateKey) -> bytes:
    signature = element(BITS, b"\0", algorithm.sign(key, body))
    return element(SEQUENCE, body, algorithm.identifier, signature)
