"""`ccgpu attest`: fresh evidence of a simulated VM, and what an accepted verdict changes."""

import json
import shlex
from itertools import starmap
from pathlib import Path

import pytest

from ccgpu.domain import hostkey
from support.attesting import Attester, another_machine, make_demo
from support.slow import mostly_slow


@pytest.fixture
def demo(shell, prepared) -> Attester:
    """A VM that is set up, and that nobody has attested."""
    return Attester(prepared(shell, make_demo))


def test_an_accepted_vm_is_attested_and_its_gpu_ready(demo):
    assert demo.shown["state"] == "ready"
    assert not demo.ready

    done = demo()

    assert done.code == 0, done.err
    answer = done.document
    assert (answer["schema"], answer["verdict"]) == ("ccgpu.attest/1", "accepted")
    assert answer["simulated"] is True
    assert answer["gpu_ready"] is True
    assert answer["seconds"].keys() == {"collect", "collateral", "verify"}
    assert demo.ready
    shown = demo.shown
    assert shown["state"] == "attested"
    assert shown["attestation"]["verdict"] == "accepted"
    assert shown["attestation"]["bundle"] == answer["bundle"]
    assert answer["vm_id"] == shown["vm_id"]
    assert demo.known_key().source == "attested"
    assert hostkey.fingerprint(hostkey.sha256(demo.known_key().blob)) == answer["host_key"]


@pytest.mark.slow
def test_every_attestation_asks_with_a_new_nonce_that_is_recorded(demo):
    nonces = [demo().document["nonce"] for _ in range(2)]
    assert nonces[0] != nonces[1]
    assert {len(nonce) for nonce in nonces} == {64}
    recorded = {one["nonce"]: one for one in demo.challenges}
    assert recorded.keys() == {*nonces}
    assert {one["vm_id"] for one in recorded.values()} == {demo.shown["vm_id"]}


@pytest.mark.parametrize(
    ("scenario", "reason"),
    mostly_slow(
        starmap(
            pytest.param,
            [
                ("devtools", "policy.gpu.dev-tools"),
                ("old-firmware", "policy.tcb"),
                ("old-paravisor", "policy.guest-svn"),
                ("debuggable", "snp.policy.debug"),
                ("gpu-firmware", "golden.match"),
            ],
        ),
        5,
    ),
)
def test_a_vm_that_is_rejected_gets_nothing(demo, scenario, reason):
    demo.scenario(scenario)
    done = demo()
    assert done.code == 9
    assert any(one.startswith(reason) for one in done.document["reasons"])
    assert done.document["gpu_ready"] is False
    assert not demo.ready
    assert demo.shown["state"] == "rejected"
    assert demo.shown["attestation"]["reasons"] == done.document["reasons"]
    assert demo.known_key().source == "serial-log"


@pytest.mark.slow
def test_a_vm_that_is_rejected_later_is_no_longer_attested(demo):
    assert demo().code == 0
    demo.scenario("devtools")
    assert demo().code == 9
    assert demo.shown["state"] == "rejected"


@pytest.mark.slow
@pytest.mark.parametrize("verb", mostly_slow(["restart", "stop"], 2))
def test_the_end_of_a_boot_is_the_end_of_its_verdict(demo, verb):
    assert demo().code == 0
    assert demo.shell(f"{verb} demo --backend fake").code == 0
    if verb == "stop":
        assert demo.shell("start demo --backend fake").code == 0
    assert demo.shown["state"] == "ready"
    assert demo.shown["attestation"] is None
    assert not demo.ready
    assert demo().code == 0
    assert demo.shown["state"] == "attested"


@pytest.mark.slow
def test_a_verdict_counts_only_as_long_as_its_evidence_is_accepted(demo):
    """OCSP answers of the simulated NVIDIA are valid for a day."""
    assert demo().code == 0
    demo.shell.arm.advance(40 * 3600)
    assert demo.shown["state"] == "ready"
    assert demo.shown["attestation"] is None


def test_evidence_that_was_changed_on_this_machine_does_not_count(demo):
    path = demo().document["bundle"]
    document = json.loads(Path(path).read_text())
    document["gpus"][0]["state_document"] = document["cpu"]["quote"]
    Path(path).write_text(json.dumps(document))
    assert demo.shown["state"] == "ready"


