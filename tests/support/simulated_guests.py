"""Simulated guests for tests: a VM with first-boot data, and channels to its inside."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ccgpu.cli.backends import simulated_channels
from ccgpu.fakearm import FakeArm, Request
from ccgpu.guest.channel import Channel, GuestTarget
from support.arm import Client, vm_body, vm_path
from support.cloud import vendors

SETTINGS = {
    "CCGPU_DRIVER_BRANCH": "595",
    "CCGPU_DRIVER_VERSION": "595.71.05",
    "CCGPU_CONTAINER_TOOLKIT": "1",
    "CCGPU_DOCKER": "1",
    "CCGPU_OPENSSL": "1",
    "CCGPU_APT_SNAPSHOT": "20260615T120000Z",
    "CCGPU_UPDATES": "security",
    "CCGPU_TEMP_DISK": "encrypted",
    "CCGPU_READY": "after-attestation",
    "CCGPU_LOCKDOWN": "1",
    "CCGPU_SETUP_ID": "0123456789abcdef",
}
_PROBED = {
    "cloud-init": ["cloud-init", "status", "--format", "json"],
    "secure-boot": ["mokutil", "--sb-state"],
    "kernel": ["uname", "-r"],
    "boot-id": ["cat", "/proc/sys/kernel/random/boot_id"],
    "cc": ["nvidia-smi", "conf-compute", "-f"],
    "environment": ["nvidia-smi", "conf-compute", "-e"],
    "devtools": ["nvidia-smi", "conf-compute", "-d"],
    "ready": ["nvidia-smi", "conf-compute", "-grs"],
    "gpus": [
        "nvidia-smi",
        "--query-gpu=name,driver_version,vbios_version,persistence_mode,uuid",
        "--format=csv,noheader",
    ],
    "module": ["cat", "/proc/driver/nvidia/version"],
    "packages": [
        "dpkg-query",
        "-W",
        "-f=${Package} ${Version} ${db:Status-Status}\\n",
        "linux-*",
        "nvidia-*",
    ],
    "held": ["apt-mark", "showhold"],
    "disks": ["lsblk", "--json", "-o", "NAME,TYPE,MOUNTPOINTS,FSTYPE"],
    "space": ["df", "--output=target,avail,pcent", "-B1", "/"],
    "units": ["systemctl", "is-system-running"],
    "swap": ["swapon", "--show=NAME,TYPE", "--noheadings"],
    "absent": ["no-such-command"],
}
_STATE = "/var/lib/ccgpu"
_FILES = [f"{_STATE}/{name}" for name in ("setup.json", "drift.json", "custom-data.sha256")]
REQUEST = {
    "commands": _PROBED,
    "files": [*_FILES, "/etc/ccgpu/guest.env", "/no/such/file"],
    "tails": {f"{_STATE}/setup.log": 3},
}


def cloud_config(**changes: str) -> str:
    """customData in base64 whose cloud-config writes the set-up's settings file."""
    lines = "".join(f"{name}={value}\n" for name, value in (SETTINGS | changes).items())
    entry = {
        "path": "/etc/ccgpu/guest.env",
        "permissions": "0644",
        "encoding": "b64",
        "content": base64.b64encode(lines.encode()).decode(),
    }
    document = "#cloud-config\n" + json.dumps({"write_files": [entry]})
    return base64.b64encode(document.encode()).decode()


@dataclass
class GuestBench:
    """One VM of a simulated subscription, and what a client of it may do."""

    az: Client
    target: GuestTarget
    vm: str = "vm"

    @property
    def channel(self) -> Channel:
        """A channel to the target."""
        return open_channel(self.az.arm, self.target)

    def answer(self) -> Mapping[str, Any]:
        """What the probe answers."""
        argv = ["sudo", "-n", "python3", "-", "ccgpu-probe", json.dumps(REQUEST)]
        done = self.channel.run(argv, b"a script", timeout=60)
        assert done.exit_code == 0
        document: Mapping[str, Any] = json.loads(done.stdout)
        return document

    def texts(self) -> dict[str, str]:
        """The first line that each probed command printed; `exit N` before one that failed."""
        shown = {}
        for key, one in self.answer()["commands"].items():
            text = next(iter((one["stdout"] or one["stderr"]).splitlines()), "")
            shown[key] = text if one["exit"] == 0 else f"exit {one['exit']}: {text}".rstrip(": ")
        return shown

    def setup(self) -> Any:
        """The set-up's status file; None if there is none."""
        text = self.answer()["files"][f"{_STATE}/setup.json"]
        return None if text is None else json.loads(text)

    def log(self) -> list[str]:
        """The lines of the serial log."""
        told = self.az.ok("POST", f"{vm_path(self.vm)}/retrieveBootDiagnosticsData").body
        body = self.az.arm.send(Request("GET", told["serialConsoleLogBlobUri"])).body
        return str(body).splitlines()

    def key_in_log(self) -> bytes:
        """The host key in the serial log."""
        lines = self.log()
        start = lines.index("-----BEGIN SSH HOST KEY KEYS-----")
        end = lines.index("-----END SSH HOST KEY KEYS-----")
        (line,) = lines[start + 1 : end]
        return base64.b64decode(line.split()[1])

    def reboot(self, wait: float = 60) -> None:
        """Restart the VM; `wait` seconds from its boot on. sshd answers after 40."""
        self.az.ok("POST", f"{vm_path(self.vm)}/restart")
        self.az.arm.advance(30 + wait)

    def pinned(self, key: bytes | None) -> "GuestBench":
        """The same VM with another key pinned."""
        return replace(self, target=replace(self.target, host_key=key))


def open_channel(arm: FakeArm, target: GuestTarget) -> Channel:
    """A channel of the simulated back end."""
    with simulated_channels(arm, vendors)(target) as channel:
        return channel


def make_bench(az: Client, *, wait: float = 600, **changes: Any) -> GuestBench:
    """A VM, `wait` seconds after it was created, with its key pinned if the log has it."""
    simulated_channels(az.arm, vendors)  # guests live in the VMs from now on
    az.network()
    return add_bench(az, "vm", wait=wait, **changes)


def add_bench(az: Client, name: str, *, wait: float = 600, **changes: Any) -> GuestBench:
    """One more VM, in the network that is there."""
    before = _addresses(az)
    az.ok("PUT", vm_path(name), vm_body(name, **{"os__customData": cloud_config()} | changes))
    az.arm.advance(44)
    assert az.get(vm_path(name))["properties"]["provisioningState"] == "Succeeded"
    az.arm.advance(wait)
    (address,) = _addresses(az) - before
    vm_id = az.get(vm_path(name))["properties"]["vmId"]
    bench = GuestBench(az, GuestTarget("demo", vm_id, address, "azureuser"), name)
    known = "-----BEGIN SSH HOST KEY KEYS-----" in bench.log()
    return bench.pinned(bench.key_in_log() if known else None)


def _addresses(az: Client) -> set[str]:
    """All public addresses."""
    ids = [one["id"] for one in az.arm.show()["resources"] if one["kind"].endswith("IPAddresses")]
    return {az.get(id_)["properties"]["ipAddress"] for id_ in ids}
