"""What makes a booted guest a confidential VM: a vTPM, Azure's metadata service, and a GPU.

The TPM is a real one in software, behind a paravisor that serves the HCL blob of 2600 bytes. The
guest has it as /dev/tpmrm0: a terminal without echo takes bytes like a device. The metadata service
runs in the guest, at Azure's own address. Only AMD and NVIDIA are simulated, by the vendors of a
simulated subscription.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ccgpu.fakeguest.evidence import eventlog
from ccgpu.fakeguest.evidence.gpu import SimulatedGpu
from ccgpu.fakeguest.vendors import SimulatedVendors
from support.attested import EVENTS
from support.collecting import thim_answer
from support.nvml import LIBRARY, GpuBehindNvml, answering_gpu, compile_library
from support.paravisor import Paravisor, served_as_device
from support.swtpm import SoftwareTpm

_SHARED = "/srv/confidential"  # where the guest sees the socket of the GPU
_IMDS = """\
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path == "/metadata/THIM/amd/certification"
        status = 400 if self.headers["Metadata"] != "true" else 200 if known else 404
        body = open("/srv/thim.json", "rb").read() if status == 200 else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.HTTPServer(("169.254.169.254", 80), Handler).serve_forever()
"""
_UNIT = """\
[Service]
ExecStartPre=/usr/sbin/ip address add 169.254.169.254/32 dev lo
# What systemd-nspawn binds below /sys is hidden by the one that it mounts later.
ExecStartPre=/usr/bin/mount --bind /srv/security /sys/kernel/security
ExecStart=/usr/bin/python3 /srv/imds.py
"""


@dataclass(frozen=True)
class ConfidentialParts:
    """The parts of one guest. binds: what it is booted with."""

    paravisor: Paravisor
    gpu: GpuBehindNvml
    binds: tuple[str, ...]


@contextmanager
def confidential_parts(
    tpm: SoftwareTpm, vendors: SimulatedVendors, upper: Path
) -> Iterator[ConfidentialParts]:
    """The parts, while they run; `upper` gets the files that the guest has of them."""
    compile_library(upper / LIBRARY, Path(_SHARED, "nvml"))
    (upper / _SHARED.lstrip("/")).mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="vm", dir="/tmp") as name, tpm.connected() as stream:
        folder = Path(name)
        chip = vendors.chip("a booted guest")
        paravisor = Paravisor(vendors.amd, tpm.ak(), stream.exchange, chip=chip)
        _write_files(upper, thim_answer(paravisor))
        shared, device = folder / "shared", folder / "dev/tpmrm0"
        shared.mkdir()
        with answering_gpu(shared / "nvml") as gpu, served_as_device(paravisor, device):
            gpu.device = SimulatedGpu(device=vendors.gpu("a booted guest"))
            binds = (f"{device.readlink()}:/dev/tpmrm0", f"{shared}:{_SHARED}")
            yield ConfidentialParts(paravisor, gpu, binds)


def _write_files(upper: Path, thim: bytes) -> None:
    """What the guest has in its own files: the metadata service, and the log of the boot."""
    units = upper / "etc/systemd/system"
    (units / "multi-user.target.wants").mkdir(parents=True)
    (units / "confidential.service").write_text(_UNIT)
    (units / "multi-user.target.wants/confidential.service").symlink_to("../confidential.service")
    (upper / "srv/imds.py").write_text(_IMDS)
    (upper / "srv/thim.json").write_bytes(thim)
    log = upper / "srv/security/tpm0/binary_bios_measurements"
    log.parent.mkdir(parents=True)
    log.write_bytes(eventlog.SimulatedEventLog(EVENTS).raw)
