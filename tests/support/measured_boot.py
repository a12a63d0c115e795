"""The measured image that tests boot, and the evidence of a machine that runs it."""

import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import measured_image
from ccgpu.attest.vtpm import layout
from ccgpu.domain import hostkey
from ccgpu.domain.bundle import Collateral, EvidenceBundle
from ccgpu.domain.secret import Secret
from ccgpu.fakeguest.evidence.eventlog import machine_event
from ccgpu.guest import collector, release
from ccgpu.guest.channel import Completed
from ccgpu.scheduling.clock import RealClock
from support.cli import CommandResult, Shell
from support.collecting import thim_answer
from support.gpus import simulated_roots
from support.machine_boot import BootedMachine, booted, require_machines
from support.nvml import LIBRARY, GpuBehindNvml, answering_gpu, compile_library
from support.opening import BOUND, VERDICT
from support.sshd import make_key
from support.vms import NONCE, vm

USER = "owner"
# Seconds: about 50 on two cores of their own, several times that where tests share them.
PATIENCE = 1200.0
_READY = "Azure knows that this VM is ready"
_LOG = "/sys/kernel/security/tpm0/binary_bios_measurements"
_SOCKET = "/tmp/ccgpu-nvml"
_AT = "2026-11-22T12:00:00Z"


def built_image() -> Path:
    """The folder of the image that `dev.py measured-image` has built."""
    require_machines()
    folder = measured_image.image_folder(os.environ)
    if not measured_image.is_built(folder):
        pytest.skip("needs the measured image: `python3 scripts/dev.py measured-image`")
    return folder


@dataclass
class MeasuredMachine:
    """A machine that runs a measured image, and the key that logs in."""

    machine: BootedMachine
    identity: Path

    def run(self, *words: str, given: bytes = b"", more: Sequence[str] = ()) -> Completed:
        """Run a command in it."""
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        options += ["-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", "-i", str(self.identity)]
        # One connection for all commands: to log in is a second of an emulated machine's time.
        options += ["-S", str(self.identity.with_name("ssh")), "-o", "ControlMaster=auto"]
        options += ["-o", "ControlPersist=yes"]  # it ends with the machine
        where = ["-p", str(self.machine.port), f"{USER}@127.0.0.1"]
        done = subprocess.run(
            ["ssh", "-F", "/dev/null", *options, *more, *where, *words],
            input=given, capture_output=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        return Completed(done.returncode, done.stdout, done.stderr)

    def text(self, *words: str, given: bytes = b"") -> str:
        """What a command in it prints; it must succeed."""
        done = self.run(*words, given=given)
        assert done.exit_code == 0, (words, done.stderr.decode(), self.machine.console[-2000:])
        return done.stdout.decode().strip()

    @property
    def requests(self) -> list[dict[str, str]]:
        """What it has asked Azure's addresses for."""
        lines = (self.machine.folder / "requests").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def collect(self, gpu: GpuBehindNvml, socket: Path) -> EvidenceBundle:
        """Evidence by the image's own collector, of a simulated GPU."""
        library = self.machine.folder / "nvml" / "libnvidia-ml.so.1"
        compile_library(library, Path(_SOCKET))
        self.text(f"sudo tee /{LIBRARY} >/dev/null", given=library.read_bytes())
        paravisor = self.machine.paravisor
        (self.machine.folder / "thim").write_bytes(thim_answer(paravisor))
        self._tell_id(paravisor.vm_id)
        request = json.dumps({"nonce": NONCE.hex(), "release": True})
        forward = ["-R", f"{_SOCKET}:{socket}"]
        done = self.run(f"sudo ccgpu-collect '{request}'", more=forward)
        assert gpu.nonces or done.exit_code, done
        return collector.parse(done)

    def released(self, bundle: EvidenceBundle, value: bytes) -> str:
        """What is in the file of a secret that was sealed to the release key of the evidence."""
        sealed = release.seal(
            [Secret("token", value, 0)],
            bundle.recipient_key,
            release.release_info(BOUND, VERDICT),
        )
        release.open_in_guest(_Commands(self), sealed, BOUND, VERDICT)
        return self.text("sudo cat /run/ccgpu/secrets/token")

    def _tell_id(self, vm_id: str) -> None:
        """Put the event of the VM's id into the log, where Azure's firmware would have put it."""
        log = self.run(f"sudo cat {_LOG}").stdout
        first = 32 + int.from_bytes(log[28:32], "little")  # the header, TCG_PCR_EVENT
        event = machine_event(vm_id).raw({layout.ALG_SHA256: 32})
        whole = log[:first] + event + log[first:]
        self.text("sudo tee /run/event-log >/dev/null", given=whole)
        self.text(f"sudo mount --bind /run/event-log {_LOG}")

    def host_key(self) -> bytes:
        """The SSH host key that it has made."""
        return hostkey.parse(self.text("cat /etc/ssh/ssh_host_ed25519_key.pub").encode())


@dataclass(frozen=True)
class _Commands:
    """Runs what the client sends to a guest."""

    machine: MeasuredMachine

    def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout: float) -> Completed:
        done = self.machine.run(shlex.join(["timeout", str(timeout), *argv]), given=stdin)
        assert done.exit_code != 124, "not done in time"  # of `timeout`
        return done


