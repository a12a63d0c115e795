"""The set-up in a guest: its order and records; failures, reboots and repetition."""

import hashlib
import json
import re
import stat
from typing import Any

import pytest

from support.gpu_machine import KERNEL
from support.guest_root import SETTINGS, step_files

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_STEPS = [
    *("sources", "updates", "kernel", "lkca", "driver", "persistence", "docker"),
    *("container-toolkit", "openssl", "temp-disk", "gpu", "lockdown"),
]
_NEW_KERNEL = "6.17.0-1018-azure-fde"
_NEW_MODULES = f"linux-modules-nvidia-595-server-open-{_NEW_KERNEL}"
_NEWER: dict[str, Any] = {
    "archive": {_NEW_MODULES: ["6.17.0-1018.18"], f"linux-image-{_NEW_KERNEL}": ["6.17.0-1018.18"]},
    "depends": {"linux-modules-nvidia-595-server-open-azure-fde": [_NEW_MODULES]},
    "broken": {
        f"apt-get -s install linux-modules-nvidia-595-server-open-{KERNEL}": [
            100,
            "E: Unable to correct problems, you have held broken packages.",
        ]
    },
}


def test_the_steps_are_those_of_the_contract_in_its_order():
    assert list(step_files()) == _STEPS


def test_every_step_is_recorded_with_its_times(guest):
    status = guest.status
    assert {key: status[key] for key in ("schema", "id", "state", "step")} == {
        "schema": "ccgpu.setup/1",
        "id": SETTINGS["CCGPU_SETUP_ID"],
        "state": "done",
        "step": "lockdown",
    }
    assert status["boot_id"] == guest.read("proc/sys/kernel/random/boot_id").strip()
    assert [one["step"] for one in status["steps"]] == _STEPS
    states = {one["step"]: (one["state"], one["exit_code"]) for one in status["steps"]}
    skipped = {"openssl": ("skipped", None), "temp-disk": ("skipped", None)}
    assert states == {**dict.fromkeys(_STEPS, ("done", 0)), **skipped}
    assert all(_TIME.fullmatch(one[key]) for one in status["steps"] for key in ("began", "ended"))
    log = guest.path / "var/lib/ccgpu/setup.log"
    assert stat.S_IMODE(log.stat().st_mode) == 0o640
    assert f"== driver {guest.record('driver')['began']}" in log.read_text()


def test_the_digest_is_that_of_the_data_that_cloud_init_ran(guest):
    ran = (guest.path / "var/lib/cloud/instance/user-data.txt").read_bytes()
    expected = hashlib.sha256(ran).hexdigest()
    assert guest.read("var/lib/ccgpu/custom-data.sha256") == f"{expected}\n"


@pytest.mark.slow
def test_the_digest_is_empty_where_cloud_init_left_no_data(new_guest):
    (new_guest.path / "var/lib/cloud/instance/user-data.txt").unlink()
    new_guest.change(broken={"apt-get update": [100, "E: no network"]})
    new_guest.run("setup")
    assert new_guest.read("var/lib/ccgpu/custom-data.sha256") == "\n"


def test_a_guest_that_is_set_up_does_nothing_again(guest):
    before = guest.contents()
    done = guest.run("setup")
    assert (done.returncode, done.stdout) == (0, "ccgpu-setup: done\n")
    assert guest.contents() == before
    assert guest.calls() == []


@pytest.mark.slow
def test_every_step_can_be_run_again_and_changes_nothing(guest):
    before = guest.contents()
    done = guest.run("setup", "--again")
    assert done.returncode == 0, done.stderr
    changed = {name for name, what in guest.contents().items() if before.get(name) != what}
    records = {f"var/lib/ccgpu/steps/{name}" for name in ("id", "boot", *_STEPS)}
    assert changed <= records | {"var/lib/ccgpu/setup.json"}
    assert set(before) == set(guest.contents())
    assert [
        line for line in guest.calls("apt-get") if " install " in line and " -s " not in line
    ] == []
    assert [line for line in guest.calls("systemctl") if " restart " in line] == []


@pytest.mark.slow
def test_other_settings_are_carried_out_from_the_first_step(guest):
    guest.settings(CCGPU_SETUP_ID="f" * 16, CCGPU_DOCKER="0")
    assert guest.run("setup").returncode == 0
    assert guest.status["id"] == "f" * 16
    assert guest.record("docker")["state"] == "skipped"


@pytest.mark.slow
def test_progress_is_printed_line_by_line_and_the_output_of_steps_is_not(guest):
    guest.forget("gpu")
    guest.change(broken={"nvidia-smi conf-compute -f": [0, "CC status: OFF\nnoise"]})
    done = guest.run("setup")
    message = "nvidia-smi conf-compute -f: want CC status: ON, found CC status: OFF noise"
    assert done.stdout.splitlines() == [
        "ccgpu-setup: step gpu: begin",
        f"ccgpu-setup: step gpu: failed (exit 1): {message}",
        "ccgpu-setup: failed at gpu",
    ]
    assert message in done.stderr
    assert message in guest.read("var/lib/ccgpu/setup.log")


@pytest.mark.slow
def test_it_goes_on_at_the_step_that_failed(guest):
    guest.forget("docker")
    guest.change(broken={"docker info": [1, "Cannot connect to the Docker daemon"]})
    assert guest.run("setup").returncode == 1
    assert guest.status["state"] == "failed"
    assert guest.record("container-toolkit")["state"] == "pending"
    guest.boot(broken={"docker info": [0, "[/etc/cdi]"]})
    done = guest.run("setup")
    assert done.returncode == 0, done.stderr
    assert "step driver" not in done.stdout
    assert guest.status["state"] == "done"


