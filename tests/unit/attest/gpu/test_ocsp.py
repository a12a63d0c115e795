"""OCSP: a certificate is in good standing if its issuer says so, now, about it; else refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp as rfc6960
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Checks, Malformed, Unverified, Verified
from ccgpu.attest.gpu import chain as chains
from ccgpu.attest.gpu import ocsp as verifier
from ccgpu.attest.gpu import ocsp_request, ocsp_response
from ccgpu.attest.gpu.roots import NVIDIA_DEVICE, NVIDIA_RIM
from ccgpu.fakeguest.evidence import nvidia_pki, ocsp, pki
from ccgpu.fakeguest.evidence.pki import X509Extension
from support.evidence_rim import AT, certificate_pairs, load_certificate, ocsp_refusals, verify_rim
from support.tampering import new_rim_chain

PAIRS = certificate_pairs(new_rim_chain())
SIGNER, L3, L2 = PAIRS
GOOD = [pair.signed_answer() for pair in PAIRS]
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
START, END = AT - HOUR, AT + 23 * HOUR
NONCE = bytes(range(32))


def refused(*answers: bytes, **how) -> set[str]:
    """Why these answers do not vouch for the signer's certificate."""
    return ocsp_refusals(answers, [SIGNER], **how)


def test_certificates_with_good_responses_are_in_good_standing():
    assert ocsp_refusals(GOOD, PAIRS) == set()


def test_responses_are_matched_to_certificates_in_any_order():
    assert ocsp_refusals([*reversed(GOOD), *GOOD], PAIRS) == set()


def test_the_status_of_each_certificate_is_listed():
    outcome = verifier.verify(GOOD, [pair.wanted for pair in PAIRS], AT, Checks())
    names = [each.certificate for each in outcome.value]
    assert names[0] == "HCC RIM L4 Signer (0xd69f10b46c05d202)"
    assert {each.status for each in outcome.value} == {"good"}
    assert {each.until for each in outcome.value} == {END}


def test_a_certificate_requested_twice_is_checked_once():
    checks = Checks()
    verifier.verify(GOOD, [SIGNER.wanted, L3.wanted, SIGNER.wanted], AT, checks)
    assert len([check for check in checks.made if check.id == "ocsp.signature"]) == 2


def test_every_check_names_its_certificate():
    checks = Checks()
    verifier.verify([GOOD[0]], [pair.wanted for pair in PAIRS], AT, checks)
    said = [check.expected for check in checks.made if check.id == "ocsp.absent"]
    assert [each.partition(":")[0] for each in said] == [
        "HCC RIM L4 Signer (0xd69f10b46c05d202)",
        "NVIDIA Reference Value L3 GH100 002 (0xb4ebf6542022fdec)",
        "NVIDIA Reference Value GH100 CA (0xc6dbf0754093fdeb)",
    ]


def test_an_empty_request_verifies_nothing():
    assert isinstance(verifier.verify([], [], AT, Checks()), Unverified)


# About whom


def test_a_missing_response_is_rejected():
    assert refused() == {"ocsp.absent"}
    assert ocsp_refusals(GOOD[:2], PAIRS) == {"ocsp.absent"}


def test_swapped_answers_are_refused():
    twice = [GOOD[0], GOOD[1], GOOD[1]]
    assert ocsp_refusals(twice, PAIRS) == {"ocsp.absent"}
    assert refused(GOOD[1]) == {"ocsp.other"}
    assert refused(GOOD[1], GOOD[2]) == {"ocsp.other"}


def test_an_answer_about_another_number_is_refused():
    assert refused(SIGNER.signed_answer(serial=SIGNER.certificate.serial_number + 1)) == {
        "ocsp.serial"
    }
    assert refused(GOOD[1], SIGNER.signed_answer(serial=1)) == {"ocsp.serial"}


@pytest.mark.parametrize("field", ["issuer_name_hash", "issuer_key_hash"])
def test_an_answer_about_another_issuer_is_refused(field):
    assert refused(SIGNER.signed_answer(**{field: bytes(48)})) == {"ocsp.issuer"}


@pytest.mark.parametrize("name", ["sha1", "sha256", "sha384"])
def test_an_answer_may_name_the_certificate_by_any_known_hash(name):
    single = ocsp.single_response(*SIGNER.wanted, START, END, name)
    assert refused(SIGNER.answer(singles=[single]).signed_by(SIGNER.key)) == set()


