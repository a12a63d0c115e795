"""Real OCSP responses and revocation lists of an issuer that exists for one test run."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

_DER = serialization.Encoding.DER
_BEGINS = datetime(2020, 1, 1, tzinfo=UTC)


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@cache
def certificate(serial: int) -> x509.Certificate:
    """A certificate of the issuer; 1 is its own."""
    return (
        x509.CertificateBuilder()
        .subject_name(_name("issuer" if serial == 1 else f"subject {serial}"))
        .issuer_name(_name("issuer"))
        .public_key(_key().public_key())
        .serial_number(serial)
        .not_valid_before(_BEGINS)
        .not_valid_after(_BEGINS + timedelta(days=36500))
        .sign(_key(), hashes.SHA384())
    )


def ocsp_request(serial: int, nonce: bytes | None = None, algorithm: Any = None) -> bytes:
    """A request about the certificate with this serial number."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        certificate(serial), certificate(1), algorithm or hashes.SHA384()
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(_DER)


def ocsp_response(
    serial: int,
    this_update: float,
    hours: float | None = 24,
    *,
    revoked: bool = False,
    algorithm: Any = None,
) -> bytes:
    """A signed response, valid from `this_update` (Unix time) for `hours`."""
    begins = datetime.fromtimestamp(int(this_update), UTC)
    status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=certificate(serial),
        issuer=certificate(1),
        algorithm=algorithm or hashes.SHA384(),
        cert_status=status,
        this_update=begins,
        next_update=None if hours is None else begins + timedelta(hours=hours),
        revocation_time=begins if revoked else None,
        revocation_reason=None,
    )
    signed = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, certificate(1))
    return signed.sign(_key(), hashes.SHA384()).public_bytes(_DER)


def ocsp_response_to(request: bytes, this_update: float) -> bytes:
    """A signed response to a request about any certificate, valid for a day."""
    asked = ocsp.load_der_ocsp_request(request)
    begins = datetime.fromtimestamp(int(this_update), UTC)
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        asked.issuer_name_hash,
        asked.issuer_key_hash,
        asked.serial_number,
        asked.hash_algorithm,
        ocsp.OCSPCertStatus.GOOD,
        begins,
        begins + timedelta(days=1),
        None,
        None,
    )
    signed = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, certificate(1))
    return signed.sign(_key(), hashes.SHA384()).public_bytes(_DER)


def unsuccessful_response(status: ocsp.OCSPResponseStatus) -> bytes:
    """An unsuccessful response."""
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(_DER)


def crl(this_update: float, days: float) -> bytes:
    """A signed, empty revocation list."""
    begins = datetime.fromtimestamp(int(this_update), UTC)
    return (
        x509.CertificateRevocationListBuilder()
        .issuer_name(_name("issuer"))
        .last_update(begins)
        .next_update(begins + timedelta(days=days))
        .sign(_key(), hashes.SHA384())
        .public_bytes(_DER)
    )
