"""The gate lets secrets through to a VM that was proven in this very run."""

import json
from dataclasses import replace

import pytest

from ccgpu.attest.binding import binding
from ccgpu.domain.secret import Secret
from ccgpu.errors import ReleaseFailed, UsageProblem
from ccgpu.guest import release
from ccgpu.workflows.proven import canonical_verdict
from support.gate_refusals import TOKEN
from support.slow import mostly_slow


@pytest.mark.slow
def test_secrets_reach_the_proven_vm_and_nothing_else(releaser):
    stored = releaser.release(TOKEN, Secret("other", b"x"))
    assert [(one.name, one.size, one.owner) for one in stored] == [
        ("hf-token", len(TOKEN.value), 1000),
        ("other", 1, 0),
    ]
    assert releaser.places(TOKEN) == ["the VM and Azure"]
    cat = "exec demo --backend fake -- cat /run/ccgpu/secrets/hf-token"
    assert releaser.shell(cat).out == TOKEN.value.decode()


def test_the_watch_sees_what_it_is_there_for(releaser):
    """A value that is copied in clear is found where it goes."""
    with releaser.proven() as proven:
        proven.channel.run(["cat"], TOKEN.value, timeout=1)
    assert any(place.startswith("sent") for place in releaser.places(TOKEN))


@pytest.mark.slow
def test_the_vm_is_attested_and_its_gpu_ready(releaser):
    with releaser.proven() as proven:
        assert proven.attestation.is_good
        assert proven.attestation.gpu_ready
        assert proven.channel.host_key == proven.attestation.challenge.host_key
    assert releaser.shell("show demo --backend fake -o json").document["state"] == "attested"


@pytest.mark.slow
def test_each_release_asks_anew_and_seals_to_a_new_key(releaser):
    keys, nonces = set(), set()
    for _ in range(2):
        with releaser.proven() as proven:
            keys.add(proven.recipient_key)
            nonces.add(proven.attestation.challenge.nonce)
            proven.release([TOKEN])
    assert len(keys) == len(nonces) == 2


def test_the_message_is_bound_to_the_evidence_and_the_verdict(releaser):
    with releaser.proven() as proven:
        judged = proven.attestation
        proven.release([TOKEN])
    at = releaser.sent.index(b"ccgpu-release")
    request = json.loads(releaser.sent[at + 1])
    sent = judged.challenge
    bound = binding(sent.nonce, sent.host_key, judged.evidence.claimed.recipient_key, sent.vm_id)
    assert request == {
        "action": "open",
        "bound": bound.hex(),
        "verdict": proven.verdict_sha256.hex(),
    }
    document = json.loads(canonical_verdict(judged))
    assert (document["schema"], document["verdict"]) == ("ccgpu.verdict/1", "accepted")


def test_a_key_works_once(releaser):
    with releaser.proven() as proven:
        proven.release([TOKEN])
        sent = len(releaser.sent)
        with pytest.raises(ReleaseFailed, match="has been used") as caught:
            proven.release([TOKEN])
    assert caught.value.reason == "used"
    assert len(releaser.sent) == sent


def test_what_cannot_be_released_is_refused_before_the_key_is_used(releaser):
    with releaser.proven() as proven:
        with pytest.raises(UsageProblem):
            proven.release([])
        assert proven.release([TOKEN])


@pytest.mark.slow
def test_a_message_opens_once_in_one_boot_of_one_vm(releaser):
    """It is sent again: at once, after a boot, and to a VM that has a new key."""
    with releaser.proven() as proven:
        proven.release([TOKEN])
    at = releaser.sent.index(b"ccgpu-release")
    argv = ["sudo", "-n", "python3", "-I", "-", "ccgpu-release", releaser.sent[at + 1].decode()]
    script = releaser.sent[at + 2]

    def replayed():
        with releaser.proven() as again:
            return again.channel.run(argv, script, timeout=60)

    def refusal(done):
        with pytest.raises(ReleaseFailed) as caught:
            release.parse(done)
        return caught.value.reason

    with releaser.backend().channels(_target(releaser)) as channel:
        assert refusal(channel.run(argv, script, timeout=60)) == "key.absent"
        releaser.shell("restart demo --backend fake")
        assert refusal(channel.run(argv, script, timeout=60)) == "key.absent"
        assert release.list_secrets(channel) == ()  # a boot empties the memory
    assert refusal(replayed()) == "seal"


@pytest.mark.slow
def test_rotation_replaces_the_value(releaser):
    releaser.release(TOKEN)
    assert releaser.release(replace(TOKEN, value=b"new"))[0].size == 3
    with releaser.backend().channels(_target(releaser)) as channel:
        assert [(one.name, one.size) for one in release.list_secrets(channel)] == [("hf-token", 3)]
        release.remove_secrets(channel, ["hf-token"])
        assert release.list_secrets(channel) == ()
    assert releaser.places(TOKEN) == []


@pytest.mark.parametrize("code", mostly_slow(["crypto.absent", "disk", "swap", "write"], 4))
def test_what_the_vm_does_not_take_is_told_with_a_hint(releaser, code):
    releaser.between = lambda _: releaser.shell(f"fake scenario opener-{code.replace('.', '-')}")
    with pytest.raises(ReleaseFailed) as caught:
        releaser.release(TOKEN)
    assert caught.value.reason == code
    assert caught.value.hint == release.HINTS[code]
    assert releaser.places(TOKEN) == []


@pytest.mark.slow
def test_another_run_makes_the_key_of_this_one_useless(releaser):
    def other_run(_):
        with releaser.proven():
            pass

    releaser.between = other_run
    with pytest.raises(ReleaseFailed) as caught:
        releaser.release(TOKEN)
    assert caught.value.reason == "seal"
    assert releaser.places(TOKEN) == []


def _target(releaser):
    """The VM, with its host key pinned."""
    from ccgpu.guest.channel import GuestTarget

    shown = releaser.shell("show demo --backend fake -o json").document
    key = releaser.hardware().guest.host_key
    return GuestTarget("demo", None, shown["public_ip"], "azureuser", key)
