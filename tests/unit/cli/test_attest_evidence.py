"""`ccgpu attest --evidence`: evidence that came by other means, with collateral fetched now."""

import base64
import json
from itertools import starmap
from pathlib import Path
from typing import Any

import pytest

from ccgpu.fakeguest.evidence.gpu import SimulatedGpu
from ccgpu.guest import collector
from support.attesting import Attester, another_machine, make_demo
from support.cloud import vendors
from support.slow import mostly_slow


@pytest.fixture
def demo(shell, prepared) -> Attester:
    """A VM that was asked by a policy that does not set its GPU ready: its evidence is in b.json.

    The file holds what the guest alone can tell: neither collateral nor roots.
    """
    demo = Attester(prepared(shell, make_demo))
    assert demo("--policy cpu-only --save saved.json").code == 0
    document = json.loads(Path("saved.json").read_text())
    for name in ("collateral", "verdict", "policy", "simulated_roots"):
        document.pop(name, None)
    for name in ("crl", "crls", "veks", "vek", "chain"):
        document["cpu"].pop(name, None)
    Path("b.json").write_text(json.dumps(document))
    return demo


def _attest(demo, more: str = "") -> Any:
    return demo.shell(f"attest --evidence b.json --backend fake -o json {more}")


def _known(demo) -> str:
    asked = demo.challenges[0]
    host_key = Path("host.key")
    host_key.write_bytes(bytes.fromhex(asked["host_key"]))
    nonce, vm_id = asked["nonce"], asked["vm_id"]
    return f"--nonce {nonce} --vm-id {vm_id} --host-key {host_key.absolute()}"


@pytest.mark.slow
def test_evidence_that_answers_this_machine_is_accepted_and_changes_nothing(demo):
    before = demo.shown
    done = _attest(demo)
    assert done.code == 0, done
    assert (done.document["schema"], done.document["verdict"]) == ("ccgpu.verdict/1", "accepted")
    assert (done.document["policy"], done.document["simulated"]) == ("default", True)
    assert not demo.ready
    assert demo.shown == before
    assert len(demo.challenges) == 1


@pytest.mark.slow
def test_without_that_collateral_there_is_no_verdict(demo):
    """`verify` fetches nothing; here the services of the vendors are down."""
    demo.scenario("vendors-down")
    done = _attest(demo)
    assert done.code == 8, done
    assert done.document["verdict"] == "no_verdict"
    assert not demo.ready


@pytest.mark.slow
def test_on_another_machine_the_user_states_what_was_asked(demo, tmp_path):
    known, file = _known(demo), Path("b.json").absolute()
    other = another_machine(tmp_path, demo.shell.arm)
    line = f"attest --evidence {file} --backend fake -o json"
    untold = other(line)
    assert untold.code == 9
    unknown = {"freshness.nonce.unknown", "identity.vm-id.unknown", "identity.host-key.unknown"}
    assert unknown <= {*untold.document["reasons"]}
    assert other(f"{line} {known}").code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "reason"),
    mostly_slow(
        starmap(
            pytest.param,
            [
                (f"--nonce {'00' * 32}", "freshness.nonce.other"),
                ("--vm-id 00000000-0000-4000-8000-000000000001", "identity.vm-id.other"),
                (f"--host-key SHA256:{'A' * 43}", "identity.host-key.other"),
            ],
        ),
        3,
    ),
)
def test_evidence_that_answers_something_else_is_rejected(demo, words, reason):
    done = _attest(demo, words)
    assert done.code == 9
    assert reason in done.document["reasons"]


@pytest.mark.slow
def test_changed_evidence_is_rejected(demo):
    document = json.loads(Path("b.json").read_text())
    document["gpus"][0]["state_document"] = document["cpu"]["quote"]
    Path("b.json").write_text(json.dumps(document))
    assert _attest(demo).code == 9