@contextmanager
def measured_machine(
    disk: Path, folder: Path, config: bytes | None = None, more: Sequence[str] = ()
) -> Iterator[MeasuredMachine]:
    """A machine that has booted `disk`, with a config that lets the tests in."""
    identity = folder / "id"
    make_key(identity)
    given = config_text(identity) if config is None else config
    with booted(disk, folder, user_data=given, more=more) as machine:
        machine.wait_for(_READY, PATIENCE)
        yield MeasuredMachine(machine, identity)


def config_text(identity: Path) -> bytes:
    """A config that lets in who has this key."""
    key = " ".join(identity.with_name("id.pub").read_text().split()[:2])
    document = {"schema": "ccgpu.guest-config/1", "user": USER, "ssh_keys": [key]}
    return json.dumps(document).encode()


@contextmanager
def gpu_at(folder: Path) -> Iterator[tuple[GpuBehindNvml, Path]]:
    """A simulated GPU, and its socket."""
    socket = folder / "gpu"
    with answering_gpu(socket) as gpu:
        yield gpu, socket


def save_bundle(
    folder: Path, machine: MeasuredMachine, bundle: EvidenceBundle, gpu: GpuBehindNvml
) -> str:
    """Write the evidence with the vendors' collateral; returns the words of `ccgpu verify`."""
    paravisor, (one,) = machine.machine.paravisor, bundle.gpus
    assert bundle.cpu is not None
    found = gpu.device.collect(one.nonce or b"")
    crl = paravisor.amd.crl().signed_by(paravisor.amd.ark_key)
    parts = {"vek": paravisor.vek, "chain": paravisor.amd.chain, "crl": crl}
    whole = bundle.model_copy(
        update={
            "cpu": bundle.cpu.model_copy(update=parts),
            "collateral": Collateral(rims=tuple(found.rims), ocsp=tuple(found.ocsp)),
            "simulated_roots": simulated_roots(vm(), gpu.device),
        }
    )
    file, key = folder / "bundle.json", folder / "host-key"
    file.write_text(whole.model_dump_json(by_alias=True, exclude_none=True))
    key.write_bytes(machine.host_key())
    known = f"--nonce {NONCE.hex()} --host-key {key} --vm-id {paravisor.vm_id}"
    return f"verify {file} --at {_AT} {known} --backend fake"


def verdict(folder: Path, words: str) -> CommandResult:
    """The verdict of a command line, as JSON."""
    return Shell(folder)(f"{words} -o json")


def seconds_now() -> float:
    """A clock for reports."""
    return RealClock().now()
