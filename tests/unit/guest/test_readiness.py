"""Readiness: each thing that is wrong or unknown is named by its step."""

from dataclasses import replace

import pytest

from ccgpu.guest.probe import CUSTOM_DATA, DRIFT, SETUP
from ccgpu.guest.readiness import (
    CHECKS,
    GuestExpectations,
    GuestState,
    assess_guest,
    deciding_check,
)
from ccgpu.guest.report import read_report
from support.guest_answers import answer, setup_file

WANTED = GuestExpectations()


def decide(outputs=None, files=None, wanted=WANTED):
    return deciding_check(assess_guest(read_report(answer(outputs, files)), wanted))


def test_a_good_guest_is_ready():
    checks = assess_guest(read_report(answer()), WANTED)
    assert deciding_check(checks) is None
    assert len(checks) == len(CHECKS)
    assert all(one.remedy is None for one in checks)


CRYPT_OFF = (
    '{"blockdevices": [{"name": "sdb1", "type": "part", "mountpoints": ["/mnt"], "children": []}]}'
)
BAD = {
    "cloud-init error": (
        {"cloud-init": '{"status": "error", "errors": ["apt failed"]}'},
        "cloud-init",
        "apt failed",
    ),
    "cloud-init degraded": (
        {"cloud-init": '{"status": "degraded"}'},
        "cloud-init",
        "status degraded",
    ),
    "cloud-init unknown": ({"cloud-init": (None, "")}, "cloud-init", "status unknown"),
    "secure boot off": ({"secure-boot": "SecureBoot disabled"}, "secure-boot", "is off"),
    "secure boot unknown": ({"secure-boot": (None, "")}, "secure-boot", "is unknown"),
    "driver mismatch": (
        {"gpus": (18, "Failed to initialize NVML: Driver/Library version mismatch")},
        "driver",
        "Driver/Library version mismatch",
    ),
    "no module": ({"module": (1, "")}, "driver", "not loaded"),
    "other module": (
        {"module": "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release"},
        "driver",
        "580.65.06",
    ),
    "no gpu": ({"gpus": ""}, "gpu", "there are 0 GPUs"),
    "two gpus": (
        {"gpus": "NVIDIA H100 NVL, 595.71.05, 1, Enabled, A\nNVIDIA H100 NVL, 595.71.05, 1, "
         "Enabled, B"},
        "gpu",
        "there are 2 GPUs",
    ),
    "another gpu": ({"gpus": "NVIDIA A100, 595.71.05, 1, Enabled, A"}, "gpu", "A100"),
    "no persistence": (
        {"gpus": "NVIDIA H100 NVL, 595.71.05, 1, Disabled, A"},
        "gpu",
        "persistence mode is off",
    ),
    "cc off": ({"cc-status": "CC status: OFF"}, "confidential-computing", "CC mode is off"),
    "cc unknown": ({"cc-status": (6, "No CC")}, "confidential-computing", "CC mode is unknown"),
    "devtools": (
        {"dev-tools": "DevTools Mode: ON"},
        "confidential-computing",
        "DevTools mode is on",
    ),
    "devtools unknown": ({"dev-tools": ""}, "confidential-computing", "DevTools mode is unknown"),
    "simulation": (
        {"cc-environment": "CC Environment: SIM"},
        "confidential-computing",
        "environment is SIM",
    ),
    "ready unknown": ({"ready": "?"}, "ready-state", "is unknown"),
    "plain temp disk": ({"disks": CRYPT_OFF}, "temp-disk", "sdb1"),
    "temp disk unknown": ({"disks": (1, "")}, "temp-disk", "cannot tell"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named_by_its_step(case):
    outputs, step, message = BAD[case]
    found = decide(outputs)
    assert found is not None
    assert (found.step, found.state) == (step, GuestState.FAILED)
    assert message in found.message
    assert found.remedy


def test_drift_is_named():
    text = '{"problems": [{"what": "kernel-modules", "expected": "595", "found": "none"}]}'
    found = decide(files={DRIFT: text})
    assert found is not None
    assert (found.step, found.message) == ("drift", "kernel-modules: none (was: 595)")


@pytest.mark.parametrize(
    ("files", "step", "state"),
    [
        ({SETUP: None}, "set-up", GuestState.FAILED),
        ({SETUP: setup_file(boot_id="an earlier boot")}, "set-up", GuestState.WORKING),
        ({SETUP: setup_file("running", "driver", driver="running")}, "driver", GuestState.WORKING),
        ({SETUP: setup_file("failed", "driver", driver="failed")}, "driver", GuestState.FAILED),
        ({SETUP: setup_file("done", "lockdown", gpu="pending")}, "set-up", GuestState.FAILED),
        ({SETUP: "{"}, "set-up", GuestState.FAILED),
        ({DRIFT: "{"}, "set-up", GuestState.FAILED),
    ],
)
def test_the_setup_is_followed_by_step(files, step, state):
    found = decide(files=files)
    assert found is not None
    assert (found.step, found.state) == (step, state)


def test_nothing_is_looked_at_while_the_setup_works():
    report = read_report(answer({"gpus": (None, "")}, {SETUP: setup_file("running", "driver")}))
    assert [one.step for one in assess_guest(report, WANTED)] == ["cloud-init", "driver"]


@pytest.mark.parametrize("status", ["running", "not run", "not started"])
def test_cloud_init_that_runs_is_waited_for(status):
    found = decide({"cloud-init": f'{{"status": "{status}"}}'})
    assert found is not None
    assert (found.step, found.state) == ("cloud-init", GuestState.WORKING)


def test_disabled_cloud_init_is_good_only_after_a_setup():
    disabled = {"cloud-init": '{"status": "disabled"}'}
    assert decide(disabled) is None
    failed = decide(disabled, {SETUP: setup_file("failed", "gpu", gpu="failed")})
    assert failed is not None
    assert failed.step == "gpu"
    found = decide(disabled, {SETUP: None})
    assert found is not None
    assert found.state is GuestState.FAILED


def test_a_prebuilt_image_needs_no_setup_of_ours():
    wanted = replace(WANTED, set_up=False, custom_data_sha256="ab")
    assert decide(files={SETUP: None}, wanted=wanted) is None
    found = decide({"cc-status": "CC status: OFF"}, {SETUP: None}, wanted)
    assert found is not None
    assert found.step == "confidential-computing"


def test_what_is_not_asked_for_is_not_required():
    wanted = replace(WANTED, secure_boot=False, temp_disk_encrypted=False)
    assert decide({"secure-boot": "SecureBoot disabled", "disks": CRYPT_OFF}, wanted=wanted) is None


def test_the_ready_state_is_required_only_at_boot():
    wanted = replace(WANTED, ready_at_boot=True)
    assert decide({"ready": "Confidential Compute GPUs Ready state: ready"}, wanted=wanted) is None
    found = decide(wanted=wanted)
    assert found is not None
    assert found.step == "ready-state"


@pytest.mark.parametrize(("ran", "good"), [("ab\n", True), ("cd", False), ("", False)])
def test_the_custom_data_that_ran_is_compared(ran, good):
    wanted = replace(WANTED, custom_data_sha256="ab")
    found = decide(files={CUSTOM_DATA: ran}, wanted=wanted)
    assert (found is None) is good
    assert good or (found is not None and found.step == "custom-data")


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ((1, ""), "cannot be released into the VM: python3-cryptography is not installed"),
        ((None, ""), "cannot tell whether python3-cryptography is installed"),
    ],
)
def test_a_vm_that_cannot_open_secrets_is_of_use_all_the_same(result, words):
    checks = assess_guest(read_report(answer({"cryptography": result})), WANTED)
    assert deciding_check(checks) is None
    (found,) = [one for one in checks if one.step == "secrets"]
    assert (found.state, found.message) == (GuestState.WARNING, words)
    assert "apt-get install -y python3-cryptography" in (found.remedy or "")
