"""Drift in a guest: what no longer fits together is named, and nothing is changed."""

import json

import pytest

_NEW_KERNEL = "6.8.0-1070-azure-fde"
_MISMATCH = (
    "Failed to initialize NVML: Driver/Library version mismatch NVML library version: 595.84"
)
_NO_DRIVER = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make"


def test_a_guest_that_is_as_it_was_set_up_has_no_drift(guest):
    before = guest.contents()
    done = guest.run("drift")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    document = json.loads(guest.read("var/lib/ccgpu/drift.json"))
    boot = guest.read("proc/sys/kernel/random/boot_id").strip()
    assert document == {"schema": "ccgpu.drift/1", "boot_id": boot, "problems": []}
    after = guest.contents()
    del after["var/lib/ccgpu/drift.json"]
    assert after == before


def test_before_the_driver_is_there_nothing_is_said(guest):
    guest.forget("driver")
    assert guest.run("drift").returncode == 0
    assert not (guest.path / "var/lib/ccgpu/drift.json").exists()


@pytest.mark.slow
def test_an_upgraded_driver_under_a_running_kernel_is_named(guest):
    installed = {"nvidia-driver-595-server-open": "595.84.01-0ubuntu0.24.04.1"}
    guest.change(installed={**guest.machine["installed"], **installed})
    done = guest.run("drift")
    found = guest.drift()
    assert found["driver-package"] == "595.84.01"
    assert found["driver-library"] == _MISMATCH
    assert found["cc-status"] == _MISMATCH
    line = "ccgpu-drift: driver-package: expected 595.71.05, found 595.84.01"
    assert line in done.stdout.splitlines()


@pytest.mark.slow
def test_a_kernel_without_modules_is_named(guest):
    guest.boot(kernel=_NEW_KERNEL)
    guest.run("drift")
    found = guest.drift()
    assert found["kernel"] == _NEW_KERNEL
    assert (found["kernel-modules"], found["loaded-module"]) == ("none", "none")
    assert found["driver-library"].startswith(_NO_DRIVER)


@pytest.mark.parametrize(
    ("gpu", "what", "found"),
    [
        ({"cc": "OFF"}, "cc-status", "CC status: OFF"),
        ({"environment": "INTERNAL"}, "cc-environment", "CC Environment: INTERNAL"),
        ({"persistence": "Disabled"}, "persistence", "Disabled"),
    ],
)
def test_a_gpu_that_is_no_longer_confidential_is_named(guest, gpu, what, found):
    guest.change(gpu=gpu)
    guest.run("drift")
    assert guest.drift() == {what: found}


def test_what_is_no_longer_held_is_named_unless_it_is_gone(guest):
    machine = guest.machine
    machine["held"] = [
        name for name in machine["held"] if name not in {"nullboot", "linux-azure-fde"}
    ]
    del machine["installed"]["linux-azure-fde"]
    guest.machine = machine
    guest.run("drift")
    assert guest.drift() == {"holds": "not held: nullboot"}


@pytest.mark.slow
def test_what_a_program_prints_cannot_break_the_document(guest):
    guest.change(broken={"nvidia-smi conf-compute -f": [1, 'a "b" \\ \x1b[0m c']})
    guest.run("drift")
    assert guest.drift() == {"cc-status": "a ?b? ? [0m c"}


def test_drift_asks_and_never_sets(guest):
    guest.run("drift")
    asked = {" ".join(line.split()[1:3]) for line in guest.calls("nvidia-smi")}
    queries = {
        f"--query-gpu={name} --format=csv,noheader"
        for name in ("driver_version", "persistence_mode")
    }
    assert asked == {"conf-compute -f", "conf-compute -e", *queries}
    assert {line.split()[1] for line in guest.calls("apt-mark")} == {"showhold"}
    assert guest.calls("systemctl") == []
