"""The certificate of the simulated Azure's HTTPS server, and the authority that issued it.

The authority's key signs this one certificate and is thrown away: whoever trusts the authority
trusts nothing else with it.
"""

import ipaddress
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Thirty years before and after the virtual clock began, as the simulated vendors' certificates.
_FROM, _UNTIL = datetime(1996, 1, 1, tzinfo=UTC), datetime(2056, 1, 1, tzinfo=UTC)
_NAMES = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)
_BEGIN = b"-----BEGIN CERTIFICATE-----"


def make_identity() -> bytes:
    """PEM: the server's key, its certificate for loopback, and the certificate of its authority."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer, subject = _named("authority"), _named("server")
    authority_id = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = (
        _started(issuer, issuer, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(authority_id, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    known_as = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_id)
    server = (
        _started(subject, issuer, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_NAMES), critical=False)
        .add_extension(known_as, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + server.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM)


def authority_of(identity: bytes) -> bytes:
    """The authority's certificate (PEM) in what `make_identity` made. ValueError without one."""
    parts = identity.split(_BEGIN)
    if len(parts) != 3:
        raise ValueError("not a key and two certificates")
    text = _BEGIN + parts[2]
    x509.load_pem_x509_certificate(text)
    return text


def _named(what: str) -> x509.Name:
    text = f"{what} of a simulated Azure on this machine"
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _started(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
    )


def _usage(*wanted: str) -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: name in wanted for name in names})