def test_an_answer_that_names_it_by_another_hash_is_refused():
    single = ocsp.single_response(*SIGNER.wanted, START, END, "sha512")
    assert refused(SIGNER.answer(singles=[single]).signed_by(SIGNER.key)) == {"ocsp.issuer"}


def test_the_named_hash_algorithm_is_used():
    lies = SIGNER.signed_answer(hash_name="sha256")
    assert refused(lies) == {"ocsp.issuer"}


def test_responses_about_other_certificates_are_ignored():
    strangers = certificate_pairs(new_rim_chain())
    assert ocsp_refusals([*GOOD, *(pair.signed_answer() for pair in strangers)], PAIRS) == set()


# By whom


def test_the_issuer_may_answer_itself():
    by_key = SIGNER.answer(responder=ocsp.responder_key_hash(SIGNER.issuer), certificates=[])
    by_name = replace(by_key, responder=SIGNER.issuer.subject)
    for answer in (by_key, by_name):
        assert refused(answer.signed_by(SIGNER.issuer_key)) == set()
        assert refused(answer.signed_by(SIGNER.key)) == {"ocsp.signature"}


def test_a_delegate_may_be_named_by_its_name():
    answer = SIGNER.answer(responder=SIGNER.responder.subject)
    assert refused(answer.signed_by(SIGNER.key)) == set()


def test_a_responder_without_a_certificate_is_refused():
    assert refused(SIGNER.answer(certificates=[]).signed_by(SIGNER.key)) == {"ocsp.responder"}
    by_other = SIGNER.answer(responder=bytes(20)).signed_by(SIGNER.key)
    assert refused(by_other) == {"ocsp.responder"}
    by_name = SIGNER.answer(responder=nvidia_pki.nvidia_name("somebody")).signed_by(SIGNER.key)
    assert refused(by_name) == {"ocsp.responder"}


def test_an_answer_signed_by_its_subject_is_refused():
    itself = L3.certificate
    answer = L3.answer(responder=ocsp.responder_key_hash(itself), certificates=[])
    assert ocsp_refusals([answer.signed_by(L3.subject_key)], [L3]) == {"ocsp.responder.subject"}


def test_a_certificate_may_not_sign_a_response_about_itself():
    again = replace(L3.responder, key=pki.public_key_info(L3.subject_key))
    der = again.signed_by(L3.issuer_key)
    answer = L3.answer(responder=again.subject, certificates=[der])
    assert ocsp_refusals([answer.signed_by(L3.subject_key)], [L3]) == {"ocsp.responder.subject"}


def test_a_delegate_of_somebody_else_is_refused():
    forged = SIGNER.answer_by(SIGNER.responder, signer=nvidia_pki.new_key())
    assert refused(forged) == {"ocsp.responder.issuer"}
    other_name = replace(SIGNER.responder, issuer=L3.issuer.subject)
    assert refused(SIGNER.answer_by(other_name)) == {"ocsp.responder.issuer"}
    of_other_level = SIGNER.answer_by(L3.responder, signer=L3.issuer_key)
    assert "ocsp.responder.issuer" in refused(of_other_level)


def test_a_delegate_whose_certificate_says_another_algorithm_is_refused():
    sha256 = pki.element(pki.SEQUENCE, pki.oid("1.2.840.10045.4.3.2"))
    lies = replace(pki.ECDSA_SHA384, identifier=sha256)
    answer = SIGNER.answer_by(replace(SIGNER.responder, algorithm=lies))
    assert refused(answer) == {"ocsp.responder.issuer"}


def _with(*extensions: X509Extension, without: str = "") -> bytes:
    """An answer of a delegate with other extensions."""
    gone = {without, *(each.oid for each in extensions)}
    kept = [each for each in SIGNER.responder.extensions if each.oid not in gone]
    return SIGNER.answer_by(replace(SIGNER.responder, extensions=(*kept, *extensions)))


def test_a_delegate_that_may_not_sign_answers_is_refused():
    purposes = ocsp.extended_key_usage("1.3.6.1.5.5.7.3.1", "2.5.29.37.0")  # servers; anything
    assert refused(_with(purposes)) == {"ocsp.responder.eku"}
    assert refused(_with(without=purposes.oid)) == {"ocsp.responder.eku"}


def test_a_delegate_with_more_purposes_is_good():
    assert (
        refused(_with(ocsp.extended_key_usage("1.3.6.1.5.5.7.48.1.5", ocsp.OCSP_SIGNING))) == set()
    )


