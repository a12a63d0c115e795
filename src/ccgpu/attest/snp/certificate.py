"""The parts of a VCEK or VLEK certificate, whichever parser read it: `cryptography` or `der`.

Nothing is verified here. Names are in RFC 4514 form, as in anchors.
"""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ccgpu.attest import certificates
from ccgpu.attest.check import Rule

READABLE = Rule(
    "snp.vek.certificate",
    "the certificate of the chip's key can be read",
    "AMD VCEK specification (57230), 3; RFC 5280, 4.1",
)

# RFC 4055, 3.1, with what AMD signs with: VCEK specification (57230), 3.1.
_PSS = padding.PSS(padding.MGF1(hashes.SHA384()), 48)
RSASSA_PSS = "1.2.840.113549.1.1.10"
PSS_SHA384 = "RSASSA-PSS, SHA-384, MGF1 with SHA-384, salt of 48 bytes"


@dataclass(frozen=True, slots=True)
class VekExtension:
    """One X.509 extension; `value` is the DER inside its OCTET STRING."""

    oid: str
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class VekCertificate:
    """The parts of a certificate.

    `spki`: SubjectPublicKeyInfo (DER). `signed`: TBSCertificate (DER), which `signature` covers.
    """

    subject: str
    issuer: str
    serial: int
    not_before: datetime
    not_after: datetime
    spki: bytes
    extensions: tuple[VekExtension, ...]
    algorithm: str
    signed: bytes
    signature: bytes


def read(data: bytes) -> VekCertificate:
    """Parse a certificate in DER with `cryptography`, or raise `Malformed`."""
    return certificates.parse_without_warnings(_read, data, READABLE)


def _read(data: bytes) -> VekCertificate:
    """Decode every part here, where an error of `cryptography` becomes `Malformed`."""
    certificate = x509.load_der_x509_certificate(data)
    return VekCertificate(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=certificate.serial_number,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        spki=certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        extensions=tuple(_extension(each) for each in certificate.extensions),
        algorithm=algorithm(certificate),
        signed=certificate.tbs_certificate_bytes,
        signature=certificate.signature,
    )


def algorithm(signed_object: x509.Certificate | x509.CertificateRevocationList) -> str:
    """The signature algorithm: `PSS_SHA384`, or the OID of another one."""
    try:
        parameters, hashed = (
            signed_object.signature_algorithm_parameters,
            signed_object.signature_hash_algorithm,
        )
    except certificates.REFUSALS:
        parameters, hashed = None, None
    if parameters == _PSS and isinstance(hashed, hashes.SHA384):
        return PSS_SHA384
    return other_algorithm(signed_object.signature_algorithm_oid.dotted_string)


def other_algorithm(oid: str) -> str:
    """The name, for checks, of an algorithm that AMD does not sign with."""
    return f"{oid} with other parameters" if oid == RSASSA_PSS else oid


def _extension(extension: x509.Extension[x509.ExtensionType]) -> VekExtension:
    return VekExtension(
        extension.oid.dotted_string, extension.critical, extension.value.public_bytes()
    )
