"""`doctor`: what is wrong inside a VM, what it mends, and what it says before it does."""

import json
import re
from datetime import datetime

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, scenarios
from support.arm import Client
from support.cli import CommandResult, Shell
from support.prepared import Prepared
from support.slow import mostly_slow

_CREATE = "create demo --no-attest --region eastus2 --ssh-from 203.0.113.7/32"
_VM = (
    f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/ccgpu-demo"
    "/providers/Microsoft.Compute/virtualMachines/demo"
)
_AGAIN = ["/usr/local/lib/ccgpu/setup", "--again"]


@pytest.fixture
def vm(shell: Shell, prepared: Prepared) -> Shell:
    """A user whose VM is ready."""
    return prepared(shell, _CREATE)


def _restart_into(vm: Shell, name: str) -> None:
    scenarios.apply(vm.arm, name)
    vm("restart demo")


def _states(document) -> dict[str, str]:
    """The steps that are not ready, the first check of each that is not."""
    bad: dict[str, str] = {}
    for one in document["checks"]:
        if one["state"] != "ready":
            bad.setdefault(one["step"], one["state"])
    return bad


_GPU_IS_BLIND = ["gpu", "driver", "confidential-computing", "ready-state", "drift"]
# Each scenario, the steps that fail, and those with a warning.
_FOUND = [
    pytest.param("driver-skew", _GPU_IS_BLIND, []),
    pytest.param("drift", _GPU_IS_BLIND, []),
    pytest.param("cc-off", ["gpu", "confidential-computing", "drift"], []),
    pytest.param("not-held", ["drift"], ["holds"]),
    pytest.param("devtools", ["gpu", "confidential-computing"], []),
    pytest.param("gpu-missing", ["driver", "gpu", *_GPU_IS_BLIND[2:]], []),
    pytest.param("disk-full", ["space"], []),
    pytest.param("updates-held", [], ["updates"]),
    pytest.param("usual", [], []),
]


@pytest.mark.parametrize(
    ("name", "failed", "warned"),
    mostly_slow(_FOUND, 3),
)
def test_each_bad_state_is_named_after_a_restart(vm, name, failed, warned):
    _restart_into(vm, name)
    done = vm("doctor demo -o json")
    assert done.code == (10 if failed else 0), done
    document = done.document
    expected = dict.fromkeys(failed, "failed") | dict.fromkeys(warned, "warning")
    assert _states(document) == expected
    assert (document["schema"], document["ok"]) == ("ccgpu.doctor/1", not failed)
    assert document["applied"] == []
    if failed:
        assert done.error["message"] == f"demo is not in order: {', '.join(failed)}"


@pytest.mark.slow
@pytest.mark.parametrize("name", mostly_slow(["driver-skew", "drift", "disk-full", "not-held"], 4))
def test_what_is_safe_to_mend_is_mended_and_holds_over_a_restart(vm, name):
    _restart_into(vm, name)
    done = vm("doctor demo --fix")
    assert done.code == 0, done
    told = done.err.index("fixing: ")
    assert told < done.err.index("virtualMachines demo: ", told), "told before it is done"
    assert vm("restart demo").code == 0
    assert vm("doctor demo").code == 0


def test_what_is_done_is_said_with_the_commands_before_it_is_done(vm):
    _restart_into(vm, "driver-skew")
    done = vm("doctor demo --fix -o json --events ndjson")
    first, second, *_ = done.events
    assert first["text"].startswith("fixing: run every step of the set-up again")
    assert "(/usr/local/lib/ccgpu/setup --again, systemctl restart ccgpu-drift" in first["text"]
    assert second["text"] in first["text"]
    (fix,) = done.document["applied"]
    assert fix["commands"][0] == _AGAIN
    assert done.document["fixes"] == []


def test_without_fix_nothing_changes(vm):
    _restart_into(vm, "driver-skew")
    documents = [vm("doctor demo -o json").document for _ in range(2)]
    assert documents[0] == documents[1]
    assert documents[0]["fixes"][0]["commands"][0] == _AGAIN


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cc-off", "devtools"])
def test_what_only_the_host_can_mend_is_tried_once_and_not_advised_again(vm, name):
    _restart_into(vm, name)
    assert "hint: `ccgpu doctor demo --fix`" in vm("doctor demo").err
    done = vm("doctor demo --fix")
    assert done.code == 10
    assert "hint:" not in done.err
    assert "the host sets it, not the guest" in done.out


