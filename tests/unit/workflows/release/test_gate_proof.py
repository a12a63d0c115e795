"""The gate holds to what it has proven: this connection, this nonce, this key, this verdict."""

import base64
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ccgpu.attest.attestation import Attestation
from ccgpu.errors import (
    CcgpuError,
    EvidenceRejected,
    EvidenceUnavailable,
    GuestNotReady,
    HostKeyMismatch,
    ReleaseFailed,
    TimedOut,
)
from ccgpu.workflows.proven import RELEASE_WINDOW
from support.attesting import WrappedChannel
from support.gate_refusals import TOKEN, after_verdict, answering, printed, refuse
from support.hostile_guests import HostileGuest, saying
from support.leases import SuspendedClock

_MAN_IN_THE_MIDDLE = bytes.fromhex("0000000b7373682d6564323535313900000020") + b"\x5a" * 32


@pytest.mark.slow
def test_a_connection_with_another_host_key_is_refused(releaser):
    """The verdict is good, and what answers after it is not the VM."""
    opened = []

    def wrap(inner):
        opened.append(inner)
        run = lambda argv, stdin, timeout: inner.run(argv, stdin, timeout=timeout)  # noqa: E731
        return WrappedChannel(inner, run, _MAN_IN_THE_MIDDLE if len(opened) > 2 else None)

    releaser.wrap = wrap
    refuse(releaser, HostKeyMismatch, "does not show the host key that was attested")


@pytest.mark.slow
def test_a_vm_that_shows_another_key_after_the_verdict_is_refused(releaser):
    after_verdict(releaser, lambda: releaser.shell("fake scenario other-host-key"))
    refuse(releaser, HostKeyMismatch, "WRONG HOST KEY")


@pytest.mark.slow
def test_an_answer_to_an_earlier_nonce_is_refused(releaser):
    kept = []

    def answer(inner, argv, stdin):
        kept.append(inner.run(argv, stdin, timeout=60))
        return kept[0]

    answering(releaser, "ccgpu-collect", answer)
    with releaser.proven():
        pass
    refuse(releaser, EvidenceRejected, "freshness.nonce.other")


@pytest.mark.slow
def test_a_verdict_of_an_earlier_run_seals_nothing(releaser):
    """Also not if somebody hands it to the gate's own result."""
    with releaser.proven() as earlier:
        pass

    def swap(proven):
        proven.attestation = replace(proven.attestation, evidence=earlier.attestation.evidence)

    releaser.between = swap
    refuse(releaser, EvidenceRejected, "not the one in the evidence")


def test_a_key_that_was_swapped_on_the_way_is_refused(releaser):
    mine = X25519PrivateKey.generate().public_key().public_bytes_raw()

    def answer(inner, argv, stdin):
        document = json.loads(inner.run(argv, stdin, timeout=60).stdout)
        return printed(saying(document, recipient_key=base64.b64encode(mine).decode()))

    answering(releaser, "ccgpu-collect", answer)
    refuse(releaser, EvidenceRejected, "hcl.user-data.other")


@pytest.mark.slow
def test_a_key_that_is_told_after_the_verdict_is_not_used(releaser):
    mine = X25519PrivateKey.generate().public_key().public_bytes_raw()

    def swap(proven):
        judged = proven.attestation
        claimed = replace(judged.evidence.claimed, recipient_key=mine)
        proven.attestation = replace(judged, evidence=replace(judged.evidence, claimed=claimed))

    releaser.between = swap
    refuse(releaser, EvidenceRejected, "not the one in the evidence")


@pytest.mark.slow
def test_evidence_without_a_key_is_refused(releaser):
    def answer(inner, argv, stdin):
        request = json.loads(argv[-1]) | {"release": False}
        return inner.run([*argv[:-1], json.dumps(request)], stdin, timeout=60)

    answering(releaser, "ccgpu-collect", answer)
    with pytest.raises(EvidenceRejected), releaser.proven():
        pytest.fail("the gate let it pass")
    refuse(releaser, EvidenceRejected, "bound to no release key")


