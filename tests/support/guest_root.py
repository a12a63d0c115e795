"""The guest's files on a folder instead of `/`, with the programs of `gpu_machine` around them."""

import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

from support import gpu_machine
from support.repository import ROOT

FILES = ROOT / "templates" / "guest" / "files"
SETTINGS = {
    "CCGPU_DRIVER_BRANCH": "595",
    "CCGPU_DRIVER_VERSION": gpu_machine.VERSION,
    "CCGPU_CONTAINER_TOOLKIT": "1",
    "CCGPU_DOCKER": "1",
    "CCGPU_OPENSSL": "0",
    "CCGPU_APT_SNAPSHOT": "",
    "CCGPU_UPDATES": "security",
    "CCGPU_TEMP_DISK": "encrypted",
    "CCGPU_READY": "after-attestation",
    "CCGPU_LOCKDOWN": "1",
    "CCGPU_SETUP_ID": "0123456789abcdef",
}
_PREPARED = {
    "etc/os-release": 'ID=ubuntu\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n',
    "etc/shadow": "root:*:19000::::::\nazureuser:!:19000::::::\nguest:$6$x$y:19000::::::\n",
    "etc/fstab": "LABEL=cloudimg-rootfs / ext4 discard 0 1\n",
    "etc/waagent.conf": "# Azure\nExtensions.Enabled=y\nLogs.Verbose=n\nResourceDisk.Format=n\n",
    "etc/netplan/50-cloud-init.yaml": "network: {version: 2}\n",
    "proc/swaps": "Filename Type Size Used Priority\n",
    "var/lib/cloud/instance/user-data.txt": "#cloud-config\n{}\n",
    f"usr/lib/linux/efi/kernel.efi-{gpu_machine.KERNEL}": "kernel\n",
    "run/.keep": "",
    "mnt/.keep": "",
}


def mode_of(path: str) -> int:
    """The mode that a file of the tree has in the guest."""
    return 0o755 if path.startswith("usr/local/lib/ccgpu/") and path[-6:] != "lib.sh" else 0o644


class GuestRoot:
    """A guest in a folder: set it up, break it, boot it again, read what it says."""

    def __init__(self, folder: Path, stub: Path, of: "GuestRoot | None" = None) -> None:
        """A guest whose programs are links to `stub`; a new one, or a copy of another."""
        self.path = folder / "root"
        self._bin = folder / "bin"
        self._bin.mkdir(parents=True)
        for name in gpu_machine.NAMES:
            (self._bin / name).symlink_to(stub)
        if of:
            shutil.copytree(of.path, self.path)
        else:
            self._prepare()

    def _prepare(self) -> None:
        for file in FILES.rglob("*"):
            if file.is_file():
                to = self.path / file.relative_to(FILES)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, to)
                to.chmod(mode_of(str(file.relative_to(FILES))))
        for path, text in _PREPARED.items():
            self.write(path, text)
        self.settings()
        self.machine = json.loads(json.dumps(gpu_machine.GOOD))
        self.boot()

    def write(self, path: str, text: str) -> None:
        """Write a file of the guest."""
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def read(self, path: str) -> str:
        """The text of a file of the guest."""
        return (self.path / path).read_text()

    def settings(self, **changed: str) -> None:
        """Write guest.env, with what differs from `SETTINGS`."""
        lines = [f"{name}={value}\n" for name, value in {**SETTINGS, **changed}.items()]
        self.write("etc/ccgpu/guest.env", "".join(lines))

    @property
    def machine(self) -> dict[str, Any]:
        """What the machine is like: `gpu_machine.GOOD`, and what was done to it."""
        return dict(json.loads(self.read("machine.json")))

    @machine.setter
    def machine(self, value: dict[str, Any]) -> None:
        self.write("machine.json", json.dumps(value))

    def change(self, **parts: Any) -> None:
        """Change parts of the machine; a dict is merged into what is there."""
        machine = self.machine
        for name, value in parts.items():
            machine[name] = {**machine[name], **value} if isinstance(value, dict) else value
        self.machine = machine

    def boot(self, **parts: Any) -> None:
        """Boot again, into a machine that has changed in these parts."""
        self.write("proc/sys/kernel/random/boot_id", f"{uuid.uuid4()}\n")
        self.change(**parts)

    def run(self, script: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a script of the guest's `/usr/local/lib/ccgpu`."""
        self.write("calls", "")
        environ = {"PATH": f"{self._bin}:{os.environ['PATH']}", "CCGPU_ROOT": str(self.path)}
        command = [str(self.path / "usr/local/lib/ccgpu" / script), *words]
        return subprocess.run(
            command, env=environ, capture_output=True, text=True, check=False, timeout=120
        )

    def program(self, name: str, text: str) -> None:
        """Put a program of this test's own before all others."""
        file = self._bin / name
        file.unlink(missing_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def forget(self, step: str) -> None:
        """As if the set-up had not come to this step yet."""
        names = list(step_files())
        for name in names[names.index(step) :]:
            (self.path / "var/lib/ccgpu/steps" / name).unlink(missing_ok=True)

    def calls(self, beginning: str = "") -> list[str]:
        """The command lines of the last run that begin so."""
        return [line for line in self.read("calls").splitlines() if line.startswith(beginning)]

    @property
    def status(self) -> dict[str, Any]:
        """setup.json."""
        return dict(json.loads(self.read("var/lib/ccgpu/setup.json")))

    def record(self, step: str) -> dict[str, Any]:
        """What setup.json says of a step."""
        return next(one for one in self.status["steps"] if one["step"] == step)

    def drift(self) -> dict[str, str]:
        """What drift.json finds, by what."""
        document = json.loads(self.read("var/lib/ccgpu/drift.json"))
        return {one["what"]: one["found"] for one in document["problems"]}

    def contents(self) -> dict[str, tuple[bytes, int]]:
        """Every file with its bytes and inode, but for the machine's own and those of a run."""
        left_out = {"machine.json", "calls", "var/lib/ccgpu/setup.log", "var/lib/ccgpu/setup.log.1"}
        return {
            name: (file.read_bytes(), file.stat().st_ino)
            for file in sorted(self.path.rglob("*"))
            if file.is_file() and (name := str(file.relative_to(self.path))) not in left_out
        }


def step_files() -> dict[str, str]:
    """The file of each step, by the step's name, in order."""
    folder = FILES / "usr/local/lib/ccgpu/steps"
    return {file.name[3:]: file.name for file in sorted(folder.iterdir())}