@pytest.mark.slow
def test_the_gpu_is_looked_at_once_a_boot(guest):
    guest.boot()
    done = guest.run("setup")
    assert done.stdout.splitlines()[0] == "ccgpu-setup: step gpu: begin"
    assert "lockdown" not in done.stdout
    assert guest.status["boot_id"] == guest.read("proc/sys/kernel/random/boot_id").strip()
    assert guest.calls("cloud-init") == []
    assert guest.run("setup").stdout == "ccgpu-setup: done\n"


def test_a_gpu_that_fails_at_a_later_boot_is_named(guest):
    guest.boot(gpu={"cc": "OFF"})
    assert guest.run("setup").returncode == 1
    assert (guest.status["state"], guest.status["step"]) == ("failed", "gpu")


@pytest.mark.slow
def test_apt_s_own_timers_rest_while_it_works_and_go_on_after_a_failure(new_guest):
    new_guest.change(broken={"apt-get update": [100, "E: no network"]})
    assert new_guest.run("setup").returncode == 1
    timers = "apt-daily.timer apt-daily-upgrade.timer"
    calls = new_guest.calls("systemctl")
    assert (calls[0], calls[-1]) == (f"systemctl stop {timers}", f"systemctl start {timers}")
    assert new_guest.calls("cloud-init") == ["cloud-init status --wait"]


@pytest.mark.slow
def test_a_kernel_without_signed_modules_is_replaced_by_one_with_them(new_guest):
    new_guest.change(**_NEWER)
    done = new_guest.run("setup")
    assert done.returncode == 0
    assert done.stdout.endswith(f"step kernel: reboots into kernel {_NEW_KERNEL}\n")
    assert new_guest.calls("systemctl reboot")
    assert (new_guest.status["state"], new_guest.record("kernel")["state"]) == (
        "running",
        "pending",
    )
    assert new_guest.read(f"boot/efi/EFI/ubuntu/kernel.efi-{_NEW_KERNEL}") == _NEW_KERNEL

    new_guest.boot(kernel=_NEW_KERNEL)
    done = new_guest.run("setup")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ccgpu-setup: step kernel: begin")
    assert new_guest.status["state"] == "done"
    assert new_guest.read("var/lib/ccgpu/kernel") == f"{_NEW_KERNEL}\n"
    assert {_NEW_MODULES, "nullboot"} <= set(new_guest.machine["held"])


@pytest.mark.slow
def test_a_kernel_that_did_not_boot_is_not_tried_again(new_guest):
    new_guest.change(**_NEWER)
    new_guest.run("setup")
    new_guest.boot()
    done = new_guest.run("setup")
    assert done.returncode == 1
    expected = f"booted kernel {KERNEL}, not {_NEW_KERNEL}, which was installed for the driver"
    assert new_guest.record("kernel")["message"] == expected
    assert new_guest.calls("systemctl reboot") == []


@pytest.mark.slow
def test_a_kernel_that_nullboot_did_not_take_over_is_not_booted(new_guest):
    new_guest.change(**_NEWER)
    silent = {"nullbootctl": [0, ""], "dpkg --configure": [0, ""]}
    new_guest.change(broken={**_NEWER["broken"], **silent})
    assert new_guest.run("setup").returncode == 1
    expected = f"nullboot did not put kernel {_NEW_KERNEL} on the EFI partition"
    assert new_guest.record("kernel")["message"] == expected
    assert new_guest.calls("systemctl reboot") == []


@pytest.mark.slow
def test_another_driver_is_loaded_by_one_reboot(guest):
    newer = "595.91.07"
    guest.settings(CCGPU_DRIVER_VERSION=newer, CCGPU_SETUP_ID="f" * 16)
    modules = f"linux-modules-nvidia-595-server-open-{KERNEL}"
    machine = guest.machine
    del machine["installed"][modules]
    guest.machine = machine
    archive = {"nvidia-driver-595-server-open": [f"{newer}-0ubuntu0.24.04.1"]}
    guest.change(module_version=newer, archive=archive)
    done = guest.run("setup")
    assert done.stdout.endswith("reboots to load driver 595.91.07 instead of 595.71.05\n"), done
    guest.boot()
    assert guest.run("setup").returncode == 0
    assert guest.machine["loaded"] == newer


@pytest.mark.slow
def test_its_records_are_valid_whatever_a_program_prints(guest):
    guest.forget("gpu")
    guest.change(broken={"nvidia-smi": [9, 'a "quoted" \\ back\tslash \x1b[31m\xff é']})
    assert guest.run("setup").returncode == 1
    message = guest.record("gpu")["message"]
    assert message.startswith(
        'nvidia-smi --query-gpu=driver_version --format=csv,noheader: a "quoted"'
    )
    assert message.isascii()
    assert message.isprintable()


def test_the_record_is_never_half_written(guest):
    folder = guest.path / "var/lib/ccgpu"
    assert json.loads((folder / "setup.json").read_text())
    assert [file.name for file in guest.path.rglob(".ccgpu.*")] == []


@pytest.mark.slow
@pytest.mark.parametrize("ready", ["after-attestation", "at-boot"])
def test_the_ready_state_is_set_only_if_asked_and_never_off(guest, ready):
    guest.settings(CCGPU_READY=ready)
    guest.boot()
    assert guest.run("setup").returncode == 0
    wanted = ["nvidia-smi conf-compute -srs 1"] if ready == "at-boot" else []
    assert [line for line in guest.calls("nvidia-smi") if "-srs" in line] == wanted
    assert guest.machine["gpu"]["ready"] == ("ready" if ready == "at-boot" else "not-ready")
