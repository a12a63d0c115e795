"""Each thing that goes wrong in a guest is named: the step, its exit code, and what was said."""

import pytest

from support.gpu_machine import KERNEL
from support.slow import mostly_slow

_MODULES = f"linux-modules-nvidia-595-server-open-{KERNEL}"
_DRIVER = "nvidia-driver-595-server-open"
_LOCK = (
    "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1043 "
    "(unattended-upgr)"
)
_LISTS = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 812 (apt-get)"
_404 = (
    "Err:1 https://mirror.example/ubuntu noble-updates/restricted 404  Not Found\n"
    "E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?"
)
_NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that "
    "the latest NVIDIA driver is installed and running."
)
_MISMATCH = (
    "Failed to initialize NVML: Driver/Library version mismatch\nNVML library version: 595.84"
)
_OTHER_KEY = f"pub:-:4096:1:1::::::scESC:\nfpr:::::::::{'B' * 40}:"
_TWO_KEYS = f"{_OTHER_KEY}\npub:-:1\nfpr:::::::::EB693B3035CD5710E231E123A4B469963BF863CC:"
_CUDA_KEY = "EB693B3035CD5710E231E123A4B469963BF863CC"
_TOOLKIT_KEY = "C95B321B61E88C1809C4F759DDCAE044F796ECB0"
_QUERY = "nvidia-smi --query-gpu=driver_version"

