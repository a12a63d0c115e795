"""`ccgpu verify`: who was asked, by options or by this machine's record; what is loosened shows."""

import json
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ccgpu.domain import bundle, hostkey
from ccgpu.domain.challenge import ChallengeRecord
from ccgpu.store.challenges import Challenges
from support import gpus
from support.cli import Shell
from support.gpus import gpu
from support.vms import AT, HOST_KEY, NONCE, nonce_evidence, vm

_FAKE = f"--backend fake --at {AT:%Y-%m-%dT%H:%M:%SZ} -o json"
_KEY = hostkey.fingerprint(hostkey.sha256(HOST_KEY))
_ID, _HOST, _SENT = f"--vm-id {vm().vm_id}", f"--host-key {_KEY}", f"--nonce {NONCE.hex()}"
OTHER_ID = "11111111-2222-3333-4444-555555555555"
UNKNOWN = ["freshness.nonce.unknown", "identity.vm-id.unknown", "identity.host-key.unknown"]


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


@pytest.fixture
def write(tmp_path):
    """Write evidence as a bundle; `gpu` changes the document of its first GPU."""

    def put(found, **gpu_changes):
        file = tmp_path / "bundle.json"
        made = bundle.from_evidence(found, made_at=AT, tool="ccgpu test")
        document = json.loads(made.model_dump_json(by_alias=True, exclude_none=True))
        if gpu_changes:
            document["gpus"][0] |= gpu_changes
        file.write_text(json.dumps(document))
        return file

    return put


@pytest.fixture
def good(write):
    return write(gpus.bound_evidence(vm(), gpu()))


def relay():
    """Another genuine VM answers the nonce, with its own vmId."""
    return gpus.bound_evidence(
        replace(vm(), ak=rsa.generate_private_key(65537, 2048), vm_id=OTHER_ID), gpu()
    )


def test_evidence_of_the_expected_vm_is_accepted(shell, good):
    done = shell(f"verify {good} {_FAKE} {_ID} {_HOST} {_SENT}")

    assert (done.code, done.document["reasons"], done.document["unsafe"]) == (0, [], [])
    assert done.document["facts"]["vm id"] == vm().vm_id
    assert done.document["facts"]["host key"] == _KEY


@pytest.mark.slow
def test_a_relay_exits_9_with_and_without_the_vm_id(shell, write):
    file = write(relay())
    with_id = shell(f"verify {file} {_FAKE} {_ID} {_HOST} {_SENT}")
    without = shell(f"verify {file} {_FAKE} {_HOST} {_SENT}")

    assert (with_id.code, without.code) == (9, 9)
    assert {"identity.vm-id.other", "policy.vm-id"} <= set(with_id.document["reasons"])
    assert without.document["reasons"] == ["identity.vm-id.unknown"]
    assert shell(f"verify {file} {_FAKE} --vm-id {OTHER_ID} {_HOST} {_SENT}").code == 0


def test_an_unknown_identity_exits_9_with_a_hint(shell, good):
    done = shell(f"verify {good} {_FAKE}")

    assert (done.code, done.document["reasons"]) == (9, UNKNOWN)
    assert "--nonce HEX" in done.err


@pytest.mark.slow
def test_claims_of_the_evidence_are_trusted_only_by_flag_and_listed(shell, good):
    identity, nonce = "--unsafe-trust-bundle-identity", "--unsafe-trust-bundle-nonce"
    done = shell(f"verify {good} {_FAKE} {identity} {nonce}")

    assert done.code == 0
    assert done.document["unsafe"] == ["unsafe_trust_bundle_identity", "unsafe_trust_bundle_nonce"]
    said = " ".join(done.document["not_proven"])
    assert all(word in said for word in ("identity:", "channel:", "freshness:"))
    assert shell(f"verify {good} {_FAKE} {identity}").document["reasons"] == UNKNOWN[:1]
    assert shell(f"verify {good} {_FAKE} {nonce}").document["reasons"] == UNKNOWN[1:]


@pytest.mark.parametrize("written", ["pub", "known_hosts", "raw"])
def test_a_host_key_may_be_a_key_a_file_or_a_fingerprint(shell, good, tmp_path, written):
    line = f"ssh-ed25519 {b64encode(HOST_KEY).decode()}"
    content = {"pub": f"{line} me\n", "known_hosts": f"203.0.113.7 {line}\n"}
    file = tmp_path / "host-key"
    file.write_bytes(content[written].encode() if written in content else HOST_KEY)
    done = shell(f"verify {good} {_FAKE} {_ID} {_SENT} --host-key {file}")

    assert done.code == 0