@pytest.mark.parametrize(
    "extension",
    [nvidia_pki.key_usage("key_agreement"), nvidia_pki.basic_constraints(ca=True)],
)
def test_a_delegate_that_is_for_something_else_is_refused(extension):
    assert refused(_with(extension)) == {"ocsp.responder.usage"}


def test_a_delegate_with_something_critical_that_is_not_known_is_refused():
    assert refused(_with(X509Extension("1.2.3.4", b"\5\0", critical=True))) == {
        "ocsp.responder.critical"
    }
    assert refused(_with(X509Extension("1.2.3.4", b"\5\0"))) == set()


@pytest.mark.parametrize(
    ("start", "end", "good"),
    [
        (AT, AT + HOUR, True),
        (AT - HOUR, AT, True),
        (AT + SECOND, AT + HOUR, False),
        (AT - HOUR, AT - SECOND, False),
    ],
)
def test_a_delegate_must_be_valid_at_the_time(start, end, good):
    answer = SIGNER.answer_by(replace(SIGNER.responder, not_before=start, not_after=end))
    assert refused(answer) == (set() if good else {"ocsp.responder.dates"})


# Its signature


def test_an_answer_signed_by_another_key_is_refused():
    assert refused(SIGNER.answer().signed_by(nvidia_pki.new_key())) == {"ocsp.signature"}
    assert refused(SIGNER.answer().signed_by(SIGNER.issuer_key)) == {"ocsp.signature"}


@pytest.mark.parametrize("signature", [b"", b"\x30\x00", b"\x30\x06\x02\x01\x00\x02\x01\x00"])
def test_an_answer_with_no_signature_is_refused(signature):
    algorithm = replace(pki.ECDSA_SHA384, sign=lambda key, data: signature)  # noqa: ARG005
    answer = SIGNER.answer(algorithm=algorithm).signed_by(SIGNER.key)
    assert refused(answer) == {"ocsp.signature"}


def test_an_answer_that_says_another_algorithm_is_refused():
    sha256 = pki.element(pki.SEQUENCE, pki.oid("1.2.840.10045.4.3.2"))
    lies = replace(pki.ECDSA_SHA384, identifier=sha256)
    assert refused(SIGNER.answer(algorithm=lies).signed_by(SIGNER.key)) == {"ocsp.algorithm"}


# When


@pytest.mark.parametrize(
    ("at", "reasons"),
    [
        (START - timedelta(minutes=5, seconds=1), {"ocsp.future"}),
        (START - timedelta(minutes=5), set()),
        (START, set()),
        (END, set()),
        (END + SECOND, {"ocsp.stale"}),
    ],
)
def test_an_answer_is_refused_outside_its_window(at, reasons):
    assert refused(GOOD[0], at=at) == reasons


def test_an_answer_that_does_not_say_how_long_it_holds_is_refused():
    assert refused(SIGNER.signed_answer(next_update=None)) == {"ocsp.stale"}


