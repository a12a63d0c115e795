"""Scripted failures of simulated guests: what the probe, the log and the client see of each."""

import json

import pytest

from ccgpu.errors import GuestUnreachable, HostKeyMismatch
from ccgpu.fakearm import scenarios
from support.arm import vm_path
from support.simulated_guests import GuestBench, make_bench

NOT_LOADED = (
    "exit 9: NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make "
    "sure that the latest NVIDIA driver is installed and running."
)
MISMATCH = "exit 18: Failed to initialize NVML: Driver/Library version mismatch"
READY = "Confidential Compute GPUs Ready state: not-ready"


def test_a_good_guest_answers_as_the_facts_say(bench):
    texts = bench.texts()
    assert {key: texts[key] for key in ("cc", "environment", "devtools", "ready")} == {
        "cc": "CC status: ON",
        "environment": "CC Environment: PRODUCTION",
        "devtools": "DevTools Mode: OFF",
        "ready": READY,
    }
    assert texts["secure-boot"] == "SecureBoot enabled"
    assert texts["gpus"].startswith("NVIDIA H100 NVL, 595.71.05, 96.00.9F.00.04, Enabled, GPU-")
    assert "Kernel Module for x86_64  595.71.05  Release" in texts["module"]
    assert texts["absent"] == "exit None"
    assert (texts["units"], texts["swap"]) == ("running", "")
    answer = bench.answer()
    kernel = texts["kernel"]
    packages = answer["commands"]["packages"]["stdout"].splitlines()
    assert any(
        line.startswith(f"linux-modules-nvidia-595-server-open-{kernel} ") for line in packages
    )
    held = answer["commands"]["held"]["stdout"].split()
    assert {"linux-azure-fde", "nvidia-driver-595-server-open"} <= set(held)
    assert answer["files"]["/no/such/file"] is None


def test_the_temporary_disk_is_on_luks(bench):
    devices = json.loads(bench.answer()["commands"]["disks"]["stdout"])["blockdevices"]
    (opened,) = devices[1]["children"]
    assert (opened["type"], opened["mountpoints"]) == ("crypt", ["/mnt"])


_NOW = {
    "driver-skew": dict.fromkeys(("cc", "environment", "devtools", "ready", "gpus"), MISMATCH),
    "cc-off": {"cc": "CC status: OFF", "ready": READY},
    "devtools": {"cc": "CC status: ON", "devtools": "DevTools Mode: ON"},
    "gpu-missing": dict.fromkeys(("cc", "gpus"), "exit 6: No devices were found"),
}


@pytest.mark.parametrize("name", _NOW)
def test_a_scenario_shows_in_a_guest_that_was_good(bench, name):
    scenarios.apply(bench.az.arm, name)
    texts = bench.texts()
    assert {key: texts[key] for key in _NOW[name]} == _NOW[name]
    assert bench.setup()["state"] == "done"
    scenarios.apply(bench.az.arm, "usual")
    assert bench.texts()["cc"] == "CC status: ON"


_FAILED = {
    "driver-skew": ("gpu", 1, "NVML library version: 595.91"),
    "cc-off": ("gpu", 1, "want CC status: ON, found CC status: OFF"),
    "devtools": ("gpu", 1, "DevTools Mode: ON"),
    "gpu-missing": ("driver", 1, "modprobe: ERROR: could not insert 'nvidia': No such device"),
    "setup-fails": ("driver", 100, "E: Unable to locate package nvidia-driver-595-server-open"),
    "disk-full": ("kernel", 100, "E: You don't have enough free space"),
}


@pytest.mark.parametrize("name", _FAILED)
def test_a_set_up_under_a_scenario_fails_at_its_step(az, name):
    scenarios.apply(az.arm, name)
    bench = make_bench(az)
    step, code, message = _FAILED[name]
    setup = bench.setup()
    (failed,) = [one for one in setup["steps"] if one["state"] == "failed"]
    assert (setup["state"], setup["step"], failed["step"]) == ("failed", step, step)
    assert failed["exit_code"] == code
    assert message in failed["message"]
    assert f"ccgpu-setup: step {step}: failed (exit {code}): {failed['message']}" in bench.log()
    assert bench.log()[-1] == f"ccgpu-setup: failed at {step}"
    assert bench.answer()["tails"]["/var/lib/ccgpu/setup.log"][-1] == failed["message"]
    assert bench.texts()["units"] == "exit 1: degraded"


def test_a_failed_set_up_stays_failed_and_goes_on_at_the_next_boot(az):
    scenarios.apply(az.arm, "setup-fails")
    bench = make_bench(az)
    scenarios.apply(az.arm, "usual")
    az.arm.advance(3600)
    assert bench.setup()["state"] == "failed"
    bench.reboot()
    assert bench.setup()["state"] == "running"
    az.arm.advance(400)
    assert bench.setup()["state"] == "done"


def test_a_failed_set_up_goes_on_when_its_service_is_started_again(az):
    scenarios.apply(az.arm, "setup-fails")
    bench = make_bench(az)
    scenarios.apply(az.arm, "usual")
    before = az.arm.now()
    restart = ["sudo", "systemctl", "restart", "ccgpu-setup.service"]
    assert bench.channel.run(restart, timeout=3600).exit_code == 0
    assert az.arm.now() - before == 120 + 7 * 20  # the driver, and the steps after it
    assert bench.setup()["state"] == "done"