# step, packages that are not there yet, the beginning of a command, how it ends, exit code, message
CASES = [
    ("sources", [], "apt-get update", [100, _LISTS], 100, _LISTS),
    (
        *("sources", ["key"], "curl", [22, "curl: (22) The requested URL returned error: 404"], 1),
        "cannot fetch the key of nvidia-cuda: https://developer.download.nvidia.com/compute/cuda/"
        "repos/ubuntu2404/x86_64/3bf863cc.pub",
    ),
    (
        *("sources", ["key"], "gpg", [0, _OTHER_KEY], 1),
        f"the key of nvidia-cuda is {'B' * 40}, not {_CUDA_KEY}",
    ),
    ("sources", ["key"], "gpg", [0, _TWO_KEYS], 1, f"not {_CUDA_KEY}"),
    ("sources", ["key"], "gpg", [2, ""], 1, f"the key of nvidia-cuda is none, not {_CUDA_KEY}"),
    ("updates", ["unattended-upgrades"], "apt-get install", [100, _LOCK], 100, _LOCK),
    ("updates", [], "apt-mark hold", [1, "E: no such package"], 123, "E: no such package"),
    (
        *("kernel", [], "apt-get -s install", [100, f"E: Unable to locate package {_MODULES}"], 1),
        f"no signed modules of driver 595.71.05 for kernel {KERNEL}: "
        f"E: Unable to locate package {_MODULES}",
    ),
    ("kernel", [_MODULES], "apt-get install", [100, _LOCK], 100, _LOCK),
    (
        *("kernel", [], "modinfo", [1, "modinfo: ERROR: Module nvidia not found."], 1),
        f"kernel {KERNEL} has no module nvidia",
    ),
    (
        *("kernel", [], "modinfo", [0, "595.58.03"], 1),
        f"the signed modules for kernel {KERNEL} are 595.58.03, not 595.71.05",
    ),
    (
        *("lkca", [], "modprobe -a", [1, "modprobe: FATAL: Module ecdh_generic not found"], 1),
        "modprobe: FATAL: Module ecdh_generic not found",
    ),
    ("driver", [_DRIVER], "apt-get install", [100, _404], 100, _404.splitlines()[-1]),
    ("driver", [_DRIVER], "apt-get install", [100, _LOCK], 100, _LOCK),
    (
        *("driver", [], "modprobe nvidia"),
        [1, "modprobe: ERROR: could not insert 'nvidia': Key was rejected by service"],
        *(1, "modprobe: ERROR: could not insert 'nvidia': Key was rejected by service"),
    ),
    (
        *("driver", [], "modprobe nvidia_uvm", [1, "modprobe: FATAL: Module nvidia_uvm not found"]),
        *(1, "modprobe: FATAL: Module nvidia_uvm not found"),
    ),
    (
        *("persistence", [], "id", [1, "id: 'nvidia-persistenced': no such user"], 1),
        "no user nvidia-persistenced: is the driver installed?",
    ),
    (
        *("persistence", ["active"], "systemctl start nvidia-persistenced"),
        [1, "Job for nvidia-persistenced.service failed because the control process exited"],
        *(1, "Job for nvidia-persistenced.service failed because the control process exited"),
    ),
    ("docker", ["docker.io"], "apt-get install", [100, _404], 100, _404.splitlines()[-1]),
    ("docker", [], "docker info", [0, "[]"], 1, "this Docker does not know CDI"),
    (
        *("container-toolkit", ["key"], "gpg", [0, _OTHER_KEY], 1),
        f"the key of nvidia-container-toolkit is {'B' * 40}, not {_TOOLKIT_KEY}",
    ),
    (
        *("container-toolkit", [], "nvidia-ctk", [0, "nvidia.com/gpu=0"], 1),
        "nvidia-ctk lists no CDI device nvidia.com/gpu=all",
    ),
    (
        *("gpu", [], "nvidia-smi conf-compute -f", [0, "CC status: OFF"], 1),
        "nvidia-smi conf-compute -f: want CC status: ON, found CC status: OFF",
    ),
    (
        *("gpu", [], "nvidia-smi conf-compute -f", [6, "No CC capable devices found"], 1),
        "nvidia-smi conf-compute -f failed: No CC capable devices found",
    ),
    (
        *("gpu", [], "nvidia-smi conf-compute -e", [0, "CC Environment: INTERNAL"], 1),
        "nvidia-smi conf-compute -e: want CC Environment: PRODUCTION, "
        "found CC Environment: INTERNAL",
    ),
    *(
        (
            *("gpu", [], "nvidia-smi conf-compute -d", [0, said], 1),
            f"nvidia-smi conf-compute -d: want DevTools Mode: OFF, found {said}",
        )
        for said in ("DevTools Mode: ON", "DevTools Mode: N/A", "Developer tools are on")
    ),
    (
        *(
            "gpu",
            [],
            _QUERY,
            [18, _MISMATCH],
            1,
        ),
        f"{_QUERY} --format=csv,noheader: "
        "Failed to initialize NVML: Driver/Library version mismatch",
    ),
    ("gpu", [], _QUERY, [9, _NO_DRIVER], 1, _NO_DRIVER),
    (
        *("gpu", [], "nvidia-smi --query-gpu=persistence_mode", [0, "Disabled"], 1),
        "persistence mode is Disabled",
    ),
    (
        *("gpu", [], "nvidia-smi --query-gpu=persistence_mode", [0, "Enabled\nDisabled"], 1),
        "persistence mode is Disabled Enabled",
    ),
    (
        *("lockdown", [], "sshd -T", [255, "/etc/ssh/sshd_config line 3: Bad configuration"], 1),
        "sshd refuses its settings",
    ),
    (
        *("lockdown", [], "sshd -T", [0, "port 22\npasswordauthentication yes"], 1),
        "sshd would still take passwords",
    ),
    (
        *("lockdown", [], "sshd -T", [0, "port 22\nport 2222\npasswordauthentication no"], 1),
        "sshd has more than one port",
    ),
    ("lockdown", [], "sysctl", [1, "sysctl: permission denied"], 1, "sysctl: permission denied"),
]


def _take_away(guest, things):
    machine = guest.machine
    for name in things:
        machine["installed"].pop(name, None)
    if "active" in things:
        machine["active"] = []
    guest.machine = machine
    if "key" in things:
        for file in (guest.path / "etc/apt/keyrings").iterdir():
            file.unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "missing", "command", "ends", "code", "message"),
    mostly_slow(
        [
            pytest.param(*case, id=f"{case[0]}-{case[2]}-{number}")
            for number, case in enumerate(CASES)
        ],
        every=20,
        slow=2,
    ),
)
def test_a_failure_is_named(guest, step, missing, command, ends, code, message):
    guest.forget(step)
    _take_away(guest, missing)
    guest.change(broken={command: ends})
    done = guest.run("setup")
    assert done.returncode == 1
    status = guest.status
    assert (status["state"], status["step"]) == ("failed", step)
    record = guest.record(step)
    assert (record["state"], record["exit_code"]) == ("failed", code)
    assert message in record["message"]
    assert done.stdout.splitlines()[-2:] == [
        f"ccgpu-setup: step {step}: failed (exit {code}): {record['message']}",
        f"ccgpu-setup: failed at {step}",
    ]


