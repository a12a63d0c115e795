"""Certificate extensions (RFC 5280, 4.2.1), and checks that name the certificate they are of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from ccgpu.attest import certificates
from ccgpu.attest.check import Checks, Rule
from ccgpu.attest.check import format_value as shown_value
from ccgpu.attest.gpu import signatures

_KNOWN_EXTENSIONS = {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE}


def extension(
    certificate: x509.Certificate, oid: x509.ObjectIdentifier
) -> x509.ExtensionType | None:
    """The value of an extension; None if the certificate does not have it."""
    return next((each.value for each in certificate.extensions if each.oid == oid), None)


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign certificates: basicConstraints and keyUsage say so."""
    usage = extension(certificate, ExtensionOID.KEY_USAGE)
    return _is_ca(certificate) and isinstance(usage, x509.KeyUsage) and usage.key_cert_sign


def signs_data(certificate: x509.Certificate) -> bool:
    """Whether it may sign data, and is no authority."""
    usage = extension(certificate, ExtensionOID.KEY_USAGE)
    return not _is_ca(certificate) and isinstance(usage, x509.KeyUsage) and usage.digital_signature


def allows_path_length(authorities: int, certificate: x509.Certificate) -> bool:
    """Whether its path length allows this many `authorities` below it."""
    constraints = extension(certificate, ExtensionOID.BASIC_CONSTRAINTS)
    limit = constraints.path_length if isinstance(constraints, x509.BasicConstraints) else None
    return limit is None or authorities <= limit


def knows_critical_extensions(certificate: x509.Certificate, *more: x509.ObjectIdentifier) -> bool:
    """Whether every critical extension is known here, or is one of `more`."""
    known = _KNOWN_EXTENSIONS | {*more}
    return all(each.oid in known for each in certificate.extensions if each.critical)


def is_signed_with_ecdsa(certificate: x509.Certificate) -> bool:
    """Whether its signature algorithm is ECDSA with SHA-384."""
    return certificate.signature_algorithm_oid.dotted_string == signatures.ECDSA_SHA384


@dataclass(frozen=True, slots=True)
class NamedChecks:
    """Checks of one certificate among several; both sides of each name it."""

    name: str
    checks: Checks

    def record(self, rule: Rule, ok: bool, expected: object, actual: object) -> bool:
        """Record whether `rule` holds."""
        both = (f"{self.name}: {shown_value(each)}" for each in (expected, actual))
        return self.checks.record(rule, ok, *both)


def check_each(
    rule: Rule,
    certs: Sequence[x509.Certificate],
    held: Iterable[bool],
    expected: str,
    checks: Checks,
) -> None:
    """Record one check of several certificates; if it fails, it names those that fail."""
    failing = [describe(each) for each, holds in zip(certs, held, strict=True) if not holds]
    actual = f"not: {'; '.join(failing)}" if failing else expected
    checks.record(rule, not failing, expected, actual)


@lru_cache(maxsize=128)
def describe(certificate: x509.Certificate) -> str:
    """Common name and serial number, as checks name a certificate."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = ", ".join(str(each.value) for each in names) or certificate.subject.rfc4514_string()
    return f"{name} ({certificates.serial(certificate):#x})"


def _is_ca(certificate: x509.Certificate) -> bool:
    constraints = extension(certificate, ExtensionOID.BASIC_CONSTRAINTS)
    return isinstance(constraints, x509.BasicConstraints) and constraints.ca
