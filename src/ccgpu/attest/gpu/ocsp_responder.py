"""Verifies who signed an OCSP response, and that they may (RFC 6960, 4.2.2).

The signer is the certificate's issuer, or a delegate whose certificate came along and was issued by
it for this purpose. A certificate never answers for itself.
"""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from ccgpu.attest.check import Rule, format_value
from ccgpu.attest.gpu import signatures, usage
from ccgpu.attest.gpu.ocsp_response import OcspResponse
from ccgpu.attest.gpu.usage import NamedChecks

_DELEGATE = "RFC 6960, 4.2.2.2"

KNOWN = Rule(
    "ocsp.responder", "the responder is the issuer, or its certificate came along", _DELEGATE
)
SUBJECT = Rule("ocsp.responder.subject", "no certificate answers for itself", _DELEGATE)
ISSUER = Rule("ocsp.responder.issuer", "the responder's certificate is by the issuer", _DELEGATE)
PURPOSE = Rule("ocsp.responder.eku", "the responder may sign OCSP answers", _DELEGATE)
USAGE = Rule(
    "ocsp.responder.usage", "the responder signs data, and is no authority", "RFC 5280, 4.2.1.3"
)
CRITICAL = Rule(
    "ocsp.responder.critical", "every critical extension of it is known", "RFC 5280, 6.1.4 (o)"
)
DATES = Rule("ocsp.responder.dates", "the responder is valid at the time", "RFC 5280, 6.1.3")
ALGORITHM = Rule("ocsp.algorithm", "answers are signed with ECDSA and SHA-384", "NVIDIA OCSP")
SIGNATURE = Rule("ocsp.signature", "the answer is signed by its responder", "RFC 6960, 3.2")


def verify(
    answer: OcspResponse,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    at: datetime,
    checks: NamedChecks,
) -> None:
    """Check the responder of an answer about `certificate`, and its signature, at a time."""
    signer = _signer(answer, certificate, issuer)
    name = usage.describe(signer) if signer else None
    checks.record(KNOWN, signer is not None, "the issuer or its delegate", name)
    if signer is None:
        return
    if signer is not issuer:
        _check_delegate(signer, certificate, issuer, at, checks)
    checks.record(
        ALGORITHM,
        answer.algorithm == signatures.ECDSA_SHA384,
        signatures.ECDSA_SHA384,
        answer.algorithm,
    )
    signed = _is_signed(answer, signer.public_key())
    checks.record(SIGNATURE, signed, name, name if signed else "another key, or other bytes")


def _signer(
    answer: OcspResponse, certificate: x509.Certificate, issuer: x509.Certificate
) -> x509.Certificate | None:
    """The first that the responder id names: the issuer, the subject itself, or embedded."""
    candidates = (issuer, certificate, *answer.certificates)
    return next((each for each in candidates if _is_named(each, answer)), None)


def _is_named(certificate: x509.Certificate, answer: OcspResponse) -> bool:
    if answer.responder_name is not None:
        return certificate.subject == answer.responder_name
    key = x509.SubjectKeyIdentifier.from_public_key(
        certificate.public_key()
    )  # SHA-1: RFC 6960, 4.2.1
    return key.digest == answer.responder_key


def _check_delegate(
    signer: x509.Certificate,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    at: datetime,
    checks: NamedChecks,
) -> None:
    name, itself = usage.describe(signer), signer.public_key() == certificate.public_key()
    checks.record(SUBJECT, not itself, "somebody else", name)
    if itself:
        return
    by_issuer = (
        signer.issuer == issuer.subject
        and usage.is_signed_with_ecdsa(signer)
        and signatures.is_certificate_signed_by(issuer.public_key(), signer)
    )
    checks.record(ISSUER, by_issuer, usage.describe(issuer), signer.issuer.rfc4514_string())
    purposes = _purposes(signer)
    held = ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string in purposes
    checks.record(PURPOSE, held, ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string, purposes)
    checks.record(USAGE, usage.signs_data(signer), "signs data, is no authority", name)
    understood = usage.knows_critical_extensions(signer, ExtensionOID.EXTENDED_KEY_USAGE)
    checks.record(CRITICAL, understood, "known", name)
    start, end = signer.not_valid_before_utc, signer.not_valid_after_utc
    checks.record(
        DATES, start <= at <= end, f"{name}, {format_value(start)} to {format_value(end)}", at
    )


def _purposes(signer: x509.Certificate) -> list[str]:
    usages = usage.extension(signer, ExtensionOID.EXTENDED_KEY_USAGE)
    if not isinstance(usages, x509.ExtendedKeyUsage):
        return []
    return [each.dotted_string for each in usages]


def _is_signed(answer: OcspResponse, key: PublicKeyTypes) -> bool:
    try:
        numbers = decode_dss_signature(answer.signature)
    except ValueError:
        return False
    return signatures.is_signed_by(key, numbers, answer.signed)
