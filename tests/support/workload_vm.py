"""A VM in which workloads run: files below a root, a TPM in software, systemd's verbs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ccgpu.guest import workload
from ccgpu.guest.channel import Completed
from ccgpu.guest.workload_requests import StartWorkload, WorkloadRequest
from support.containers import IMAGE, options
from support.repository import ROOT
from support.swtpm import SoftwareTpm

BOOT = "0b6e2f6e-6f4c-4c1d-9d6f-2f3c1a5b7e90"
MOUNTS = "/dev/sda1 / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\ntmpfs /mnt tmpfs rw 0 0\n"
LOG = "run/ccgpu/workloads.log"
T = TypeVar("T")


@dataclass
class WorkloadVm:
    """The VM. `python`: what runs the script, in the environment `environ`. `limits`: seconds."""

    root: Path
    tpm: SoftwareTpm | None = None
    python: str = sys.executable
    limits: dict[str, float] = field(default_factory=lambda: {"pause": 0.05})
    environ: Mapping[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def run(
        self, request: WorkloadRequest | str, *words: str, kept: tuple[int, ...] = ()
    ) -> Completed:
        """Run the script; the TPM is not reached, unless `words` tell how."""
        given = request if isinstance(request, str) else workload.command_line(request)[-1]
        argv = [self.python, "-I", "-S", "-", workload.NAME, given, "--root", str(self.root)]
        for step, seconds in self.limits.items():
            argv += ["--limit", f"{step}={seconds}"]
        done = subprocess.run(
            [*argv, *self.words, *words],
            input=workload.script(),
            capture_output=True,
            env=dict(self.environ),
            pass_fds=kept,
            cwd=self.root,
            timeout=120,
            check=False,
        )
        return Completed(done.returncode, done.stdout, done.stderr)

    def ask(self, request: WorkloadRequest, form: type[T]) -> T:
        """The answer of the script, which may use the TPM."""
        return workload.parse(self.run_with_tpm(request), form)

    def run_with_tpm(self, request: WorkloadRequest) -> Completed:
        """Run the script with a connection to the TPM, in bare commands."""
        if self.tpm is None:
            return self.run(request)
        with self.tpm.connected() as connection:
            number = connection.stream.fileno()
            return self.run(request, "--tpm", f"fd:{number}", kept=(number,))

    def refusal(self, request: WorkloadRequest | str) -> str:
        """The code of the error that the script reports."""
        done = self.run(request) if isinstance(request, str) else self.run_with_tpm(request)
        document = json.loads(done.stdout)
        assert (done.exit_code, document["schema"]) == (1, workload.ERROR_SCHEMA), document
        assert document["message"]
        return str(document["code"])

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        """Write a file of the VM."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def install(self, name: str, script: str) -> None:
        """Install a program: a shell script."""
        self.write(f"usr/bin/{name}", f"#!/bin/bash\n{script}\n", 0o755)

    @property
    def log(self) -> bytes:
        """The log of workloads."""
        return (self.root / LOG).read_bytes() if (self.root / LOG).exists() else b""


@contextmanager
def workload_vm(tpm: SoftwareTpm | None = None) -> Iterator[WorkloadVm]:
    """A VM without an engine; its systemctl and journalctl are those of `unit_programs`."""
    with tempfile.TemporaryDirectory(prefix="vm", dir="/tmp") as name:
        made = WorkloadVm(Path(name), tpm)
        made.write("proc/mounts", MOUNTS)
        made.write("proc/sys/kernel/random/boot_id", f"{BOOT}\n")
        for folder in ("mnt", "run"):
            (made.root / folder).mkdir()
        install_systemd(made)
        try:
            yield made
        finally:
            _kill_units(made)


def _kill_units(vm: WorkloadVm) -> None:
    """End what the VM's systemctl has left running: each unit is a session of its own."""
    for file in (vm.root / "run/units").glob("*.json"):
        state = json.loads(file.read_text())
        if state["pid"] and state["SubState"] in ("running", "auto-restart", "start", "stop"):
            with suppress(ProcessLookupError):
                os.killpg(state["pid"], signal.SIGKILL)


def install_systemd(vm: WorkloadVm) -> None:
    """Install systemctl and journalctl, which run with this Python."""
    text = (ROOT / "tests/support/unit_programs.py").read_text()
    for name in ("systemctl", "journalctl"):
        vm.write(f"usr/bin/{name}", f"#!{sys.executable} -IS\n{text}", 0o755)


def install_tools(vm: WorkloadVm) -> None:
    """Install tpm2-tools."""
    for file in Path("/usr/bin").glob("tpm2_*"):
        (vm.root / "usr/bin" / file.name).symlink_to(shutil.which(file.name) or "missing")


def shell(name: str, script: str, *more: str, **changes: Any) -> StartWorkload:
    """A workload that is a shell script in the image of this machine's files."""
    given = {"pull": False, "arguments": ("/bin/sh", "-c", script), **changes}
    return StartWorkload(name=name, image=IMAGE, options=tuple(options(name, *more)), **given)
