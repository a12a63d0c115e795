"""Whether NVIDIA still stands behind certificates: OCSP answers, held against each of them.

An answer is found by what it is about, never by its place or name. Steps for each certificate:
1 there is an answer about it · 2 who gave it · 3 its time · 4 the nonce · 5 what it says. Whatever
is not answered is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp as rfc6960

from ccgpu.attest.check import Checks, Outcome, Rule, shown
from ccgpu.attest.gpu import ocsp_answer, ocsp_responder, usage
from ccgpu.attest.gpu.ocsp_answer import Answer, CertId, Status
from ccgpu.attest.gpu.usage import NamedChecks

_RFC = "RFC 6960"

ABSENT = Rule("ocsp.absent", "there is an OCSP answer about each certificate", f"{_RFC}, 3.2")
OTHER = Rule("ocsp.other", "no answer about another certificate stands in", f"{_RFC}, 3.2")
SERIAL = Rule("ocsp.serial", "it is about the certificate of this number", f"{_RFC}, 4.1.1")
ISSUER = Rule("ocsp.issuer", "it is about the certificate of this issuer", f"{_RFC}, 4.1.1")
FUTURE = Rule("ocsp.future", "the answer was given before the time", f"{_RFC}, 4.2.2.1")
STALE = Rule("ocsp.stale", "the answer still holds at the time", f"{_RFC}, 4.2.2.1")
NONCE_ABSENT = Rule("ocsp.nonce.absent", "the answer has the nonce of a request", "RFC 9654, 2.1")
NONCE_OTHER = Rule("ocsp.nonce.other", "its nonce is one that was sent", "RFC 9654, 2.1")
UNKNOWN = Rule("ocsp.unknown", "the responder knows the certificate", f"{_RFC}, 2.2")
HOLD = Rule("ocsp.hold", "the certificate is not on hold", "RFC 5280, 5.3.1")
REVOKED = Rule("ocsp.revoked", "the certificate is not revoked", f"{_RFC}, 2.2")

SKEW = timedelta(minutes=5)  # that the clocks of NVIDIA and of the user may differ
_HASHES = {each.name: each for each in (hashes.SHA1(), hashes.SHA256(), hashes.SHA384())}  # noqa: S303
_NO_TIME = timedelta(0)

Issued = tuple[x509.Certificate, x509.Certificate]  # a certificate, and that of its issuer


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate whose issuer is verified."""

    certificate: x509.Certificate
    issuer: x509.Certificate

    def cert_id(self, hash_name: str) -> CertId | None:
        """How an answer names it by that hash; None for one that nobody uses."""
        algorithm = _HASHES.get(hash_name)
        if algorithm is None:
            return None
        builder = rfc6960.OCSPRequestBuilder()
        asked = builder.add_certificate(self.certificate, self.issuer, algorithm).build()
        return CertId(asked.issuer_name_hash, asked.issuer_key_hash, asked.serial_number)


@dataclass(frozen=True, slots=True)
class Standing:
    """What was said of a certificate, and until when that holds."""

    certificate: str
    status: Status
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Terms:
    """At what time answers have to hold, the nonces that were sent, and what is let pass."""

    at: datetime
    nonces: frozenset[bytes]
    grace: timedelta
    may_hold: frozenset[x509.Certificate]


def verify(
    answers: Sequence[bytes],
    wanted: Sequence[Issued],
    at: datetime,
    checks: Checks,
    *,
    nonces: Sequence[bytes] = (),
    unsafe_grace: timedelta = _NO_TIME,
    unsafe_hold: Sequence[Issued] = (),
) -> Outcome[tuple[Standing, ...]]:
    """Check that each certificate (with its issuer) is in good standing at a time.

    `nonces`: what requests carried; without any, the window alone says that an answer is new.
    `unsafe_grace` lets answers pass that long after they ended; `unsafe_hold` are those of the
    wanted that may be on hold. One that is wanted twice is judged once; none verifies nothing.
    """
    since = checks.mark()
    may_hold = frozenset(certificate for certificate, _ in unsafe_hold)
    terms = Terms(at, frozenset(nonces), unsafe_grace, may_hold)
    every = [Wanted(*pair) for pair in dict.fromkeys(wanted)]
    found = _read(answers, checks)
    unclaimed = [each for each in found if not any(_is_about(each, one) for one in every)]
    standings = [_judge(one, found, unclaimed, terms, checks) for one in every]
    return checks.vouch(tuple(each for each in standings if each), since)


def _read(answers: Sequence[bytes], checks: Checks) -> list[Answer]:
    read = (
        checks.read(ocsp_answer.READABLE, ocsp_answer.parse, each, "an answer") for each in answers
    )
    return [each for each in read if each is not None]


def _is_about(answer: Answer, wanted: Wanted) -> bool:
    return answer.about == wanted.cert_id(answer.hash_name)


def _judge(
    wanted: Wanted,
    found: Sequence[Answer],
    unclaimed: Sequence[Answer],
    terms: Terms,
    checks: Checks,
) -> Standing | None:
    name = usage.shown(wanted.certificate)
    named = NamedChecks(name, checks)
    about = [answer for answer in found if _is_about(answer, wanted)]  # 1
    if not about:
        named.that(_reason(wanted, unclaimed), False, "an answer", f"none of {len(found)}")
        return None
    answer = max(about, key=_newest)
    named.that(ABSENT, True, "an answer", "an answer")
    ocsp_responder.verify(answer, wanted.certificate, wanted.issuer, terms.at, named)  # 2
    _check_time(answer, terms, named)  # 3
    if terms.nonces:  # 4
        _check_nonce(answer.nonce, terms.nonces, named)
    _check_status(answer.status, wanted.certificate in terms.may_hold, named)  # 5
    return Standing(name, answer.status, answer.next_update)


def _newest(answer: Answer) -> tuple[datetime, bool]:
    """Later answers first; of two at one time, the one that is not good."""
    return answer.this_update, answer.status != "good"


def _reason(wanted: Wanted, unclaimed: Sequence[Answer]) -> Rule:
    """Why there is no answer, as far as answers that are about nobody here can tell."""
    for answer in unclaimed:
        asked = wanted.cert_id(answer.hash_name)
        if asked is not None and answer.about.issuer == asked.issuer:
            return SERIAL
        if answer.about.serial == wanted.certificate.serial_number:
            return ISSUER
    return OTHER if unclaimed else ABSENT


def _check_time(answer: Answer, terms: Terms, checks: NamedChecks) -> None:
    start, end, at = answer.this_update, answer.next_update, terms.at
    checks.that(FUTURE, start <= at + SKEW, f"from {shown(start)}", at)
    held = end is not None and at <= end + terms.grace
    late = f" and {terms.grace} of grace (unsafe)" if terms.grace else ""
    checks.that(STALE, held, f"until {shown(end)}{late}", at)


def _check_nonce(nonce: bytes | None, sent: frozenset[bytes], checks: NamedChecks) -> None:
    rule = NONCE_ABSENT if nonce is None else NONCE_OTHER
    checks.that(rule, nonce in sent, sorted(sent), nonce)


def _check_status(status: Status, may_hold: bool, checks: NamedChecks) -> None:
    checks.that(UNKNOWN, status != "unknown", "known", status)
    checks.that(REVOKED, status != "revoked", "not revoked", status)
    expected = "on hold, or not (unsafe)" if may_hold else "not on hold"
    checks.that(HOLD, may_hold or status != "hold", expected, status)
