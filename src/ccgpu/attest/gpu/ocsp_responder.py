"""Who signed an OCSP answer, and whether the issuer of the certificate lets them (RFC 6960, 4.2.2).

The issuer answers itself, or by a delegate whose certificate it issued for this one purpose and
which came along. What an answer is about never vouches for itself.
"""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from ccgpu.attest.check import Rule, shown
from ccgpu.attest.gpu import signatures, usage
from ccgpu.attest.gpu.ocsp_answer import Answer
from ccgpu.attest.gpu.usage import NamedChecks

_DELEGATE = "RFC 6960, 4.2.2.2"

KNOWN = Rule("ocsp.responder", "the answer is by the issuer, or by whoever came along", _DELEGATE)
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
    answer: Answer,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    at: datetime,
    checks: NamedChecks,
) -> None:
    """Check who signed an answer about a certificate, and that they did."""
    signer = _signer(answer, certificate, issuer)
    name = usage.shown(signer) if signer else None
    checks.that(KNOWN, signer is not None, "the issuer or its delegate", name)
    if signer is None:
        return
    if signer is not issuer:
        _check_delegate(signer, certificate, issuer, at, checks)
    checks.that(
        ALGORITHM,
        answer.algorithm == signatures.ECDSA_SHA384,
        signatures.ECDSA_SHA384,
        answer.algorithm,
    )
    signed = _signed(answer, signer.public_key())
    checks.that(SIGNATURE, signed, name, name if signed else "another key, or other bytes")


def _signer(
    answer: Answer, certificate: x509.Certificate, issuer: x509.Certificate
) -> x509.Certificate | None:
    """The first that the answer's responder id is of."""
    those = (issuer, certificate, *answer.certificates)
    return next((each for each in those if _is_named(each, answer)), None)


def _is_named(found: x509.Certificate, answer: Answer) -> bool:
    if answer.responder_name is not None:
        return found.subject == answer.responder_name
    key = x509.SubjectKeyIdentifier.from_public_key(found.public_key())  # SHA-1: RFC 6960, 4.2.1
    return key.digest == answer.responder_key


def _check_delegate(
    signer: x509.Certificate,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    at: datetime,
    checks: NamedChecks,
) -> None:
    name, itself = usage.shown(signer), signer.public_key() == certificate.public_key()
    checks.that(SUBJECT, not itself, "somebody else", name)
    if itself:
        return
    by_issuer = (
        signer.issuer == issuer.subject
        and usage.by_ecdsa(signer)
        and signatures.of_certificate(issuer.public_key(), signer)
    )
    checks.that(ISSUER, by_issuer, usage.shown(issuer), signer.issuer.rfc4514_string())
    purposes = _purposes(signer)
    held = ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string in purposes
    checks.that(PURPOSE, held, ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string, purposes)
    checks.that(USAGE, usage.signs_data(signer), "signs data, is no authority", name)
    understood = usage.is_understood(signer, ExtensionOID.EXTENDED_KEY_USAGE)
    checks.that(CRITICAL, understood, "known", name)
    start, end = signer.not_valid_before_utc, signer.not_valid_after_utc
    checks.that(DATES, start <= at <= end, f"{name}, {shown(start)} to {shown(end)}", at)


def _purposes(signer: x509.Certificate) -> list[str]:
    found = usage.extension(signer, ExtensionOID.EXTENDED_KEY_USAGE)
    if not isinstance(found, x509.ExtendedKeyUsage):
        return []
    return [each.dotted_string for each in found]


def _signed(answer: Answer, key: PublicKeyTypes) -> bool:
    try:
        numbers = decode_dss_signature(answer.signature)
    except ValueError:
        return False
    return signatures.of_report(key, numbers, answer.signed)
