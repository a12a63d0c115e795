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
    "devtools": (10, "step gpu: failed (exit 1): DevTools Mode: ON"),
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


@pytest.mark.parametrize("name", mostly_slow(_ENDS, 3))
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


def test_the_check_of_the_boot_before_does_not_count(shell):
    """The set-up is done, by a file of the last boot: that of the new one is waited for."""
    shell.arm.settings.set("durations", "guest.step", value=100)
    assert shell(_CREATE).code == 0
    began = shell.arm.now()
    done = shell("restart demo")
    assert (done.code, "gpu: is running" in done.err) == (0, True), done
    assert shell.arm.now() - began > 60 + 100  # the boot, then the step `gpu`


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
