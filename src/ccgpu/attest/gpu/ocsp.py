"""Verifies that no certificate is revoked, by OCSP responses (RFC 6960).

A response is found by its CertID. Steps for each certificate: 1 there is a response about it · 2
its responder, and that of all others about it · 3 the time of the newest · 4 its nonce · 5 its
status; any response may revoke. A certificate without a response fails. Responses about other
certificates are ignored, unless they are altered ones of the same issuers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp as rfc6960

from ccgpu.attest.check import Checks, Outcome, Rule, format_value
from ccgpu.attest.gpu import ocsp_responder, ocsp_response, usage
from ccgpu.attest.gpu.ocsp_response import OcspCertId, OcspResponse, Status
from ccgpu.attest.gpu.usage import NamedChecks

_RFC = "RFC 6960"

ABSENT = Rule("ocsp.absent", "there is an OCSP answer about each certificate", f"{_RFC}, 3.2")
OTHER = Rule(
    "ocsp.other",
    "there is an OCSP answer about this certificate, not only about others",
    f"{_RFC}, 3.2",
)
GENUINE = Rule(
    "ocsp.genuine", "every further answer about it is its issuer's, unchanged", f"{_RFC}, 3.2"
)
CHANGED = Rule("ocsp.changed", "no OCSP answer of these issuers was altered", f"{_RFC}, 3.2")
SERIAL = Rule("ocsp.serial", "the OCSP answer is about this serial number", f"{_RFC}, 4.1.1")
ISSUER = Rule(
    "ocsp.issuer", "the OCSP answer is about a certificate of this issuer", f"{_RFC}, 4.1.1"
)
FUTURE = Rule("ocsp.future", "the answer was given before the time", f"{_RFC}, 4.2.2.1")
STALE = Rule("ocsp.stale", "the answer still holds at the time", f"{_RFC}, 4.2.2.1")
NONCE_ABSENT = Rule("ocsp.nonce.absent", "the answer has the nonce of a request", "RFC 9654, 2.1")
NONCE_OTHER = Rule("ocsp.nonce.other", "its nonce is one that was sent", "RFC 9654, 2.1")
UNKNOWN = Rule("ocsp.unknown", "the responder knows the certificate", f"{_RFC}, 2.2")
HOLD = Rule("ocsp.hold", "the certificate is not on hold", "RFC 5280, 5.3.1")
REVOKED = Rule("ocsp.revoked", "the certificate is not revoked", f"{_RFC}, 2.2")

SKEW = timedelta(minutes=5)  # between the clocks of NVIDIA and of the user
_HASHES = {each.name: each for each in (hashes.SHA1(), hashes.SHA256(), hashes.SHA384())}  # noqa: S303
_NO_TIME = timedelta(0)

CertificateAndIssuer = tuple[
    x509.Certificate, x509.Certificate
]  # a certificate, and that of its issuer


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate to check, and its verified issuer."""

    certificate: x509.Certificate
    issuer: x509.Certificate

    def cert_id(self, hash_name: str) -> OcspCertId | None:
        """Its CertID (RFC 6960, 4.1.1) with that hash; None if the hash is not supported."""
        algorithm = _HASHES.get(hash_name)
        if algorithm is None:
            return None
        builder = rfc6960.OCSPRequestBuilder()
        request = builder.add_certificate(self.certificate, self.issuer, algorithm).build()
        return OcspCertId(request.issuer_name_hash, request.issuer_key_hash, request.serial_number)


@dataclass(frozen=True, slots=True)
class RevocationStatus:
    """The status of a certificate, and until when it holds (nextUpdate)."""

    certificate: str
    status: Status
    until: datetime | None


@dataclass(frozen=True, slots=True)
class ParsedResponses:
    """All parsed responses, those about other certificates, and error messages of responders."""

    responses: Sequence[OcspResponse]
    unrelated: Sequence[OcspResponse]
    errors: Sequence[str]

    @property
    def absence(self) -> str:
        """What there is instead of a response, as checks show it."""
        messages = f", and error messages: {', '.join(self.errors)}" if self.errors else ""
        return f"none of {len(self.responses)}{messages}"


