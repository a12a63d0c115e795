"""`start` and `restart` look into the VM once more: the set-up's check of the new boot."""

import pytest

from ccgpu.fakearm import scenarios
from support.cli import Shell
from support.prepared import Prepared
from support.slow import mostly_slow

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"
_ENDS = {
    "driver-skew": (10, "step gpu: failed (exit 1): nvidia-smi"),
    "drift": (10, "step gpu: failed (exit 1): nvidia-persistenced.service is not active"),
    "cc-off": (10, "step gpu: failed (exit 1): nvidia-smi conf-compute -f: want CC status: ON"),
    "devtools": (
        10,
        "nvidia-smi conf-compute -d: want DevTools Mode: OFF, found DevTools Mode: ON",
    ),
    "gpu-missing": (10, "step driver: nvidia-smi failed: No devices were found"),
    "not-held": (10, "step drift: holds: not held"),
    "no-sshd": (10, "step ssh"),
    "other-host-key": (9, "WRONG HOST KEY"),
    "never-boots": (10, "demo is not ready: it is still booting after 10 minutes (step boot)"),
    "updates-held": (0, "set up"),
    "usual": (0, "set up"),
}


@pytest.fixture
def vm(shell: Shell, prepared: Prepared) -> Shell:
    """A user whose VM is ready."""
    return prepared(shell, _CREATE)


@pytest.mark.parametrize("name", mostly_slow(_ENDS, 5))
def test_a_restart_ends_as_the_new_boot_does(vm, name):
    scenarios.apply(vm.arm, name)
    done = vm("restart demo")
    code, words = _ENDS[name]
    assert (done.code, words in done.err) == (code, True), done
    if code == 10:
        assert "hint: `ccgpu " in done.err
    assert "virtualMachines" in vm.kinds(), "a restart deletes nothing"


@pytest.mark.parametrize("name", ["usual", "driver-skew", "cc-off"])
def test_a_start_after_a_stop_looks_too(vm, name):
    assert vm("stop demo").code == 0
    scenarios.apply(vm.arm, name)
    done = vm("start demo")
    code, words = _ENDS[name]
    assert (done.code, words in done.err) == (code, True), done


@pytest.mark.slow
def test_the_check_of_the_boot_before_does_not_count(shell):
    """The set-up is done, by a file of the last boot: that of the new one is waited for."""
    shell.arm.settings.set("durations", "guest.step", value=100)
    assert shell(_CREATE).code == 0
    began = shell.arm.now()
    done = shell("restart demo")
    assert (done.code, "gpu: is running" in done.err) == (0, True), done
    assert shell.arm.now() - began > 60 + 100  # the boot, then the step `gpu`


@pytest.mark.slow
def test_the_way_to_a_private_vm_is_remembered(shell):
    assert shell(f"{_CREATE} --private --reachable").code == 0
    scenarios.apply(shell.arm, "cc-off")
    for line in ("restart demo", "doctor demo"):
        assert shell(line).code == 10
    forgotten = shell("restart demo --no-reachable")
    assert forgotten.code == 0
    assert "not checked, because it has no public address: `ccgpu restart demo --jump" in (
        forgotten.err
    )
    assert shell("restart demo --jump me@bastion").code == 10
    assert shell("restart demo").code == 10, "the jump host is remembered"


@pytest.mark.slow
@pytest.mark.parametrize("verb", mostly_slow(["create", "start", "restart"], 3))
def test_a_way_that_does_not_lead_to_the_vm_is_not_remembered(shell, verb):
    """Nobody answers behind the jump host, as behind one whose name is mistyped."""
    if verb != "create":
        assert shell(f"{_CREATE} --private --reachable").code == 0
        if verb == "start":
            assert shell("stop demo").code == 0
    scenarios.apply(shell.arm, "no-sshd")
    line = f"{_CREATE} --private --keep-on-failure" if verb == "create" else f"{verb} demo"
    assert shell(f"{line} --jump me@bastoin").code == (7 if verb == "create" else 10)
    scenarios.apply(shell.arm, "usual")
    assert [file for file in shell.state.rglob("*.access") if "bastoin" in file.read_text()] == []


@pytest.mark.slow
def test_a_way_is_remembered_although_the_guest_is_not_ready(shell):
    scenarios.apply(shell.arm, "cc-off")
    line = f"{_CREATE} --private --keep-on-failure --jump me@bastion"
    assert shell(line).code == 7
    assert ["me@bastion" in file.read_text() for file in shell.state.rglob("*.access")] == [True]


@pytest.mark.slow
def test_a_create_looks_again_after_a_restart_that_failed(vm):
    scenarios.apply(vm.arm, "cc-off")
    assert vm("restart demo").code == 10
    assert vm("show demo -o json").document["stage"] == "set up"
    before = vm.kinds()
    done = vm("create --no-attest demo")
    assert (done.code, "step gpu: failed" in done.err) == (10, True), done
    assert vm.kinds() == before, "it deletes nothing"
    scenarios.apply(vm.arm, "usual")
    assert vm("restart demo").code == 0
    assert vm("show demo -o json").document["stage"] is None
    assert vm("create --no-attest demo").code == 0


@pytest.mark.slow
def test_a_create_looks_after_a_restart_that_could_not(shell):
    assert shell(f"{_CREATE} --private --reachable").code == 0
    assert shell("restart demo --no-reachable").code == 0
    assert shell("show demo -o json").document["stage"] == "set up"
    scenarios.apply(shell.arm, "cc-off")
    shell("restart demo --no-reachable")
    assert shell("create --no-attest demo --reachable").code == 10