@pytest.mark.slow
def test_a_key_of_low_order_is_sealed_to_by_nobody(releaser):
    """A guest that binds a key with which everybody could read along."""
    hardware = releaser.hardware()
    guest = hardware.guest
    hostile = HostileGuest(hardware, guest.host_key, guest.machine.vm_id, recipient_key=bytes(32))

    def answer(_, argv, __):
        return printed(hostile.answer(bytes.fromhex(json.loads(argv[-1])["nonce"])))

    answering(releaser, "ccgpu-collect", answer)
    refuse(releaser, ReleaseFailed, "no usable X25519 key")


def test_a_simulated_vm_gets_nothing_of_a_real_subscription(releaser):
    releaser.change = lambda made: replace(made, simulated=False)
    refuse(releaser, CcgpuError)


@pytest.mark.slow
def test_a_simulated_verdict_gets_nothing_of_a_real_subscription(releaser):
    """Even if the verdict were accepted."""

    def pretend(proven):
        proven.simulated = False

    releaser.between = pretend
    refuse(releaser, EvidenceRejected, "of a simulated VM")


@pytest.mark.slow
def test_old_evidence_is_refused(releaser):
    releaser.between = lambda _: releaser.shell.arm.advance(RELEASE_WINDOW + 1)
    refuse(releaser, TimedOut, "counts for 900 s")


def test_evidence_ages_while_this_machine_is_suspended(releaser):
    def suspend(proven):
        scheduler = proven.task.scheduler
        scheduler.clock = SuspendedClock(scheduler.clock, RELEASE_WINDOW + 1)

    releaser.between = suspend
    refuse(releaser, TimedOut, "counts for 900 s")


def test_a_verdict_that_has_become_bad_is_refused(releaser):
    def spoil(proven):
        proven.attestation = replace(proven.attestation, problem=GuestNotReady("spoilt"))

    releaser.between = spoil
    refuse(releaser, GuestNotReady, "spoilt")


def test_a_gpu_that_nobody_set_ready_is_refused(releaser):
    def spoil(proven):
        proven.attestation = replace(proven.attestation, gpu_ready=False)

    releaser.between = spoil
    refuse(releaser, GuestNotReady, "not been set ready")


def test_a_verdict_without_its_policy_is_refused(releaser):
    def spoil(proven):
        judged = proven.attestation
        appraisal = replace(judged.appraisal, criteria=None)
        proven.attestation = replace(judged, appraisal=appraisal)

    releaser.between = spoil
    refuse(releaser, EvidenceUnavailable, "does not tell its policy")


@pytest.mark.slow
def test_claims_that_cannot_be_read_are_refused(releaser):
    def spoil(proven):
        judged = proven.attestation
        cpu = replace(judged.evidence.cpu, hcl=b"short")
        proven.attestation = replace(judged, evidence=replace(judged.evidence, cpu=cpu))

    releaser.between = spoil
    refuse(releaser, EvidenceRejected, "claims cannot be read")


def test_a_vm_that_says_it_holds_something_else_is_not_believed(releaser):
    def answer(inner, argv, stdin):
        inner.run(argv, stdin, timeout=60)
        one = {"name": "hf-token", "size": 1, "owner": 0}
        return printed({"schema": "ccgpu.release/1", "secrets": [one]})

    answering(releaser, "ccgpu-release", answer)
    with pytest.raises(ReleaseFailed, match="other secrets than were sent"):
        releaser.release(TOKEN)


def test_without_a_vm_there_is_nothing_to_prove(releaser):
    assert releaser.shell("delete demo --backend fake --yes").code == 0
    refuse(releaser, CcgpuError)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [None, "old-paravisor"])
def test_the_verdict_is_shown_whichever_it_is(releaser, scenario):
    seen: list[Attestation] = []
    releaser.seen = seen.append
    if scenario is None:
        releaser.release(TOKEN)
    else:
        releaser.shell(f"fake scenario {scenario}")
        refuse(releaser, EvidenceRejected)
    verdict = "accepted" if scenario is None else "rejected"
    assert [one.appraisal.verdict for one in seen] == [verdict]
