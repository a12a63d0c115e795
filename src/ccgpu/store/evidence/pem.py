"""Reads certificates in PEM or DER only to sort files: nothing is verified here."""

import warnings

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

_END = b"-----END CERTIFICATE-----"

# What reading a damaged certificate, revocation list or OCSP answer may raise.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
)


def first_certificate(data: bytes) -> x509.Certificate | None:
    """The first certificate of a PEM text, or the one of a DER file; None if there is none."""
    begin = data.find(b"-----BEGIN CERTIFICATE-----")
    with warnings.catch_warnings():
        # AMD's VCEKs have the serial number 0, which RFC 5280 does not allow.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        try:
            if begin >= 0:
                return x509.load_pem_x509_certificate(data[begin:])
            return x509.load_der_x509_certificate(data)
        except UNREADABLE:
            return None


def common_name(certificate: x509.Certificate) -> str:
    """The subject's common name; empty if there is none."""
    try:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except UNREADABLE:
        return ""
    return str(names[0].value) if names else ""


def split_first(data: bytes) -> tuple[bytes, bytes | None]:
    """The first certificate of a PEM text, and the rest; None for no rest, as in DER."""
    end = data.find(_END)
    if end < 0:
        return data, None
    head, rest = data[: end + len(_END)] + b"\n", data[end + len(_END) :]
    return head, rest if b"-----BEGIN CERTIFICATE-----" in rest else None
