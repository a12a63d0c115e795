"""The report: exact texts of real commands are understood, all others are unknown."""

import pytest

from ccgpu.guest.probe import DRIFT, SETUP
from ccgpu.guest.report import Drift, GuestGpu, read_report
from support.guest_answers import MODULE, answer, setup_file

GPU = GuestGpu("NVIDIA H100 NVL", "595.71.05", "96.00.88.00.11", True, "GPU-0")


def test_the_report_of_a_ready_guest():
    report = read_report(answer())
    assert report.cloud_init == "done"
    assert report.setup is not None
    assert report.setup.state == "done"
    assert report.secure_boot is True
    assert report.module == "595.71.05"
    assert report.gpus == (GPU,)
    assert (report.cc, report.environment, report.dev_tools) == (True, "PRODUCTION", False)
    assert report.ready is False
    assert report.held == ("linux-image-azure-fde", "nvidia-driver-595-server-open")
    assert report.root_free == 214748364800
    assert report.plain_swaps == ()
    assert report.log == ("last line",)


@pytest.mark.parametrize(
    ("text", "ready"),
    [
        ("Confidential Compute GPUs Ready state: ready", True),
        ("Confidential Compute GPUs Ready state: not-ready", False),
        ("Confidential Compute GPUs Ready state: readying", None),
        ("ready", None),
        ("", None),
        (
            "Confidential Compute GPUs Ready state: ready\n"
            "Confidential Compute GPUs Ready state: not-ready",
            None,
        ),
    ],
)
def test_only_the_exact_ready_state_counts(text, ready):
    assert read_report(answer({"ready": text})).ready is ready


@pytest.mark.parametrize("key", ["cc-status", "dev-tools", "ready", "secure-boot", "module"])
def test_the_output_of_a_failed_command_is_unknown(key):
    good = {
        "cc-status": "CC status: ON",
        "dev-tools": "DevTools Mode: OFF",
        "ready": "Confidential Compute GPUs Ready state: ready",
        "secure-boot": "SecureBoot enabled",
        "module": MODULE,
    }[key]
    report = read_report(answer({key: (6, good)}))
    values = {
        "cc-status": report.cc,
        "dev-tools": report.dev_tools,
        "ready": report.ready,
        "secure-boot": report.secure_boot,
        "module": report.module,
    }
    assert values[key] is None


def test_a_driver_that_does_not_answer_is_quoted():
    text = "Failed to initialize NVML: Driver/Library version mismatch"
    report = read_report(answer({"gpus": (18, f"{text}\nNVML library version: 595.91\n")}))
    assert report.gpu_error == f"{text}; NVML library version: 595.91"
    assert report.gpus == ()


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"state": "well", "step": "", "id": "", "steps": []}', "[" * 9999]
)
def test_a_status_file_that_cannot_be_read_is_named(text):
    report = read_report(answer(files={SETUP: text}))
    assert report.setup is None
    assert report.malformed == (SETUP,)


def test_a_missing_status_file_is_not_malformed():
    report = read_report(answer(files={SETUP: None, DRIFT: None}))
    assert (report.setup, report.drift, report.malformed) == (None, (), ())


def test_drift_is_read():
    text = '{"problems": [{"what": "kernel", "expected": "1", "found": "2"}]}'
    assert read_report(answer(files={DRIFT: text})).drift == (Drift("kernel", "1", "2"),)


def test_cloud_init_tells_its_errors_even_when_it_failed():
    text = '{"status": "error", "errors": ["runcmd failed"]}'
    found = answer({"cloud-init": text})
    report = read_report(found)
    assert (report.cloud_init, report.cloud_init_errors) == ("error", ("runcmd failed",))
    assert read_report(answer({"cloud-init": "status: done"})).cloud_init == "unknown"


@pytest.mark.parametrize(
    ("disks", "plain"),
    [
        ('{"blockdevices": []}', ()),
        (
            '{"blockdevices": [{"name": "sdb", "type": "disk", "mountpoints": [null], "children": '
            '[{"name": "sdb1", "type": "part", "mountpoints": ["/mnt"]}]}]}',
            ("sdb1",),
        ),
        (
            '{"blockdevices": [{"name": "sdb", "type": "disk", "mountpoints": [null], "children": '
            '[{"name": "temp", "type": "crypt", "mountpoints": ["/mnt/data"]}]}]}',
            (),
        ),
        (
            '{"blockdevices": [{"name": "sdb", "type": "disk", "mountpoints": ["/mntx"]}]}',
            (),
        ),
        ("", None),
        ("[1]", None),
    ],
)
def test_a_temp_disk_is_plain_unless_it_is_on_dm_crypt(disks, plain):
    assert read_report(answer({"disks": disks})).plain_temp_disks == plain


@pytest.mark.parametrize(
    ("swap", "plain"),
    [
        ("", ()),
        ("/dev/dm-1 partition\n", ()),
        ("/dev/mapper/swap partition\n/swapfile file\n", ("/swapfile",)),
        ((1, "swapon: failed"), None),
    ],
)
def test_a_swap_area_is_plain_unless_it_is_mapped(swap, plain):
    assert read_report(answer({"swap": swap})).plain_swaps == plain


def test_steps_of_the_setup_keep_their_order():
    report = read_report(answer(files={SETUP: setup_file("running", "driver", driver="running")}))
    assert report.setup is not None
    assert [one.name for one in report.setup.steps][:3] == ["sources", "updates", "kernel"]


def test_only_names_of_packages_are_held():
    """They stand in a hint, so no other machine's answer may become a command there."""
    text = "linux-image-azure-fde\nlibc6:i386 $(reboot)\n;reboot {name.x} -y Upper g++\n"
    assert read_report(answer({"held": text})).held == (
        "linux-image-azure-fde",
        "libc6:i386",
        "g++",
    )


@pytest.mark.parametrize("free", ["\u00b2", "9" * 5000, "-1", "1e3"])
def test_a_size_that_is_no_number_is_unknown(free):
    assert read_report(answer({"space": f"Mounted Avail Use%\n/ {free} 4%"})).root_free is None


def test_a_status_that_is_nested_too_deeply_is_unknown():
    assert read_report(answer({"cloud-init": "[" * 100_000})).cloud_init == "unknown"
