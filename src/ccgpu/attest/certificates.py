"""Certificates out of evidence: DER or PEM, strictly, and whether one is a pinned anchor.

What is around the certificates is refused: a reader that skips what it does not know reads another
chain than the next one.
"""

import base64
import hashlib
import re
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning

from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.roots import Anchor

_PEM_BLOCK = re.compile(
    rb"-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]{1,65536})"
    rb"-----END CERTIFICATE-----[\r\n]*"
)
_PEM_START = b"-----BEGIN "
_CACHE_SIZE = 128  # certificates: the authorities come again with every manifest and every machine
_SIZE_LIMIT = 16 * 1024  # of one certificate; those of AMD and NVIDIA stay below 2 KiB

REFUSALS = (  # the last: of a name whose attribute has a string type that is not for it
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    TypeError,
)

Parsed = TypeVar("Parsed")


def load(data: bytes, rule: Rule) -> x509.Certificate:
    """The one certificate in `data` (DER or PEM), or `Malformed`."""
    return parse(read_der(data, rule), rule)


def load_chain(pem: bytes, rule: Rule, limit: int) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM bundle in their order: 1 to `limit`, and nothing between them."""
    return tuple(parse(each, rule) for each in split_ders(pem, rule, limit))


def read_der(data: bytes, rule: Rule) -> bytes:
    """The DER bytes of the one certificate in `data`, not yet parsed."""
    if data.lstrip().startswith(_PEM_START):
        return split_ders(data, rule, 1)[0]
    if len(data) > _SIZE_LIMIT:
        raise Malformed(rule, f"a certificate of at most {_SIZE_LIMIT} bytes", f"{len(data)} bytes")
    return data


def split_ders(pem: bytes, rule: Rule, limit: int) -> tuple[bytes, ...]:
    """The DER bytes of each certificate of a PEM bundle."""
    if len(pem) > limit * 2 * _SIZE_LIMIT:
        raise Malformed(rule, f"at most {limit} certificates", f"{len(pem)} bytes")
    text, found = pem.strip(b"\r\n"), []
    at = 0
    while at < len(text):
        block = _PEM_BLOCK.match(text, at)
        if block is None:
            raise Malformed(rule, "PEM certificates and nothing else", f"other data at byte {at}")
        found.append(_decode_base64(block[1], rule))
        at = block.end()
    if not 1 <= len(found) <= limit:
        raise Malformed(rule, f"1 to {limit} certificates", len(found))
    return tuple(found)


@lru_cache(maxsize=_CACHE_SIZE)
def parse(data: bytes, rule: Rule) -> x509.Certificate:
    """The certificate whose DER encoding is `data`, or `Malformed`.

    `cryptography` reads the parts when they are asked for, and refuses them then. They are asked
    for here, so that names, dates, key and extensions of what is returned can be read.
    """
    return parse_without_warnings(_parse_all, data, rule)


def parse_without_warnings(parse: Callable[[bytes], Parsed], data: bytes, rule: Rule) -> Parsed:
    """What `cryptography` makes of DER, without its warning of serial number 0 (all VCEKs).

    What else it warns of (a country of three letters) is refused.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        try:
            return parse(data)
        except (*REFUSALS, UserWarning) as error:
            raise Malformed(rule, "DER of X.509", str(error)[:100]) from error


def require_whole_bytes(signature: bytes, data: bytes) -> None:
    """Refuse a signature of which bits are said to be unused (`ValueError`; X.690, 8.6.2.2).

    `cryptography` drops them: it would be one signed document in two forms.
    """
    if b"\0" + signature not in data:
        raise ValueError("the signature is not of whole bytes")


def is_anchor(certificate: x509.Certificate, pinned: Anchor) -> bool:
    """Whether it is the pinned one: by the whole certificate, its name, its key, its number."""
    return anchor_of(certificate) == pinned


@lru_cache(maxsize=_CACHE_SIZE)
def anchor_of(certificate: x509.Certificate) -> Anchor:
    """What is pinned of a certificate."""
    return Anchor(
        subject=certificate.subject.rfc4514_string(),
        sha256=hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest(),
        spki=public_key(certificate).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        serial=serial(certificate),
    )


@lru_cache(maxsize=_CACHE_SIZE)
def public_key(certificate: x509.Certificate) -> PublicKeyTypes:
    """The key: `cryptography` decodes it each time that it is asked for."""
    return certificate.public_key()


@lru_cache(maxsize=_CACHE_SIZE)
def serial(certificate: x509.Certificate) -> int:
    """The serial number; AMD's 0 is none to warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return certificate.serial_number


def _parse_all(data: bytes) -> x509.Certificate:
    certificate = x509.load_der_x509_certificate(data)
    _ = (certificate.subject, certificate.issuer, certificate.extensions, certificate.public_key())
    _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    return certificate


def _decode_base64(text: bytes, rule: Rule) -> bytes:
    joined = text.replace(b"\r", b"").replace(b"\n", b"")
    try:
        decoded = base64.b64decode(joined, validate=True)
    except ValueError as error:
        raise Malformed(rule, "base64", str(error)) from error
    if base64.b64encode(decoded) != joined:
        raise Malformed(rule, "base64 (RFC 4648, 3.5)", "bits after the last byte")
    if len(decoded) > _SIZE_LIMIT:
        raise Malformed(
            rule, f"a certificate of at most {_SIZE_LIMIT} bytes", f"{len(decoded)} bytes"
        )
    return decoded
