"""What every part of the script for workloads shares: its error, the VM's parts, programs, locks.

Programs are called by absolute paths, in an environment of their own.
"""

import fcntl
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ccgpu.templates.guest.collector.settings import PROGRAM_ENVIRONMENT

RUN = "run/ccgpu"
SECRETS = "run/ccgpu/secrets"
PROGRAMS = "usr/bin"
ENVIRONMENT = {**PROGRAM_ENVIRONMENT, "HOME": "/root"}  # where Docker keeps a registry's login
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
# Seconds: for a lock, a short program, a TPM command, systemd's start of a unit, a container to
# run, silence of a hub, and between two looks.
LIMITS = {
    "lock": 20.0,
    "program": 60.0,
    "tpm": 10.0,
    "start": 180.0,
    "run": 60.0,
    "silence": 60.0,
    "pause": 0.5,
}


class WorkloadError(Exception):
    """The action failed. `code` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Vm:
    """Where the VM's parts are. The defaults are those of every VM; tests use others.

    root: the folder that stands for `/`. tpm: an open descriptor, or None for /dev/tpmrm0.
    authorities: a file with the certificates that a hub is trusted by; None: those of the system.
    user: the number of the user who logged in. limits: seconds, by step.
    """

    root: Path
    tpm: int | None
    authorities: str | None
    user: int
    limits: Mapping[str, float]

    def program(self, name: str) -> str:
        """The path of a program."""
        return str(self.root / PROGRAMS / name)

    def below_root(self, path: str) -> Path:
        """An absolute path of the VM, as this process reaches it."""
        return self.root / path.lstrip("/")

    @property
    def boot(self) -> str:
        """The id of this boot."""
        return (self.root / "proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def run_program(
    vm: Vm, name: str, words: Sequence[str], *, code: str, seconds: float | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Run a program of the VM to its end, whatever its exit code; `code` is of the errors."""
    limit = seconds or vm.limits["program"]
    try:
        return subprocess.run(  # noqa: S603  # an absolute path, and no shell
            [vm.program(name), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=ENVIRONMENT,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired as err:
        raise WorkloadError(code, f"{name} {words[0]} has no end after {limit:g} seconds") from err
    except OSError as err:
        raise WorkloadError(code, f"{name} cannot be run: {err}") from err


def complaint(done: "subprocess.CompletedProcess[bytes]") -> str:
    """The last two lines that a failed program printed, as one, with its exit code."""
    text = (done.stderr.strip() or done.stdout.strip()).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines()[-2:]]
    return ": ".join([f"exit code {done.returncode}", *lines])[:800]


def progress(what: str, done: int = 0, total: int = 0) -> None:
    """Tell on the stream of errors how far the action is."""
    line = json.dumps({"progress": what, "done": done, "total": total})
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def run_folder(vm: Vm) -> Path:
    """/run/ccgpu, a folder of root alone, in memory; it is made if it does not exist."""
    folder = vm.root / RUN
    folder.mkdir(mode=0o700, exist_ok=True)
    there = folder.lstat()
    if there.st_uid != os.geteuid() or there.st_mode & 0o170022 != 0o040000:
        raise WorkloadError("storage.error", f"/{RUN} is not a folder that only root writes")
    return folder


@contextmanager
def locked(vm: Vm, file: str, what: str, *, shared: bool = False) -> Iterator[int]:
    """A descriptor of a file in /run/ccgpu, which is made and locked; `what` goes on meanwhile."""
    path = run_folder(vm) / file
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        end = time.monotonic() + vm.limits["lock"]
        while True:
            try:
                fcntl.flock(
                    descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
                )
                break
            except BlockingIOError as err:
                if time.monotonic() > end:
                    raise WorkloadError("busy", f"{what} goes on in the VM; try again") from err
                time.sleep(0.05)
        yield descriptor
    finally:
        os.close(descriptor)


def locked_name(vm: Vm, name: str) -> AbstractContextManager[int]:
    """A lock of everything that is done to one workload."""
    return locked(vm, f"workload-{name}.lock", f"another action on the workload {name}")