@dataclass(frozen=True, slots=True)
class OcspTerms:
    """What responses must satisfy.

    `nonces`: what the requests carried. `given`: signed bytes of the caller's own responses, which
    those nonces do not concern. `grace`: accepted time after nextUpdate. `may_hold`: certificates
    that may be on hold.
    """

    at: datetime
    nonces: frozenset[bytes]
    given: frozenset[bytes]
    grace: timedelta
    may_hold: frozenset[x509.Certificate]


def verify(
    answers: Sequence[bytes],
    wanted: Sequence[CertificateAndIssuer],
    at: datetime,
    checks: Checks,
    *,
    given: Sequence[bytes] = (),
    nonces: Sequence[bytes] = (),
    unsafe_grace: timedelta = _NO_TIME,
    unsafe_hold: Sequence[CertificateAndIssuer] = (),
) -> Outcome[tuple[RevocationStatus, ...]]:
    """Check that each certificate in `wanted` (with its issuer) is not revoked at a time.

    `answers`: the evidence's responses (DER). `given`: the caller's. `nonces`: what the requests
    for the evidence's carried; without any, only their validity period shows that they are new.
    `unsafe_grace`: accepted time after nextUpdate. `unsafe_hold`: those of `wanted` that may be on
    hold. A certificate that is listed twice is checked once. An empty list verifies nothing.
    """
    since = checks.checkpoint()
    may_hold = frozenset(certificate for certificate, _ in unsafe_hold)
    every = [IssuedCertificate(*pair) for pair in dict.fromkeys(wanted)]
    given_responses, given_errors = _parse_responses(given, checks)
    known = frozenset(given)
    brought, brought_errors = _parse_responses(
        [each for each in answers if each not in known], checks
    )
    responses = [*given_responses, *brought]
    given_signed = frozenset(each.signed for each in given_responses)
    terms = OcspTerms(at, frozenset(nonces), given_signed, unsafe_grace, may_hold)
    others = [each for each in responses if not any(_is_about(each, one) for one in every)]
    _check_others(others, every, checks)
    unrelated = [each for each in others if each.signed not in given_signed]
    parsed = ParsedResponses(responses, unrelated, (*given_errors, *brought_errors))
    statuses = [_check_certificate(one, parsed, terms, checks) for one in every]
    return checks.conclude(tuple(each for each in statuses if each), since)


def _parse_responses(
    answers: Sequence[bytes], checks: Checks
) -> tuple[list[OcspResponse], list[str]]:
    """Parse each response once; error messages of responders are returned separately."""
    responses, errors = [], []
    for raw in dict.fromkeys(answers):
        message = ocsp_response.error_message(raw)
        if message is not None:
            errors.append(message)
            continue
        answer = checks.parse(ocsp_response.READABLE, ocsp_response.parse, raw, "an answer")
        if answer is not None:
            responses.append(answer)
    return responses, errors


def _check_others(
    others: Sequence[OcspResponse], every: Sequence[IssuedCertificate], checks: Checks
) -> None:
    """Refuse responses about other certificates that are altered ones of these issuers."""
    for answer in others:
        changed = [one for one in every if _is_changed(answer, one)]
        if changed:
            issuer = usage.describe(changed[0].issuer)
            checks.record(CHANGED, False, f"an answer of {issuer}", "another key, or other bytes")


def _is_changed(answer: OcspResponse, one: IssuedCertificate) -> bool:
    """Whether a valid responder of that issuer is named, but the signature does not verify."""
    name = one.issuer.subject
    if answer.certificates and all(each.issuer != name for each in answer.certificates):
        return False  # of another issuer's delegate
    failed = _failures(answer, one)
    return bool(failed) and failed <= {ocsp_responder.SIGNATURE.id, ocsp_responder.ALGORITHM.id}


