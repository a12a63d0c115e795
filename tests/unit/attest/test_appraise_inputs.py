"""What an appraisal hands on: the signature, the time of the challenge, the policy, the events."""

import base64
import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from ccgpu.attest.appraise import AppraisalInputs
from ccgpu.attest.signature.wire import ssh_string
from ccgpu.domain.signers import SignedFile, SshSigner
from ccgpu.store import policies
from support.signing import armored
from support.vms import AT, NONCE, Judge, caller_question, nonce_evidence, pins, vm

_DATA = b'{"schema": "ccgpu.bundle/1"}'
_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x01")


def _blob(*parts: bytes) -> bytes:
    return b"".join(map(ssh_string, parts))


_PUBLIC = _blob(b"ssh-ed25519", _KEY.public_key().public_bytes_raw())


def _signed(signed: bytes = _DATA, given: bytes = _DATA) -> SignedFile:
    """A file with a signature over `signed`, by a signer whom the caller knows."""
    head = _blob(b"ccgpu-bundle", b"", b"sha512", hashlib.sha512(signed).digest())
    signature = _blob(b"ssh-ed25519", _KEY.sign(b"SSHSIG" + head))
    signer = SshSigner(hashlib.sha256(_PUBLIC).digest(), "alice")
    return SignedFile(given, armored(_PUBLIC, signature), [signer])


def _judged(**inputs):
    return Judge(inputs=AppraisalInputs(AT, **inputs))(nonce_evidence(vm()))


def test_who_signed_the_file_is_a_fact_of_the_verdict():
    found = _judged(signed=_signed())
    digest = base64.b64encode(hashlib.sha256(_PUBLIC).digest()).rstrip(b"=").decode()

    assert found.verdict == "accepted"
    assert any("alice" in text or digest in text for text in found.facts.values())
    assert [check.ok for check in found.checks if check.id == "bundle.signature.invalid"] == [True]


@pytest.mark.parametrize(
    ("signed", "reason"),
    [
        (_signed(given=_DATA + b" "), "bundle.signature.invalid"),
        (replace(_signed(), signature=None), "bundle.signature.absent"),
    ],
)
def test_a_file_that_its_signer_did_not_sign_is_rejected(signed, reason):
    found = _judged(signed=signed)

    assert found.verdict == "rejected"
    assert reason in found.reasons


def test_a_signature_counts_at_the_time_of_the_verdict():
    last_year = AT.replace(year=AT.year - 1)
    signer = SshSigner(hashlib.sha256(_PUBLIC).digest(), "alice", valid_before=last_year)
    found = _judged(signed=replace(_signed(), signers=[signer]))

    assert "bundle.signature.validity" in found.reasons


@pytest.mark.parametrize("sent", [None, AT])
def test_when_the_challenge_was_sent_is_a_fact(sent):
    assert ("challenge sent" in _judged(challenge_sent=sent).facts) == (sent is not None)


def test_evidence_that_answers_a_challenge_of_the_future_is_refused():
    in_that_second = AT + timedelta(microseconds=999_999)
    assert _judged(challenge_sent=in_that_second).verdict == "accepted"
    found = _judged(challenge_sent=AT + timedelta(seconds=1))
    assert (found.verdict, found.reasons) == ("rejected", ("freshness.challenge.future",))


@pytest.mark.parametrize("earlier", [True, False])
def test_an_answer_to_an_earlier_challenge_of_this_machine_is_named(earlier):
    asked = caller_question(vm(), nonce=bytes(len(NONCE)), answers_earlier=earlier)
    found = Judge(inputs=asked)(nonce_evidence(vm()))

    assert found.verdict == "rejected"
    assert ("freshness.nonce.earlier" in found.reasons) == earlier


def test_the_verdict_names_its_policy_its_golden_values_and_the_events_of_the_boot():
    golden = pins(vm())
    found = _judged(reference_values=golden)

    assert found.criteria == policies.load("cpu-only")
    assert found.reference_values == golden
    assert _judged().reference_values is None
    assert found.events