@pytest.mark.slow
def test_roots_that_a_file_brings_count_for_nothing(demo):
    document = json.loads(Path("b.json").read_text())
    document["simulated_roots"] = {"ark": document["cpu"]["quote"]}
    Path("b.json").write_text(json.dumps(document))
    assert _attest(demo).code == 0
    real = demo.claiming_to_be_real().shell("attest --evidence saved.json -o json")
    assert real.code == 9
    assert "snp.ark.pinned" in real.document["reasons"]


def _gpu_alone(nonce: bytes) -> dict[str, Any]:
    """A bundle with the evidence of a GPU of the simulated NVIDIA, for a plain nonce."""
    found = SimulatedGpu(device=vendors().gpu("alone")).collect(nonce)
    report, chain = (base64.b64encode(part).decode() for part in (found.report, found.chain))
    state = {"cc_mode": True, "dev_tools": False}
    gpu = {"arch": "HOPPER", "report": report, "chain": chain, "nonce": nonce.hex(), "state": state}
    head = {"schema": "ccgpu.bundle/1", "made_at": "2026-01-01T00:00:00Z", "tool": "a test"}
    return {**head, "nonce": nonce.hex(), "gpus": [gpu]}


@pytest.mark.slow
def test_a_gpu_alone_is_judged_by_a_policy_for_it(shell):
    nonce = bytes(range(32))
    Path("b.json").write_text(json.dumps(_gpu_alone(nonce)))
    line = f"attest --evidence b.json --backend fake -o json --nonce {nonce.hex()}"
    done = shell(f"{line} --policy gpu-only")
    assert done.code == 0, done
    assert shell(line).code == 9  # `default` needs the CPU


def test_evidence_that_does_not_name_its_collateral_is_no_milder_for_that(shell):
    """Nothing can be fetched for a CPU without a report, even if the policy does not look at it."""
    nonce = bytes(range(32))
    document = _gpu_alone(nonce) | {"cpu": {"event_log": "AAAA"}}
    Path("b.json").write_text(json.dumps(document))
    line = f"attest --evidence b.json --backend fake --nonce {nonce.hex()} --policy gpu-only"
    done = shell(f"{line} -o json")
    assert done.code == 9, done
    assert "there is no SNP report" in done.error["message"]


@pytest.mark.slow
def test_what_is_saved_needs_no_network(demo):
    done = _attest(demo, "--save whole.json")
    at = done.document["at"]
    again = demo.shell(f"verify whole.json --backend fake --at {at} -o json")
    assert again.code == 0, again
    assert [one["id"] for one in again.document["checks"]] == [
        one["id"] for one in done.document["checks"]
    ]


@pytest.mark.slow
def test_evidence_without_a_cpu_needs_another_policy(demo):
    document = json.loads(Path("b.json").read_text())
    del document["cpu"]
    Path("b.json").write_text(json.dumps(document))
    assert _attest(demo).code == 9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "message"),
    mostly_slow(
        starmap(
            pytest.param,
            [
                ("--jump me@bastion", 2, "--evidence makes none"),
                ("--no-reachable", 2, "--evidence makes none"),
                ("-g mine", 2, "--resource-group is for deployments"),
                ("--save b.json", 2, "already exists"),
                ("--policy nosuch", 2, "nosuch"),
            ],
        ),
        3,
    ),
)
def test_what_does_not_fit_is_refused(demo, words, code, message):
    done = _attest(demo, words)
    assert done.code == code
    assert message in done.error["message"]


@pytest.mark.parametrize("content", [None, "", "{}", "not evidence"])
def test_a_file_that_is_no_evidence_is_named(shell, content):
    if content is not None:
        Path("b.json").write_text(content)
    done = shell("attest --evidence b.json --backend fake -o json")
    assert done.code == 3
    assert "b.json" in done.error["message"]


@pytest.mark.slow
def test_people_read_the_verdict(demo):
    done = demo.shell("attest --evidence b.json --backend fake")
    assert done.code == 0
    assert "ACCEPTED by policy default" in done.out
    assert "SIMULATED" in done.out


def test_the_script_is_printed_as_it_is_sent(shell):
    done = shell("attest --print-collector")
    assert (done.code, done.err) == (0, "")
    assert done.out.encode() == collector.script()
