"""`--require-attested`: nothing reaches a VM that is not attested in its present boot."""

import json
from pathlib import Path

import pytest

from support.attesting import Attester, make_demo

_LINES = [
    "exec demo --backend fake {} -- cat",
    "cp --backend fake {} here demo:there",
    "ssh demo --backend fake {}",
]


@pytest.fixture
def demo(shell, prepared) -> Attester:
    """A VM that is set up, and that nobody has attested."""
    Path("here").write_text("secret")
    return Attester(prepared(shell, make_demo))


def _insisting(demo, line=_LINES[0]):
    return demo.shell(line.format("--require-attested"))


def _boots(demo):
    done = demo.shell("exec demo --backend fake -- cat /proc/sys/kernel/random/boot_id")
    return done.out.strip()


@pytest.mark.parametrize("line", _LINES)
def test_a_vm_that_is_not_attested_is_refused(demo, line):
    done = _insisting(demo, line)
    assert done.code == 9
    assert "is not attested" in done.err
    assert "`ccgpu attest demo --backend fake`" in done.err
    assert demo.shell("exec demo --backend fake -- cat there").code == 1


@pytest.mark.slow
@pytest.mark.parametrize("line", _LINES[:2])
def test_a_vm_that_is_attested_is_reached(demo, line):
    assert demo().code == 0
    done = _insisting(demo, line)
    assert done.code == 0, done.err


@pytest.mark.slow
def test_a_vm_that_was_rejected_since_is_refused(demo):
    assert demo().code == 0
    demo.scenario("devtools")
    assert demo().code == 9
    assert _insisting(demo).code == 9


@pytest.mark.slow
def test_a_vm_that_was_restarted_by_others_is_refused(demo):
    """As in the portal, or in the VM: no command of this machine has ended the boot."""
    assert demo().code == 0
    before = _boots(demo)
    (record,) = demo.shell.state.rglob("demo.attestation")
    kept = record.read_bytes()
    assert demo.shell("restart demo --backend fake").code == 0
    assert _boots(demo) != before
    record.write_bytes(kept)
    done = _insisting(demo)
    assert done.code == 9
    assert "started anew since it was attested" in done.err
    assert demo().code == 0
    assert _insisting(demo).code == 0


@pytest.mark.slow
def test_a_verdict_on_another_key_is_none_on_this_one(demo):
    assert demo().code == 0
    (record,) = demo.shell.state.rglob("demo.attestation")
    document = json.loads(record.read_text())
    document["host_key"] = document["host_key"][:-64] + "00" * 32
    record.write_text(json.dumps(document))
    assert _insisting(demo).code == 9


def test_without_it_a_vm_need_not_be_attested(demo):
    assert demo.shell("exec demo --backend fake -- true").code == 0


def test_run_command_cannot_be_attested(demo):
    assert demo().code == 0
    done = demo.shell("exec demo --backend fake --via run-command --require-attested -- true")
    assert done.code == 2