def test_an_error_of_cloud_init_means_no_set_up(az):
    scenarios.apply(az.arm, "cloud-init-error")
    bench = make_bench(az)
    told = bench.answer()["commands"]["cloud-init"]
    document = json.loads(told["stdout"])
    assert (told["exit"], document["status"]) == (1, "error")
    assert "runcmd" in document["errors"][0]
    assert bench.setup() is None
    assert any("failed to run module runcmd" in line for line in bench.log())


@pytest.mark.parametrize("name", ["never-boots", "no-sshd"])
def test_a_vm_that_does_not_come_up_refuses_connections_for_good(az, name):
    scenarios.apply(az.arm, name)
    bench = make_bench(az, wait=100_000)
    with pytest.raises(GuestUnreachable, match="Connection refused") as caught:
        bench.answer()
    assert caught.value.transient
    assert any("Linux version" in line for line in bench.log())
    ready = "vmAgent" in (view := az.get(f"{vm_path()}/instanceView")) and (
        view["vmAgent"]["statuses"][0]["displayStatus"] == "Ready"
    )
    assert ready == (name == "no-sshd")


def test_a_rotated_log_has_no_host_key(az):
    scenarios.apply(az.arm, "no-host-key")
    bench = make_bench(az)
    assert not [line for line in bench.log() if "SSH HOST KEY" in line]
    assert bench.log()[-1] == "ccgpu-setup: done"
    assert bench.target.host_key is None
    assert bench.texts()["cc"] == "CC status: ON"  # the probe alone needs no key


def test_another_key_than_the_log_says_is_a_mismatch(az):
    scenarios.apply(az.arm, "other-host-key")
    bench = make_bench(az)
    with pytest.raises(HostKeyMismatch):
        bench.channel.run(["true"], timeout=5)
    assert len(bench.key_in_log()) == 51


def _problems(bench: GuestBench) -> dict[str, str]:
    document = json.loads(bench.answer()["files"]["/var/lib/ccgpu/drift.json"])
    assert document["boot_id"] == bench.texts()["boot-id"]
    return {one["what"]: one["found"] for one in document["problems"]}


def test_drift_shows_after_the_next_boot_and_is_mended_by_a_whole_set_up(bench):
    kernel = bench.texts()["kernel"]
    scenarios.apply(bench.az.arm, "drift")
    assert bench.texts()["kernel"] == kernel
    bench.reboot()
    assert bench.texts()["kernel"] != kernel
    assert bench.texts()["gpus"] == NOT_LOADED
    found = _problems(bench)
    assert (found["kernel-modules"], found["loaded-module"]) == ("none", "none")
    assert bench.setup()["step"] == "gpu"
    again = ["sudo", "/usr/local/lib/ccgpu/setup", "--again"]
    assert bench.channel.run(again, timeout=3600).exit_code == 0
    assert (bench.setup()["state"], bench.texts()["cc"]) == ("done", "CC status: ON")
    bench.channel.run(["sudo", "systemctl", "start", "ccgpu-drift.service"], timeout=5)
    assert _problems(bench) == {}


def test_a_good_guest_has_no_drift(bench):
    for _ in range(2):
        assert _problems(bench) == {}
        bench.reboot()


def test_drift_is_looked_for_when_the_set_up_of_a_boot_is_through(az):
    bench = make_bench(az, wait=399)
    assert bench.setup()["state"] == "running"
    assert bench.answer()["files"]["/var/lib/ccgpu/drift.json"] is None
    az.arm.advance(1)
    assert _problems(bench) == {}
    before = bench.texts()["boot-id"]
    bench.reboot(wait=59)
    document = json.loads(bench.answer()["files"]["/var/lib/ccgpu/drift.json"])
    assert document["boot_id"] == before != bench.texts()["boot-id"]
    az.arm.advance(1)
    assert _problems(bench) == {}


def test_a_newer_userspace_is_drift_and_is_mended_by_a_whole_set_up(bench):
    scenarios.apply(bench.az.arm, "driver-skew")
    bench.reboot()
    assert _problems(bench)["driver-package"] == "595.91.07"
    again = ["sudo", "/usr/local/lib/ccgpu/setup", "--again"]
    bench.channel.run(again, timeout=3600)
    assert bench.texts()["cc"] == "CC status: ON"


def test_a_full_disk_takes_no_files_until_its_caches_are_gone(bench, tmp_path):
    scenarios.apply(bench.az.arm, "disk-full")
    (tmp_path / "note").write_text("x")
    space = bench.answer()["commands"]["space"]["stdout"].split()
    assert space[-2:] == ["0", "100%"]
    with pytest.raises(Exception, match="No space left on device"):
        bench.channel.put(tmp_path / "note", "note")
    bench.channel.run(["sudo", "apt-get", "clean"], timeout=5)
    bench.channel.put(tmp_path / "note", "note")
    assert int(bench.answer()["commands"]["space"]["stdout"].split()[-2]) > 1 << 30


def test_holds_of_others_are_listed_and_released_ones_are_not(bench):
    def held() -> set[str]:
        return set(bench.answer()["commands"]["held"]["stdout"].split())

    usual = held()
    recorded = bench.channel.run(["cat", "/var/lib/ccgpu/holds"], timeout=5).stdout.decode()
    assert set(recorded.split()) == usual
    scenarios.apply(bench.az.arm, "updates-held")
    assert held() == usual | {"openssh-server", "unattended-upgrades"}
    scenarios.apply(bench.az.arm, "not-held")
    assert held() == set()
    bench.reboot()
    assert _problems(bench)["holds"].startswith("not held: linux-azure-fde ")
