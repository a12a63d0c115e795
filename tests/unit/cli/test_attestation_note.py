"""`ssh`, `exec`, `cp` and `tunnel` say so when the VM is not attested in its present boot."""

import re
from pathlib import Path

import pytest

from ccgpu.store import policies
from support.attesting import Attester, make_demo

_EXEC = "exec demo --backend fake -- true"
_REMEDY = "`ccgpu attest demo --backend fake`"


@pytest.fixture
def demo(shell, prepared) -> Attester:
    """A VM that is set up, and that nobody has attested."""
    Path("here").write_text("text")
    return Attester(prepared(shell, make_demo))


@pytest.mark.parametrize(
    "line", [_EXEC, "cp --backend fake here demo:there", "ssh demo --backend fake"]
)
def test_one_line_says_that_a_vm_is_not_attested(demo, line):
    said, *more = demo.shell(line).err.splitlines()
    assert "demo is not attested in this boot" in said
    assert not any("attested" in one for one in more)
    assert said.endswith(f"its host key is known from its serial log alone: {_REMEDY}")


@pytest.mark.slow
def test_of_an_attested_vm_nothing_is_said_until_its_verdict_is_too_old(demo):
    assert demo().code == 0
    assert demo.shell(_EXEC).err == ""
    demo.shell.arm.advance(24 * 3600)
    (said,) = demo.shell(_EXEC).err.splitlines()
    assert "the verdict on demo, of " in said
    assert said.endswith(f"does not count any more: {_REMEDY}")


@pytest.mark.slow
def test_a_verdict_of_the_future_counts_for_nothing_whatever_its_policy_says(demo):
    text = policies.load("default").model_copy(update={"max_age": "none"}).model_dump_json()
    Path("mine.json").write_text(text)
    assert demo("--policy mine.json").code == 0
    assert demo.shown["state"] == "attested"
    (record,) = demo.shell.state.rglob("demo.attestation")
    record.write_text(re.sub('"at": "....', '"at": "2099', record.read_text()))
    assert demo.shown["state"] == "ready"
    assert demo.shell("exec demo --backend fake --require-attested -- true").code == 9
    assert "does not count any more" in demo.shell(_EXEC).err


@pytest.mark.slow
def test_a_later_boot_is_not_attested_though_its_host_key_was(demo):
    assert demo().code == 0
    assert demo.shell("restart demo --backend fake").code == 0
    (said,) = demo.shell(_EXEC).err.splitlines()
    assert "not attested in this boot, and its host key was attested in an earlier boot" in said


@pytest.mark.slow
def test_a_rejected_vm_is_named_with_its_reasons(demo):
    demo.scenario("devtools")
    assert demo().code == 9
    (said,) = demo.shell(_EXEC).err.splitlines()
    assert "demo was REJECTED at " in said
    assert "policy.gpu.dev-tools" in said


@pytest.mark.slow
def test_a_damaged_record_stops_nothing_and_is_told(demo):
    assert demo().code == 0
    (record,) = demo.shell.state.rglob("demo.attestation")
    record.write_text("{")
    done = demo.shell(_EXEC)
    assert done.code == 0
    assert "demo does not count as attested: the last verdict in " in done.err
