"""Whether NVIDIA still stands behind certificates: OCSP answers, held against each of them.

An answer is found by what it is about, never by its place or name. Steps for each certificate:
1 there is an answer about it · 2 who gave it, and all others about it · 3 the time of the newest ·
4 its nonce · 5 what it says; any may revoke. Whatever is not answered is refused. Answers about
certificates of other machines are passed over, unless they are damaged ones of these issuers.
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
GENUINE = Rule(
    "ocsp.genuine", "every further answer about it is its issuer's, unchanged", f"{_RFC}, 3.2"
)
CHANGED = Rule(
    "ocsp.changed", "no answer of these issuers was changed to be about another", f"{_RFC}, 3.2"
)
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
class Heard:
    """All answers, those of the evidence about nobody here, and what error messages say."""

    found: Sequence[Answer]
    about_nobody: Sequence[Answer]
    errors: Sequence[str]

    @property
    def none(self) -> str:
        """That there is no answer, and what there is instead."""
        messages = f", and error messages: {', '.join(self.errors)}" if self.errors else ""
        return f"none of {len(self.found)}{messages}"


@dataclass(frozen=True, slots=True)
class Terms:
    """At what time answers have to hold, the nonces that were sent, and what is let pass.

    `given`: what was signed of the caller's own answers, which the evidence's nonces do not bind.
    """

    at: datetime
    nonces: frozenset[bytes]
    given: frozenset[bytes]
    grace: timedelta
    may_hold: frozenset[x509.Certificate]


def verify(
    answers: Sequence[bytes],
    wanted: Sequence[Issued],
    at: datetime,
    checks: Checks,
    *,
    given: Sequence[bytes] = (),
    nonces: Sequence[bytes] = (),
    unsafe_grace: timedelta = _NO_TIME,
    unsafe_hold: Sequence[Issued] = (),
) -> Outcome[tuple[Standing, ...]]:
    """Check that each certificate (with its issuer) is in good standing at a time.

    `given`: the caller's own answers. `nonces`: what the requests for the others carried; without
    any, the window alone says that an answer is new.
    `unsafe_grace` lets answers pass that long after they ended; `unsafe_hold` are those of the
    wanted that may be on hold. One that is wanted twice is judged once; none verifies nothing.
    """
    since = checks.mark()
    may_hold = frozenset(certificate for certificate, _ in unsafe_hold)
    every = [Wanted(*pair) for pair in dict.fromkeys(wanted)]
    callers, silent = _read(given, checks)
    known = frozenset(given)
    brought, more = _read([each for each in answers if each not in known], checks)
    found = [*callers, *brought]
    own = frozenset(each.signed for each in callers)
    terms = Terms(at, frozenset(nonces), own, unsafe_grace, may_hold)
    others = [each for each in found if not any(_is_about(each, one) for one in every)]
    _check_others(others, every, checks)
    about_nobody = [each for each in others if each.signed not in own]
    heard = Heard(found, about_nobody, (*silent, *more))
    standings = [_judge(one, heard, terms, checks) for one in every]
    return checks.vouch(tuple(each for each in standings if each), since)


def _read(answers: Sequence[bytes], checks: Checks) -> tuple[list[Answer], list[str]]:
    """Each answer once, and what error messages say, which are none."""
    found, silent = [], []
    for raw in dict.fromkeys(answers):
        said = ocsp_answer.error_message(raw)
        if said is not None:
            silent.append(said)
            continue
        answer = checks.read(ocsp_answer.READABLE, ocsp_answer.parse, raw, "an answer")
        if answer is not None:
            found.append(answer)
    return found, silent


def _check_others(others: Sequence[Answer], every: Sequence[Wanted], checks: Checks) -> None:
    """Answers about nobody here: if one of these issuers gave it, it is as that issuer gave it."""
    for answer in others:
        changed = [one for one in every if _is_changed(answer, one)]
        if changed:
            issuer = usage.shown(changed[0].issuer)
            checks.that(CHANGED, False, f"an answer of {issuer}", "another key, or other bytes")


def _is_changed(answer: Answer, one: Wanted) -> bool:
    """Whether whoever may answer for that issuer is named, and did not sign this."""
    name = one.issuer.subject
    if answer.certificates and all(each.issuer != name for each in answer.certificates):
        return False  # of another issuer's delegate
    failed = _failures(answer, one)
    return bool(failed) and failed <= {ocsp_responder.SIGNATURE.id, ocsp_responder.ALGORITHM.id}


def _failures(answer: Answer, one: Wanted) -> set[str]:
    """What is wrong with who gave an answer, at the time it was given."""
    checks = Checks()
    named = NamedChecks(usage.shown(one.certificate), checks)
    ocsp_responder.verify(answer, one.certificate, one.issuer, answer.this_update, named)
    return {check.id for check in checks.made if not check.ok}


def _is_about(answer: Answer, wanted: Wanted) -> bool:
    return answer.about == wanted.cert_id(answer.hash_name)


def _judge(wanted: Wanted, heard: Heard, terms: Terms, checks: Checks) -> Standing | None:
    name = usage.shown(wanted.certificate)
    named = NamedChecks(name, checks)
    about = [answer for answer in heard.found if _is_about(answer, wanted)]  # 1
    if not about:
        named.that(_reason(wanted, heard.about_nobody), False, "an answer", heard.none)
        return None
    answer = _newest(about, terms)
    named.that(ABSENT, True, "an answer", "an answer")
    ocsp_responder.verify(answer, wanted.certificate, wanted.issuer, terms.at, named)  # 2
    further = [each for each in about if each is not answer]
    if further:
        _check_further(further, wanted, named)
    _check_time(answer, terms, named)  # 3
    if terms.nonces and answer.signed not in terms.given:  # 4
        _check_nonce(answer.nonce, terms.nonces, named)
    revoked = any(each.status == "revoked" for each in about)
    status: Status = "revoked" if revoked else answer.status
    _check_status(status, wanted.certificate in terms.may_hold, named)  # 5
    return Standing(name, status, answer.next_update)


def _newest(about: Sequence[Answer], terms: Terms) -> Answer:
    """The latest that was given by then; of two at one time, one that is not good."""
    begun = [each for each in about if each.this_update <= terms.at + SKEW]
    return max(begun or about, key=lambda each: (each.this_update, each.status != "good"))


def _check_further(further: Sequence[Answer], wanted: Wanted, checks: NamedChecks) -> None:
    """One check of all answers but the newest: a damaged one would hide what it said."""
    failed = sorted({id_ for each in further for id_ in _failures(each, wanted)})
    genuine = f"genuine: {len(further)}"
    checks.that(GENUINE, not failed, genuine, failed or genuine)


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