def test_a_driver_that_is_not_in_the_archive_is_not_replaced_by_another(guest):
    guest.forget("driver")
    _take_away(guest, [_DRIVER])
    guest.change(archive={_DRIVER: ["595.58.03-0ubuntu0.24.04.1", "595.84.01-0ubuntu0.24.04.1"]})
    assert guest.run("setup").returncode == 1
    found = "595.84.01-0ubuntu0.24.04.1"
    expected = f"no {_DRIVER} 595.71.05-* in the archive: found {found}"
    assert guest.record("driver")["message"] == expected
    assert _DRIVER not in guest.machine["installed"]


@pytest.mark.slow
def test_a_machine_without_a_gpu_is_named(guest):
    guest.forget("driver")
    for node in (guest.path / "dev").glob("nvidia*"):
        node.unlink()
    guest.change(devices=False)
    assert guest.run("setup").returncode == 1
    message = guest.record("driver")["message"]
    assert message == "/dev/nvidia0 is missing: the driver found no GPU"


@pytest.mark.slow
def test_not_ready_is_not_taken_for_ready(guest):
    guest.settings(CCGPU_READY="at-boot")
    guest.forget("gpu")
    guest.change(broken={"nvidia-smi conf-compute -srs 1": [0, ""]})
    assert guest.run("setup").returncode == 1
    message = guest.record("gpu")["message"]
    assert message == "the GPU is not ready after nvidia-smi conf-compute -srs 1"


def test_a_ready_state_that_nobody_knows_is_an_error(guest):
    guest.settings(CCGPU_READY="at-boot")
    guest.forget("gpu")
    guest.change(broken={"nvidia-smi conf-compute -grs": [0, "Confidential Compute: unknown"]})
    assert guest.run("setup").returncode == 1
    message = guest.record("gpu")["message"]
    assert message == "nvidia-smi conf-compute -grs: Confidential Compute: unknown"


@pytest.mark.slow
@pytest.mark.parametrize(
    "says", [[255, "Bad option"], [0, "port 22\nport 2222\npasswordauthentication no"]], ids=str
)
def test_settings_that_sshd_refuses_are_taken_back_and_tried_again(guest, says):
    guest.forget("lockdown")
    guest.change(broken={"sshd -T": says})
    assert guest.run("setup").returncode == 1
    assert not (guest.path / "etc/ssh/sshd_config.d/00-ccgpu.conf").exists()
    guest.machine = {**guest.machine, "broken": {}}
    assert guest.run("setup").returncode == 0
    assert guest.calls("systemctl try-reload-or-restart ssh.service")


@pytest.mark.slow
def test_a_source_that_could_not_be_read_is_read_at_the_next_run(guest):
    guest.forget("container-toolkit")
    listed = guest.path / "etc/apt/sources.list.d/nvidia-container-toolkit.list"
    listed.unlink()
    guest.change(broken={"apt-get update": [100, "E: Failed to fetch"]})
    assert guest.run("setup").returncode == 1
    assert guest.record("container-toolkit")["exit_code"] == 100
    guest.machine = {**guest.machine, "broken": {}}
    assert guest.run("setup").returncode == 0
    assert [line for line in guest.calls("apt-get") if line.endswith(" update")]


@pytest.mark.slow
def test_a_guest_that_cloud_init_left_without_network_is_not_locked(guest):
    guest.forget("lockdown")
    (guest.path / "etc/netplan/50-cloud-init.yaml").unlink()
    (guest.path / "etc/cloud/cloud-init.disabled").unlink()
    assert guest.run("setup").returncode == 1
    expected = "without cloud-init this VM would have no network"
    assert guest.record("lockdown")["message"] == expected
    assert not (guest.path / "etc/cloud/cloud-init.disabled").exists()


@pytest.mark.slow
def test_swap_that_stays_on_is_named(guest):
    guest.forget("lockdown")
    guest.write("proc/swaps", "Filename Type Size Used Priority\n/swap.img file 1 0 -2\n")
    assert guest.run("setup").returncode == 1
    assert guest.record("lockdown")["message"] == "there is swap that cannot be switched off"
