"""X.509 certificates from evidence, in DER or PEM, parsed strictly; and trust anchors.

Data around the certificates is refused: parsers that skip unknown data could disagree on the chain.
"""

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
from ccgpu.domain import canonical_base64

# RFC 7468, §2: nothing stands between the lines but base64, and nothing between two blocks.
_CERTIFICATE, _REVOCATION_LIST = (
    re.compile(
        rb"-----BEGIN %b-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END %b-----[\r\n]*" % (label, label)
    )
    for label in (b"CERTIFICATE", b"X509 CRL")
)
_PEM_START = b"-----BEGIN "
_CACHE_SIZE = 128  # certificates: the same authorities come with every manifest and machine
_SIZE_LIMIT = 16 * 1024  # of one certificate; those of AMD and NVIDIA stay below 2 KiB

REFUSALS = (  # TypeError: an attribute of a name has a string type that is not allowed for it
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    TypeError,
)

Parsed = TypeVar("Parsed")


def load(data: bytes, rule: Rule) -> x509.Certificate:
    """Parse the one certificate in `data` (DER or PEM), or raise `Malformed`."""
    return parse(read_der(data, rule), rule)


def load_chain(pem: bytes, rule: Rule, limit: int) -> tuple[x509.Certificate, ...]:
    """Parse a PEM bundle of 1 to `limit` certificates, in their order, or raise `Malformed`."""
    return tuple(parse(each, rule) for each in split_ders(pem, rule, limit))


def read_der(data: bytes, rule: Rule) -> bytes:
    """The DER bytes of the one certificate in `data` (DER or PEM), not parsed; or `Malformed`."""
    if data.lstrip().startswith(_PEM_START):
        return split_ders(data, rule, 1)[0]
    if len(data) > _SIZE_LIMIT:
        raise Malformed(rule, f"a certificate of at most {_SIZE_LIMIT} bytes", f"{len(data)} bytes")
    return data


def split_ders(pem: bytes, rule: Rule, limit: int) -> tuple[bytes, ...]:
    """The DER bytes of each certificate of a PEM bundle, or `Malformed`."""
    if len(pem) > limit * 2 * _SIZE_LIMIT:
        raise Malformed(rule, f"at most {limit} certificates", f"{len(pem)} bytes")
    ders = _decode_blocks(pem, _CERTIFICATE, rule, "PEM certificates and nothing else")
    if not 1 <= len(ders) <= limit:
        raise Malformed(rule, f"1 to {limit} certificates", len(ders))
    if (longest := max(map(len, ders))) > _SIZE_LIMIT:
        raise Malformed(rule, f"a certificate of at most {_SIZE_LIMIT} bytes", f"{longest} bytes")
    return tuple(ders)


def read_der_of_list(data: bytes, rule: Rule) -> bytes:
    """The DER bytes of the one revocation list in `data` (DER or PEM), not parsed; or `Malformed`.

    The caller limits their number.
    """
    if not data.lstrip().startswith(_PEM_START):
        return data
    ders = _decode_blocks(data, _REVOCATION_LIST, rule, "a revocation list in PEM, nothing else")
    if len(ders) != 1:
        raise Malformed(rule, "one revocation list", len(ders))
    return ders[0]


@lru_cache(maxsize=_CACHE_SIZE)
def parse(data: bytes, rule: Rule) -> x509.Certificate:
    """Parse a certificate in DER, or raise `Malformed`.

    `cryptography` parses names, dates, key and extensions lazily. They are accessed here, so that
    using them later cannot fail.
    """
    return parse_without_warnings(_parse_all, data, rule)


def parse_without_warnings(parse: Callable[[bytes], Parsed], data: bytes, rule: Rule) -> Parsed:
    """Call a parser of `cryptography` without its warning of serial number 0, which all VCEKs have.

    Any other warning (a country of three letters, say) raises `Malformed`, as its errors do.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        try:
            return parse(data)
        except (*REFUSALS, UserWarning) as error:
            raise Malformed(rule, "DER of X.509", str(error)[:100]) from error


def require_whole_bytes(signature: bytes, data: bytes) -> None:
    """Raise `ValueError` if the signature's BIT STRING has unused bits (X.690, 8.6.2.2).

    `cryptography` drops such bits, so that one signed document would have two encodings.
    """
    if b"\0" + signature not in data:
        raise ValueError("the signature is not of whole bytes")


@lru_cache(maxsize=_CACHE_SIZE)
def anchor_of(certificate: x509.Certificate) -> Anchor:
    """The anchor that pins this certificate."""
    return Anchor(
        subject=certificate.subject.rfc4514_string(),
        sha256=hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest(),
        spki=public_key(certificate).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        serial=serial(certificate),
    )


@lru_cache(maxsize=_CACHE_SIZE)
def public_key(certificate: x509.Certificate) -> PublicKeyTypes:
    """The public key; cached, since `cryptography` decodes it at each access."""
    return certificate.public_key()


@lru_cache(maxsize=_CACHE_SIZE)
def serial(certificate: x509.Certificate) -> int:
    """The serial number, without a warning of AMD's 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return certificate.serial_number


def _parse_all(data: bytes) -> x509.Certificate:
    certificate = x509.load_der_x509_certificate(data)
    _ = (certificate.subject, certificate.issuer, certificate.extensions, certificate.public_key())
    _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    return certificate


def _decode_blocks(
    pem: bytes, block: re.Pattern[bytes], rule: Rule, expected: str
) -> tuple[bytes, ...]:
    """The bytes of each PEM block; `Malformed` if there is anything else."""
    text, decoded, at = pem.strip(b"\r\n"), [], 0
    while at < len(text):
        match = block.match(text, at)
        if match is None:
            raise Malformed(rule, expected, f"other data at byte {at}")
        try:
            decoded.append(canonical_base64.decode(match[1].translate(None, b"\r\n")))
        except ValueError as error:
            raise Malformed(rule, "base64", f"it {error}") from error
        at = match.end()
    return tuple(decoded)