def test_a_host_key_may_come_from_standard_input(shell, good):
    shell.stdin = HOST_KEY

    assert shell(f"verify {good} {_FAKE} {_ID} {_SENT} --host-key -").code == 0


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ("--vm-id demo", 2, "vmId"),
        ("--vm-id /subscriptions/0/x", 2, "vmId"),
        ("--host-key SHA256:abc", 2, "ssh-keygen"),
        (f"--host-key {_KEY}=", 2, "ssh-keygen"),
        ("--host-key sha256:abc", 2, "ssh-keygen"),
        ("--host-key /nothing/there", 3, "cannot be read"),
        ("--host-key .", 3, "cannot be read"),
        ("--host-key /dev/null", 3, "holds no ssh-ed25519 key"),
    ],
)
def test_an_invalid_identity_is_refused_before_the_appraisal(shell, good, options, code, words):
    done = shell(f"verify {good} {_FAKE} {options}")

    assert (done.code, done.out) == (code, "")
    assert words in " ".join(json.loads(done.err)["message"].split())


def test_a_recorded_challenge_replaces_the_options(shell, good):
    sent = datetime(2026, 11, 22, 11, 59, tzinfo=UTC)
    records = Challenges(shell.state / "challenges")
    records.write(ChallengeRecord(NONCE, vm().vm_id, HOST_KEY, sent))
    done = shell(f"verify {good} {_FAKE}")

    assert (done.code, done.document["unsafe"]) == (0, [])
    assert done.document["facts"]["challenge sent"] == "2026-11-22T11:59:00Z"
    assert "freshness" not in " ".join(done.document["not_proven"])
    assert shell(f"verify {good} {_FAKE} --vm-id {OTHER_ID}").code == 9


@pytest.mark.slow
def test_a_relay_of_a_recorded_challenge_is_refused(shell, write):
    records = Challenges(shell.state / "challenges")
    records.write(ChallengeRecord(NONCE, vm().vm_id, HOST_KEY, AT))
    done = shell(f"verify {write(relay())} {_FAKE}")

    assert {"identity.vm-id.other", "policy.vm-id"} <= set(done.document["reasons"])


def test_a_damaged_challenge_record_is_an_error(shell, good):
    records = Challenges(shell.state / "challenges")
    records.write(ChallengeRecord(NONCE, vm().vm_id, HOST_KEY, AT))
    (file,) = records.folder.iterdir()
    file.write_text("{}")
    done = shell(f"verify {good} {_FAKE} {_ID} {_SENT}")

    assert (done.code, done.out) == (4, "")
    assert shell(f"verify {good} {_FAKE} {_ID} {_HOST} {_SENT}").code == 0


def test_the_time_of_the_evidence_is_listed_as_unsafe(shell, write):
    line = f"verify {write(nonce_evidence(vm()))} --backend fake --policy cpu-only"
    done = shell(f"{line} --at bundle -o json")

    assert (done.code, done.document["unsafe"]) == (0, ["at_bundle"])
    assert "loosened: at_bundle" in shell(f"{line} --at bundle").out
    assert shell(f"{line} --at {AT:%Y-%m-%dT%H:%M:%SZ} -o json").document["unsafe"] == []


@pytest.mark.parametrize("flip", [{"dev_tools": True}, {"cc_mode": False}, {"ready": True}])
def test_a_flipped_gpu_state_exits_9(shell, write, flip):
    found = gpus.bound_evidence(vm(), gpu())
    state = found.gpus[0].state_document
    assert state is not None
    flipped = b64encode(json.dumps(json.loads(state) | flip).encode()).decode()
    file = write(found, state_document=flipped)
    done = shell(f"verify {file} {_FAKE} {_ID} {_HOST} {_SENT}")

    assert done.code == 9
    assert "vtpm.nonce.other" in done.document["reasons"]


def test_a_contradicting_gpu_state_exits_9(shell, write):
    told = {"cc_mode": True, "dev_tools": True, "ready": False}
    done = shell(
        f"verify {write(gpus.bound_evidence(vm(), gpu()), state=told)} "
        f"{_FAKE} {_ID} {_HOST} {_SENT}"
    )

    assert (done.code, done.document["reasons"]) == (9, ["gpu.state.other"])
