"""What one certificate may be used for, by its own extensions (RFC 5280, 4.2.1)."""

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
    """The value of one extension."""
    return next((each.value for each in certificate.extensions if each.oid == oid), None)


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign certificates."""
    usage = extension(certificate, ExtensionOID.KEY_USAGE)
    return _is_ca(certificate) and isinstance(usage, x509.KeyUsage) and usage.key_cert_sign


def signs_data(certificate: x509.Certificate) -> bool:
    """Whether it may sign data, and no certificates."""
    usage = extension(certificate, ExtensionOID.KEY_USAGE)
    return not _is_ca(certificate) and isinstance(usage, x509.KeyUsage) and usage.digital_signature


def allows_path_length(authorities: int, certificate: x509.Certificate) -> bool:
    """Whether so many authorities may stand below it, above the last certificate."""
    constraints = extension(certificate, ExtensionOID.BASIC_CONSTRAINTS)
    limit = constraints.path_length if isinstance(constraints, x509.BasicConstraints) else None
    return limit is None or authorities <= limit


def knows_critical_extensions(certificate: x509.Certificate, *more: x509.ObjectIdentifier) -> bool:
    """Whether every critical extension is looked at: here, or as one `more` by the caller."""
    known = _KNOWN_EXTENSIONS | {*more}
    return all(each.oid in known for each in certificate.extensions if each.critical)


def is_signed_with_ecdsa(certificate: x509.Certificate) -> bool:
    """Whether it says that it is signed in NVIDIA's one way."""
    return certificate.signature_algorithm_oid.dotted_string == signatures.ECDSA_SHA384


@dataclass(frozen=True, slots=True)
class NamedChecks:
    """Checks of one certificate among several: both sides of each say which."""

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
    """Record one check of several certificates; where it fails, it names those that fail it."""
    failing = [describe(each) for each, holds in zip(certs, held, strict=True) if not holds]
    actual = f"not: {'; '.join(failing)}" if failing else expected
    checks.record(rule, not failing, expected, actual)


@lru_cache(maxsize=128)
def describe(certificate: x509.Certificate) -> str:
    """Its common name and serial number, as a check names it."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = ", ".join(str(each.value) for each in names) or certificate.subject.rfc4514_string()
    return f"{name} ({certificates.serial(certificate):#x})"


def _is_ca(certificate: x509.Certificate) -> bool:
    constraints = extension(certificate, ExtensionOID.BASIC_CONSTRAINTS)
    return isinstance(constraints, x509.BasicConstraints) and constraints.ca
