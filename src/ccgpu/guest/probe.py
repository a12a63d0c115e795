"""The probe: one read-only script over the channel that tells the state of the guest.

The script (`templates/guest/probe.py`) only runs the commands and reads the files that it is asked
for. What they mean is decided here, on the user's machine (`guest.report`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from ccgpu.errors import GuestNotReady

SCHEMA = "ccgpu.probe/1"
NAME = "ccgpu-probe"
TIMEOUT = 180.0  # seconds for the whole probe; nvidia-smi alone takes several

SETUP = "/var/lib/ccgpu/setup.json"
DRIFT = "/var/lib/ccgpu/drift.json"
CUSTOM_DATA = "/var/lib/ccgpu/custom-data.sha256"
HOLDS = "/var/lib/ccgpu/holds"
LOG = "/var/lib/ccgpu/setup.log"
LOG_LINES = 20

_SMI = "nvidia-smi"
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "cloud-init": ("cloud-init", "status", "--format", "json"),
    "secure-boot": ("mokutil", "--sb-state"),
    "boot-id": ("cat", "/proc/sys/kernel/random/boot_id"),
    "cc-status": (_SMI, "conf-compute", "-f"),
    "cc-environment": (_SMI, "conf-compute", "-e"),
    "dev-tools": (_SMI, "conf-compute", "-d"),
    "ready": (_SMI, "conf-compute", "-grs"),
    "gpus": (
        _SMI,
        "--query-gpu=name,driver_version,vbios_version,persistence_mode,uuid",
        "--format=csv,noheader",
    ),
    "module": ("cat", "/proc/driver/nvidia/version"),
    "held": ("apt-mark", "showhold"),
    "disks": ("lsblk", "--json", "-o", "NAME,TYPE,MOUNTPOINTS,FSTYPE"),
    "space": ("df", "--output=target,avail,pcent", "-B1", "/"),
    "cryptography": (
        *("python3", "-I", "-c"),
        "from cryptography.hazmat.primitives.asymmetric import x25519",
    ),
    "swap": ("swapon", "--show=NAME,TYPE", "--noheadings"),
}
FILES = (SETUP, DRIFT, CUSTOM_DATA, HOLDS)


@dataclass(frozen=True, slots=True)
class CommandResult:
    """One command of a probe. exit_code: None if the VM lacks the command, or it did not end."""

    exit_code: int | None
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """The output of a command that succeeded, without blanks around it; else nothing."""
        return self.stdout.strip() if self.exit_code == 0 else ""

    @property
    def complaint(self) -> str:
        """The last two lines that a failed command printed, as one."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return "; ".join(line.strip() for line in lines[-2:]) or "it printed nothing"


NOT_RUN = CommandResult(None, "", "")


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What the script found: commands by key of `COMMANDS`, texts of files, ends of files."""

    commands: Mapping[str, CommandResult]
    files: Mapping[str, str | None]
    tails: Mapping[str, tuple[str, ...]]

    def command(self, key: str) -> CommandResult:
        """The result of a command; one that is missing counts as not run."""
        return self.commands.get(key, NOT_RUN)


def command_line() -> list[str]:
    """The command to run in the VM; its input is `script()`."""
    request = {"commands": COMMANDS, "files": FILES, "tails": {LOG: LOG_LINES}}
    return ["sudo", "-n", "python3", "-", NAME, json.dumps(request, separators=(",", ":"))]


def boot_id_command() -> list[str]:
    """The command that asks for the id of the boot alone; its input is `script()`, too."""
    request = {"commands": {"boot-id": COMMANDS["boot-id"]}, "files": (), "tails": {}}
    return ["sudo", "-n", "python3", "-", NAME, json.dumps(request, separators=(",", ":"))]


@cache
def script() -> bytes:
    """The script that answers the probe."""
    return (resources.files("ccgpu") / "templates" / "guest" / "probe.py").read_bytes()


def parse(stdout: bytes) -> ProbeAnswer:
    """The answer of the script.

    Raises:
        GuestNotReady: It is not an answer of this script.
    """
    try:
        return _answer(json.loads(stdout))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as err:
        raise GuestNotReady(f"the answer of the guest's probe cannot be read: {err}") from err


def _answer(document: Any) -> ProbeAnswer:
    if document["schema"] != SCHEMA:
        raise ValueError(f"its schema is {document['schema']!r}, not {SCHEMA!r}")
    return ProbeAnswer(
        {key: _command_result(one) for key, one in document["commands"].items()},
        {path: _optional_text(text) for path, text in document["files"].items()},
        {path: tuple(map(str, lines or ())) for path, lines in document["tails"].items()},
    )


def _command_result(value: Any) -> CommandResult:
    code = value["exit"]
    if code is not None and type(code) is not int:
        raise ValueError("an exit code is not a number")
    return CommandResult(code, str(value["stdout"]), str(value["stderr"]))


def _optional_text(value: Any) -> str | None:
    return None if value is None else str(value)