def test_the_grace_period_is_only_as_long_as_requested():
    grace = timedelta(hours=2)
    assert refused(GOOD[0], at=END + grace, unsafe_grace=grace) == set()
    assert refused(GOOD[0], at=END + grace + SECOND, unsafe_grace=grace) == {"ocsp.stale"}
    future = START - HOUR
    assert refused(GOOD[0], at=future, unsafe_grace=grace) == {"ocsp.future"}
    no_end = SIGNER.signed_answer(next_update=None)
    assert refused(no_end, unsafe_grace=grace) == {"ocsp.stale"}
    last = SIGNER.signed_answer(next_update=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert refused(last, unsafe_grace=grace) == set()


def test_a_used_grace_period_is_listed():
    checks = Checks()
    grace = timedelta(hours=2)
    verifier.verify(GOOD, [SIGNER.wanted], END + HOUR, checks, unsafe_grace=grace)
    (said,) = [check.expected for check in checks.made if check.id == "ocsp.stale"]
    assert said.endswith("and 2:00:00 of grace (unsafe)")


def test_the_newest_answer_counts():
    old = SIGNER.signed_answer(this_update=START - 48 * HOUR, next_update=START - 24 * HOUR)
    revoked = SIGNER.signed_answer(status="revoked", this_update=START + SECOND)
    for answers in ([old, GOOD[0]], [GOOD[0], old]):
        assert refused(*answers) == set()
    for answers in ([revoked, GOOD[0]], [GOOD[0], revoked]):
        assert refused(*answers) == {"ocsp.revoked"}


def test_an_older_revocation_outranks_later_responses():
    before = SIGNER.signed_answer(
        status="revoked", this_update=START - 48 * HOUR, next_update=START
    )
    for answers in ([before, GOOD[0]], [GOOD[0], before]):
        assert refused(*answers) == {"ocsp.revoked"}
    assert refused(GOOD[0], given=[before]) == {"ocsp.revoked"}
    assert refused(before, given=[GOOD[0]]) == {"ocsp.revoked"}


def test_a_future_response_hides_none_and_may_revoke():
    later = {"this_update": AT + HOUR, "next_update": AT + 24 * HOUR}
    assert refused(SIGNER.signed_answer(**later), GOOD[0]) == set()
    assert refused(SIGNER.signed_answer(status="revoked", **later), GOOD[0]) == {"ocsp.revoked"}


def test_an_older_answer_may_say_hold_or_unknown():
    old = {"this_update": START - HOUR}
    assert refused(GOOD[0], SIGNER.signed_answer(status="unknown", **old)) == set()
    assert (
        refused(GOOD[0], SIGNER.signed_answer(status="revoked", reason=ocsp.HOLD, **old)) == set()
    )


def test_every_answer_about_a_certificate_has_to_be_genuine():
    stranger = nvidia_pki.new_key()
    forged = SIGNER.answer(singles=[SIGNER.single(this_update=START - HOUR)]).signed_by(stranger)
    assert refused(GOOD[0], forged) == {"ocsp.genuine"}
    assert refused(GOOD[0], given=[forged]) == {"ocsp.genuine"}


@pytest.mark.parametrize(
    "changes", [{"serial": 7}, {"issuer_name_hash": bytes(48)}, {"issuer_key_hash": bytes(48)}]
)
def test_a_response_altered_to_another_certificate_is_refused(changes):
    signed = SIGNER.answer(singles=[SIGNER.single(**changes)])
    changed = signed.signed_by(nvidia_pki.new_key())
    assert refused(GOOD[0], changed) == {"ocsp.changed"}
    assert refused(GOOD[0], signed.signed_by(SIGNER.key)) == set()


def test_responses_of_the_caller_about_other_machines_count_as_missing():
    of_others = [pair.signed_answer() for pair in certificate_pairs(new_rim_chain())]
    siblings = SIGNER.signed_answer(serial=7)  # of the same issuer
    assert refused(given=[*of_others, siblings]) == {"ocsp.absent"}
    assert refused(given=[*of_others, siblings, GOOD[0]]) == set()


def test_of_two_simultaneous_responses_the_bad_one_counts():
    revoked = SIGNER.signed_answer(status="revoked")
    for answers in ([revoked, GOOD[0]], [GOOD[0], revoked]):
        assert refused(*answers) == {"ocsp.revoked"}


# The nonce


@cache
def _with_nonce(nonce: bytes) -> bytes:
    return SIGNER.answer(extensions=[ocsp.nonce_extension(nonce)]).signed_by(SIGNER.key)


def test_a_nonce_that_was_sent_must_come_back():
    assert refused(_with_nonce(NONCE), nonces=[NONCE]) == set()
    assert refused(_with_nonce(NONCE), nonces=[bytes(32), NONCE]) == set()
    assert refused(GOOD[0], nonces=[NONCE]) == {"ocsp.nonce.absent"}
    for other in (bytes(32), NONCE[:31], NONCE + b"\0", b"\0"):
        assert refused(_with_nonce(other), nonces=[NONCE]) == {"ocsp.nonce.other"}


def test_the_nonces_of_the_evidence_do_not_bind_the_callers_newer_answer():
    newer = SIGNER.signed_answer(this_update=START + HOUR)
    assert refused(_with_nonce(NONCE), given=[newer], nonces=[NONCE]) == set()
    assert refused(newer, nonces=[NONCE]) == {"ocsp.nonce.absent"}


def test_an_unrequested_nonce_is_ignored():
    assert refused(_with_nonce(NONCE)) == set()


# What it says


def test_a_certificate_that_is_not_good_is_refused():
    assert refused(SIGNER.signed_answer(status="revoked")) == {"ocsp.revoked"}
    assert refused(SIGNER.signed_answer(status="revoked", reason=1)) == {"ocsp.revoked"}
    assert refused(SIGNER.signed_answer(status="revoked", reason=ocsp.HOLD)) == {"ocsp.hold"}
    assert refused(SIGNER.signed_answer(status="unknown")) == {"ocsp.unknown"}


def test_a_certificate_hold_passes_only_where_allowed():
    held = [pair.signed_answer(status="revoked", reason=ocsp.HOLD) for pair in PAIRS]
    every = [pair.wanted for pair in PAIRS]
    assert ocsp_refusals(held, PAIRS, unsafe_hold=every) == set()
    assert ocsp_refusals(held, PAIRS, unsafe_hold=every[:2]) == {"ocsp.hold"}
    revoked = SIGNER.signed_answer(status="revoked")
    assert refused(revoked, unsafe_hold=every) == {"ocsp.revoked"}
    assert refused(SIGNER.signed_answer(status="unknown"), unsafe_hold=every) == {"ocsp.unknown"}


# What can be read


@pytest.mark.parametrize("status", [1, 2, 3, 5, 6])
def test_an_unsuccessful_response_counts_as_missing(status):
    none = SIGNER.answer(status=status).signed_by(SIGNER.key)
    assert refused(none, GOOD[0]) == set()
    assert refused(none) == {"ocsp.absent"}
    assert refused(given=[none]) == {"ocsp.absent"}


def test_unsuccessful_responses_are_listed_where_none_succeeded():
    checks = Checks()
    messages = [SIGNER.answer(status=status).signed_by(SIGNER.key) for status in (6, 3)]
    verifier.verify(messages, [SIGNER.wanted], AT, checks)
    (told,) = [check.actual for check in checks.made]
    assert told.endswith("none of 0, and error messages: unauthorized, try later")


@pytest.mark.parametrize("status", [0, 4, 7, 255])
def test_a_status_that_is_no_error_is_no_error_message(status):
    assert refused(bytes((0x30, 3, 0x0A, 1, status)), GOOD[0]) == {"ocsp.readable"}


def test_more_than_an_error_message_is_none():
    assert refused(bytes((0x30, 3, 0x0A, 1, 6, 0)), GOOD[0]) == {"ocsp.readable"}


def test_a_signature_that_is_not_of_whole_bytes_is_refused():
    raw = bytearray(GOOD[0])
    signature = ocsp_response.parse(GOOD[0]).signature
    place = raw.index(signature)
    raw[place - 1] = 1  # the last bit is none of it, and must then be 0
    raw[place + len(signature) - 1] &= 0xFE
    assert refused(bytes(raw), GOOD[0]) == {"ocsp.readable"}


def test_an_error_message_that_holds_an_answer_is_refused():
    raw = bytearray(GOOD[0])
    place = raw.index(b"\x0a\x01\x00") + 2
    raw[place] = 6
    assert refused(bytes(raw), GOOD[0]) == {"ocsp.unsuccessful"}


def test_several_answers_in_one_are_refused():
    for singles in ([], [SIGNER.single(), L3.single()]):
        several = SIGNER.answer(singles=singles).signed_by(SIGNER.key)
        assert refused(several, GOOD[0]) == {"ocsp.one"}


def test_something_critical_that_is_not_known_is_refused():
    critical = X509Extension("1.2.3.4", b"\5\0", critical=True)
    outside = SIGNER.answer(extensions=[critical]).signed_by(SIGNER.key)
    for answer in (outside, SIGNER.signed_answer(extensions=[critical])):
        assert refused(answer, GOOD[0]) == {"ocsp.critical"}
    harmless = SIGNER.signed_answer(extensions=[replace(critical, critical=False)])
    assert refused(harmless) == set()
    asked = SIGNER.answer(extensions=[replace(ocsp.nonce_extension(NONCE), critical=True)])
    assert refused(asked.signed_by(SIGNER.key)) == set()


@pytest.mark.parametrize(
    "data", [b"", b"no answer", b"\x30\x03\x0a\x01\x09", GOOD[0] + b"\0", GOOD[0][:-1]]
)
def test_unreadable_responses_are_refused(data):
    assert refused(data, GOOD[0]) == {"ocsp.readable"}


def test_the_size_of_an_answer_is_limited():
    filler = X509Extension("1.2.3.4", pki.element(pki.OCTETS, bytes(64 * 1024)))
    large = SIGNER.answer(extensions=[filler]).signed_by(SIGNER.key)
    assert refused(large, GOOD[0]) == {"ocsp.readable"}


def test_the_certificates_of_an_answer_are_limited():
    der = SIGNER.responder.signed_by(SIGNER.issuer_key)
    for count, reasons in ((4, set()), (5, {"ocsp.readable"})):
        answer = SIGNER.answer(
            responder=ocsp.responder_key_hash(load_certificate(der)), certificates=[der] * count
        )
        found = refused(answer.signed_by(SIGNER.key), GOOD[0])
        assert found == reasons


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_response(data):
    with pytest.raises(Malformed):
        ocsp_response.parse(data)


@given(st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_answer_parses_or_is_malformed(changes):
    raw = bytearray(GOOD[0])
    for at, value in changes:
        raw[at % len(raw)] = value
    assert isinstance(refused(bytes(raw)), set)


@pytest.mark.slow
def test_a_changed_bit_of_what_is_signed_is_refused():
    signed = ocsp_response.parse(GOOD[0]).signed
    start = GOOD[0].index(signed)
    for at in range(len(signed)):
        changed = bytearray(GOOD[0])
        changed[start + at] ^= 1 << at % 8
        assert refused(bytes(changed)), f"byte {at}"


# Questions


@pytest.mark.parametrize("nonce", [None, NONCE])
def test_a_question_is_about_one_certificate(nonce):
    asked = rfc6960.load_der_ocsp_request(ocsp_request.build(*SIGNER.wanted, nonce))
    single = SIGNER.single()
    assert isinstance(asked.hash_algorithm, hashes.SHA384)
    assert asked.serial_number == single.serial
    assert asked.issuer_name_hash == single.issuer_name_hash
    assert asked.issuer_key_hash == single.issuer_key_hash
    assert [each.value.nonce for each in asked.extensions] == ([nonce] if nonce else [])


def test_an_issuer_whose_key_is_on_another_curve_can_be_asked_about():
    small = ec.generate_private_key(ec.SECP256R1())
    issuer = replace(SIGNER.responder, key=pki.public_key_info(small)).signed_by(small)
    assert ocsp_request.build(SIGNER.certificate, load_certificate(issuer), None)


# What NVIDIA's responder said of a real H100


@pytest.fixture(scope="module")
def real(vectors):
    folder = vectors / "gpu" / "h100-550.90.07"
    then = datetime(2025, 9, 15, 12, tzinfo=UTC)
    chain = (folder / "device-chain.pem").read_bytes()
    device = chains.verify(chain, NVIDIA_DEVICE, then, Checks())
    rims = [verify_rim(each.read_bytes(), NVIDIA_RIM, at=then) for each in folder.glob("*.xml")]
    assert isinstance(device, Verified)
    assert [each.refusals for each in rims] == [set(), set()]
    return {
        "answers": [each.read_bytes() for each in folder.glob("ocsp/*.der")],
        "device": device.value.issued,
        "manifests": [pair for each in rims for pair in each.manifest.issued],
    }


IN_AUGUST = datetime(2025, 8, 21, 12, tzinfo=UTC)
IN_SEPTEMBER = datetime(2025, 9, 15, 12, tzinfo=UTC)
IN_OCTOBER = datetime(2025, 10, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("which", "at", "reasons"),
    [
        ("device", IN_AUGUST, set()),
        ("device", datetime(2025, 8, 22, 6, 47, 7, tzinfo=UTC), set()),
        ("device", datetime(2025, 8, 22, 6, 47, 9, tzinfo=UTC), {"ocsp.stale"}),
        ("device", datetime(2025, 8, 21, 6, 42, 6, tzinfo=UTC), {"ocsp.future"}),
        ("device", IN_SEPTEMBER, {"ocsp.stale"}),
        ("device", IN_OCTOBER, {"ocsp.stale", "ocsp.responder.dates"}),
        ("manifests", IN_OCTOBER, set()),
        ("manifests", datetime(2025, 10, 25, 11, 32, 23, tzinfo=UTC), {"ocsp.stale"}),
        ("manifests", IN_SEPTEMBER, {"ocsp.future"}),
        ("manifests", IN_AUGUST, {"ocsp.future"}),
        ("manifests", AT, {"ocsp.stale", "ocsp.responder.dates"}),
    ],
)
def test_real_answers_hold_within_their_windows(real, which, at, reasons):
    checks = Checks()
    verifier.verify(real["answers"], real[which], at, checks)
    assert {check.id for check in checks.made if not check.ok} == reasons


def test_real_answers_name_real_certificates(real):
    wanted = [*real["device"], *real["manifests"]]
    outcome = verifier.verify(real["answers"], wanted, IN_OCTOBER, Checks())
    assert len(outcome.value) == len(real["answers"]) == 7