def _failures(answer: OcspResponse, one: IssuedCertificate) -> set[str]:
    """The reason codes of failed responder checks, at the time of the response."""
    checks = Checks()
    named = NamedChecks(usage.describe(one.certificate), checks)
    ocsp_responder.verify(answer, one.certificate, one.issuer, answer.this_update, named)
    return {check.id for check in checks.made if not check.ok}


def _is_about(answer: OcspResponse, wanted: IssuedCertificate) -> bool:
    return answer.about == wanted.cert_id(answer.hash_name)


def _check_certificate(
    wanted: IssuedCertificate, parsed: ParsedResponses, terms: OcspTerms, checks: Checks
) -> RevocationStatus | None:
    name = usage.describe(wanted.certificate)
    named = NamedChecks(name, checks)
    about = [answer for answer in parsed.responses if _is_about(answer, wanted)]  # 1
    if not about:
        named.record(_absence_rule(wanted, parsed.unrelated), False, "an answer", parsed.absence)
        return None
    newest = _newest(about, terms)
    named.record(ABSENT, True, "an answer", "an answer")
    ocsp_responder.verify(newest, wanted.certificate, wanted.issuer, terms.at, named)  # 2
    further = [each for each in about if each is not newest]
    if further:
        _check_further(further, wanted, named)
    _check_time(newest, terms, named)  # 3
    if terms.nonces and newest.signed not in terms.given:  # 4
        _check_nonce(newest.nonce, terms.nonces, named)
    revoked = any(each.status == "revoked" for each in about)
    status: Status = "revoked" if revoked else newest.status
    _check_status(status, wanted.certificate in terms.may_hold, named)  # 5
    return RevocationStatus(name, status, newest.next_update)


def _newest(about: Sequence[OcspResponse], terms: OcspTerms) -> OcspResponse:
    """The newest that is not of the future; of two of the same time, one that is not good."""
    begun = [each for each in about if each.this_update <= terms.at + SKEW]
    return max(begun or about, key=lambda each: (each.this_update, each.status != "good"))


def _check_further(
    further: Sequence[OcspResponse], wanted: IssuedCertificate, checks: NamedChecks
) -> None:
    """One check of all responses but the newest: an altered one might hide a revocation."""
    failed = sorted({id_ for each in further for id_ in _failures(each, wanted)})
    genuine = f"genuine: {len(further)}"
    checks.record(GENUINE, not failed, genuine, failed or genuine)


def _absence_rule(wanted: IssuedCertificate, unrelated: Sequence[OcspResponse]) -> Rule:
    """The rule that describes best, by the `unrelated` ones, why there is no response."""
    for answer in unrelated:
        expected = wanted.cert_id(answer.hash_name)
        if expected is not None and answer.about.issuer == expected.issuer:
            return SERIAL
        if answer.about.serial == wanted.certificate.serial_number:
            return ISSUER
    return OTHER if unrelated else ABSENT


def _check_time(answer: OcspResponse, terms: OcspTerms, checks: NamedChecks) -> None:
    start, end, at = answer.this_update, answer.next_update, terms.at
    checks.record(FUTURE, start <= at + SKEW, f"from {format_value(start)}", at)
    held = end is not None and at - terms.grace <= end
    late = f" and {terms.grace} of grace (unsafe)" if terms.grace else ""
    checks.record(STALE, held, f"until {format_value(end)}{late}", at)


def _check_nonce(nonce: bytes | None, sent: frozenset[bytes], checks: NamedChecks) -> None:
    rule = NONCE_ABSENT if nonce is None else NONCE_OTHER
    checks.record(rule, nonce in sent, sorted(sent), nonce)


def _check_status(status: Status, may_hold: bool, checks: NamedChecks) -> None:
    checks.record(UNKNOWN, status != "unknown", "known", status)
    checks.record(REVOKED, status != "revoked", "not revoked", status)
    expected = "on hold, or not (unsafe)" if may_hold else "not on hold"
    checks.record(HOLD, may_hold or status != "hold", expected, status)