@pytest.mark.slow
def test_a_deleted_deployment_leaves_no_verdict(demo):
    assert demo().code == 0
    assert demo.shell("delete demo --backend fake --yes").code == 0
    left = [*demo.shell.state.rglob("*.attestation"), *demo.shell.state.rglob("demo.bundle")]
    assert left == []


@pytest.mark.slow
def test_a_vm_made_anew_is_not_attested(demo):
    assert demo().code == 0
    (record,) = demo.shell.state.rglob("demo.attestation")
    kept = record.read_bytes()
    assert demo.shell("delete demo --backend fake --yes").code == 0
    demo.make()
    record.write_bytes(kept)
    assert demo.shown["attestation"] is None


@pytest.mark.slow
def test_a_bundle_is_judged_alike_on_another_machine(demo, tmp_path):
    first = demo("--save b.json").document
    made_at = json.loads(Path("b.json").read_text())["made_at"]
    asked = {"nonce": first["nonce"], "vm-id": first["vm_id"], "host-key": first["host_key"]}
    words = shlex.join(word for pair in asked.items() for word in (f"--{pair[0]}", pair[1]))
    other = another_machine(tmp_path, demo.shell.arm)

    again = other(f"verify b.json --backend fake --at {made_at} {words} -o json")
    assert again.code == 0, again.err
    assert again.document["checks"] == first["checks"]
    assert again.document["simulated"] is True

    genuine = other(f"verify b.json --at {made_at} {words} -o json")
    assert genuine.code == 9
    assert "snp.ark.pinned" in genuine.document["reasons"]
    untold = other(f"verify b.json --backend fake --at {made_at} -o json")
    assert {"freshness.nonce.unknown", "identity.vm-id.unknown"} <= {*untold.document["reasons"]}


@pytest.mark.slow
def test_this_machine_knows_what_it_asked(demo):
    demo("--save b.json")
    made_at = json.loads(Path("b.json").read_text())["made_at"]
    assert demo.shell(f"verify b.json --backend fake --at {made_at}").code == 0


@pytest.mark.slow
def test_a_rejected_vm_is_saved_with_its_verdict(demo):
    demo.scenario("devtools")
    assert demo("--save b.json").code == 9
    assert json.loads(Path("b.json").read_text())["verdict"]["verdict"] == "rejected"


def test_nothing_is_asked_if_the_bundle_could_not_be_saved(demo):
    Path("b.json").touch()
    done = demo("--save b.json")
    assert done.code == 2
    assert "already exists" in done.error["message"]
    assert demo.challenges == []


@pytest.mark.parametrize("policy", ["gpu-only", "no-such-policy"])
def test_a_policy_that_binds_nothing_is_refused_before_anything_is_asked(demo, policy):
    assert demo(f"--policy {policy}").code == 2
    assert demo.challenges == []


def test_a_policy_that_does_not_look_at_the_gpu_does_not_set_it_ready(demo):
    done = demo("--policy cpu-only")
    assert done.code == 0
    assert done.document["gpu_ready"] is False
    assert not demo.ready


@pytest.mark.slow
def test_a_policy_file_that_changes_ends_its_verdicts(demo):
    from ccgpu.store import policies

    text = policies.load("default").model_dump_json()
    Path("mine.json").write_text(text)
    assert demo("--policy mine.json").code == 0
    assert demo.shown["state"] == "attested"
    Path("mine.json").write_text(f"{text}\n")
    assert demo.shown["state"] == "ready"


def test_a_deployment_that_is_not_there_is_named(demo):
    done = demo(name="other")
    assert done.code == 4
    assert demo.challenges == []


def test_a_stopped_vm_cannot_be_attested(demo):
    assert demo.shell("stop demo --backend fake").code == 0
    done = demo()
    assert done.code == 10
    assert "ccgpu start demo" in done.error["hint"]


@pytest.mark.slow
def test_people_read_verdict_key_gpu_and_times(demo):
    text = demo.shell("attest demo --backend fake").out
    assert "ACCEPTED by policy default" in text
    assert "SIMULATED" in text
    assert "(attested)" in text
    assert "collected in " in text


def test_a_back_end_that_is_not_simulated_believes_no_root_of_the_guest(demo):
    """A VM of Azure may send whatever it likes, the roots of a simulation too."""
    done = demo.claiming_to_be_real()()
    assert done.code in (8, 9)
    assert "snp.ark.pinned" in done.document["reasons"]
    assert done.document["verdict"] == "rejected"
    assert done.document["simulated"] is False
    assert not demo.ready
