"""A confidential VM as the collector sees it: files below a root, a metadata service, a GPU."""

import base64
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from ccgpu.fakeguest.evidence import pki
from ccgpu.guest import collector
from ccgpu.guest.channel import Completed
from ccgpu.scheduling.clock import RealClock
from ccgpu.templates.guest.collector.tools import TOOLS
from ccgpu.templates.guest.collector.vtpm import PROGRAMS
from pythons import usual_folders
from support.nvml import GpuBehindNvml, installed_nvml
from support.paravisor import Paravisor, Served
from support.quiet_server import QuietServer
from support.vms import HOST_KEY, NONCE

_MOUNTS = "proc /proc proc rw 0 0\ntmpfs /run tmpfs rw,nosuid 0 0\n"
_SWAPS = "Filename\tType\tSize\tUsed\tPriority\n"


@dataclass
class MetadataService:
    """Azure's metadata service on loopback: each answer in turn, the last one for ever.

    answers: status and body. delay: seconds before an answer.
    """

    answers: list[tuple[int, bytes]]
    delay: float = 0.0
    port: int = 0
    requests: list[tuple[str, str | None]] = field(default_factory=list)


@contextmanager
def metadata_service(body: bytes) -> Iterator[MetadataService]:
    """A running service."""
    service, released = MetadataService([(200, body)]), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.requests.append((self.path, self.headers["Metadata"]))
            released.wait(service.delay)
            at = min(len(service.requests), len(service.answers)) - 1
            status, body = service.answers[at]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with QuietServer(("127.0.0.1", 0), Handler) as server:
        service.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield service
        released.set()
        server.shutdown()
        thread.join()


def thim_answer(paravisor: Paravisor) -> bytes:
    """What Azure's certificate service says of the chip."""
    amd = paravisor.amd
    answer = {"vcekCert": pki.pem(paravisor.vek).decode(), "certificateChain": amd.chain.decode()}
    return json.dumps({**answer, "tcbm": "", "cacheControl": "86400"}).encode()


@dataclass
class CollectingVm:
    """The VM. `python`: what runs the script, in the environment `environ`. `limits`: seconds."""

    root: Path
    paravisor: Paravisor
    gpu: GpuBehindNvml
    imds: MetadataService
    python: str = sys.executable
    limits: dict[str, float] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)

    def run(self, nonce: bytes = NONCE, *, release: bool = False, tpm: bool = True) -> Completed:
        """Run the script."""
        with Served(self.paravisor) as served:
            words = collector.command_line(nonce, release=release)[3:]  # without sudo, python3
            words += self.options()
            words += ["--tpm", f"fd:{served.descriptor}"] if tpm else []
            for step, seconds in self.limits.items():
                words += ["--limit", f"{step}={seconds}"]
            done = subprocess.run(
                [self.python, *words],
                input=collector.script(),
                capture_output=True,
                env=dict(self.environ),
                pass_fds=[served.descriptor],
                cwd=self.root,
                timeout=60,
                check=False,
            )
        return Completed(done.returncode, done.stdout, done.stderr)

    def install_tools(self) -> None:
        """Install tpm2-tools, which then are what speaks to the TPM's device."""
        folder = self.root / PROGRAMS
        folder.mkdir(parents=True)
        for name in TOOLS:
            (folder / f"tpm2_{name}").symlink_to(shutil.which(f"tpm2_{name}") or "missing")

    def options(self) -> list[str]:
        """The words that tell the script where this VM's parts are."""
        return ["--root", str(self.root), "--imds", f"127.0.0.1:{self.imds.port}"]

    def refusal(self, **options: Any) -> tuple[str, float]:
        """The code of the error that the script reports, and the seconds that it took."""
        began = RealClock().now()
        done = self.run(**options)
        document = json.loads(done.stdout)
        assert (done.exit_code, document["schema"]) == (1, "ccgpu.collector-error/1"), document
        assert document["message"]
        return document["code"], RealClock().now() - began

    def files(self) -> set[Path]:
        """All files of the VM."""
        return {path for path in self.root.rglob("*") if not path.is_dir()}


@contextmanager
def collecting_vm(paravisor: Paravisor, event_log: bytes = b"") -> Iterator[CollectingVm]:
    """A running VM, with this paravisor in front of its TPM."""
    with tempfile.TemporaryDirectory(prefix="vm", dir="/tmp") as name:
        folder = Path(name)
        root = folder / "root"
        for part in ("etc/ssh", "run", "proc", "sys/kernel/security/tpm0"):
            (root / part).mkdir(parents=True)
        (root / "proc/mounts").write_text(_MOUNTS)
        (root / "proc/swaps").write_text(_SWAPS)
        (root / "etc/ssh/ssh_host_ed25519_key").write_text("only its lock is of interest\n")
        (root / "etc/ssh/ssh_host_ed25519_key.pub").write_bytes(_public_key(HOST_KEY))
        if event_log:
            log = root / "sys/kernel/security/tpm0/binary_bios_measurements"
            log.write_bytes(event_log)
        with (
            metadata_service(thim_answer(paravisor)) as imds,
            installed_nvml(root, folder) as gpu,
        ):
            yield CollectingVm(root, paravisor, gpu, imds)


def _public_key(blob: bytes) -> bytes:
    return b"ssh-ed25519 " + base64.b64encode(blob) + b" root@demo\n"


@cache
def guest_pythons() -> list[str]:
    """A Python of each version from 3.10 on, as far as this machine has them."""
    found: dict[str, str] = {}
    for folder in usual_folders():
        for file in folder.glob("python3.[1-9][0-9]"):
            words = [str(file), "-I", "-c", "import sys; print(sys.executable)"]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                found.setdefault(file.name, done.stdout.strip())
    return [found[name] for name in sorted(found)]