@pytest.mark.slow
def test_a_fix_that_fails_is_told(shell):
    """After a first boot that failed there is no set-up that could run again."""
    scenarios.apply(shell.arm, "cloud-init-error")
    shell(f"{_CREATE} --keep-on-failure")
    done = shell("doctor demo --fix")
    assert done.code == 10
    assert "/usr/local/lib/ccgpu/setup failed (exit 127)" in done.err
    assert "systemctl failed (exit 5): Failed to start ccgpu-drift.service" in done.err


def _allow_extensions(vm: Shell, *, allowed: bool) -> None:
    """What somebody does outside ccgpu."""
    body = {"properties": {"osProfile": {"allowExtensionOperations": allowed}}}
    Client(vm.arm).ok("PATCH", _VM, body)
    vm.arm.advance(60)


@pytest.mark.slow
def test_extensions_that_somebody_allows_again_are_a_warning_until_they_are_closed(vm):
    _allow_extensions(vm, allowed=True)
    done = vm("doctor demo -o json")
    assert (done.code, _states(done.document)) == (0, {"extensions": "warning"})
    assert "allowed at Azure, although guest.lockdown is true" in done.out
    assert f"`az vm update --ids {_VM} --set osProfile.allowExtensionOperations=false`" in done.out
    _allow_extensions(vm, allowed=False)
    assert _states(vm("doctor demo -o json").document) == {}


@pytest.mark.slow
def test_an_open_vm_may_have_extensions(shell):
    assert shell(f"{_CREATE} --no-lockdown").code == 0
    done = shell("doctor demo -o json")
    assert (done.code, _states(done.document)) == (0, {})


@pytest.mark.slow
def test_a_manifest_whose_signer_expires_is_warned_of_by_azures_clock(shell):
    assert shell(f"{_CREATE} --no-attest --driver 550.144.03").code == 0
    (before,) = _manifest(shell)
    assert "signer" not in before["message"]
    assert before["state"] == "warning", "it lacks security fixes"
    shell.arm.advance(_seconds_until(shell, "2026-12-01"))
    (soon,) = _manifest(shell)
    assert "the signer of 550.144.03's manifest expires in " in soon["message"]
    shell.arm.advance(60 * 24 * 3600)
    (late,) = _manifest(shell)
    assert "expired on 2026-12-30" in late["message"]
    assert shell("doctor demo").code == 0, "a warning is no failure"


def _seconds_until(shell: Shell, day: str) -> float:
    return datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() - shell.arm.now()


def _manifest(shell: Shell):
    checks = shell("doctor demo -o json").document["checks"]
    return [one for one in checks if one["step"] == "manifest"]


def test_a_vm_that_cannot_answer_is_said_to_be_what_it_is(vm):
    vm("stop demo")
    done = vm("doctor demo")
    assert (done.code, "demo is stopped" in done.err) == (10, True)
    assert "`ccgpu start demo`" in done.err
    assert vm("doctor nobody").code == 4


def _stable(done: CommandResult) -> str:
    """What is printed; the digest of the set-up's scripts, which change, is masked."""
    return re.sub(r"SHA-256 [0-9a-f]{16}", "SHA-256 0123456789abcdef", str(done))


@pytest.mark.slow
def test_what_people_see(vm, golden):
    good = vm("doctor demo")
    golden("cli/doctor.txt", _stable(good))
    _restart_into(vm, "driver-skew")
    bad, mended = vm("doctor demo"), vm("doctor demo --fix")
    golden("cli/doctor-fix.txt", f"{_stable(bad)}\n{_stable(mended)}")
    assert max(len(line) for one in (good, bad, mended) for line in one.out.splitlines()) <= 80


@pytest.mark.slow
def test_the_document_is_complete(vm):
    document = json.loads(vm("doctor demo -o json").out)
    assert document.keys() == {"schema", "name", "ok", "checks", "fixes", "applied"}
    steps = [one["step"] for one in document["checks"]]
    assert steps[-6:] == ["holds", "updates", "space", "swap", "manifest", "extensions"]
