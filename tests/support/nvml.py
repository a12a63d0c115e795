"""A library that the collector takes for NVML, compiled here, and the GPU that answers it."""

import shutil
import socketserver
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ccgpu.fakeguest.evidence.gpu import SimulatedGpu
from support.gpus import gpu

_SOURCE = Path(__file__).with_name("fake_nvml.c")
LIBRARY = "usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"
_MODES = {"environment": 2, "cc_feature": 1, "dev_tools": 0}  # production, CC on, tools off


@dataclass
class GpuBehindNvml:
    """What NVML says. `codes`: NVML's return codes by question. `silent`: it never answers."""

    device: SimulatedGpu = field(default_factory=gpu)
    modes: dict[str, int] = field(default_factory=lambda: dict(_MODES))
    ready: int = 0
    count: int = 1
    codes: dict[str, int] = field(default_factory=dict)
    silent: bool = False
    nonces: list[bytes] = field(default_factory=list)

    def answer(self, what: str, nonce: bytes) -> bytes:
        """The content of the answer to one question."""
        if what == "R":
            self.nonces.append(nonce)
            return self.device.collect(nonce).report
        numbers: dict[str, tuple[int, ...]] = {
            "I": (),
            "N": (self.count,),
            "A": (9,),
            "G": (self.ready,),
            "S": tuple(self.modes.values()),
        }
        if what in numbers:
            return struct.pack(f"<{len(numbers[what])}I", *numbers[what])
        texts = {"D": self.device.driver, "V": self.device.vbios, "U": "GPU-0"}
        return texts[what].encode() if what in texts else self.device.device.pem


@contextmanager
def installed_nvml(root: Path, folder: Path) -> Iterator[GpuBehindNvml]:
    """The library below `root`, while its GPU answers at a socket in `folder`."""
    compile_library(root / LIBRARY, folder / "nvml")
    with answering_gpu(folder / "nvml") as one:
        yield one


@contextmanager
def answering_gpu(socket: Path) -> Iterator[GpuBehindNvml]:
    """A GPU that answers the library at a socket."""
    one, released = GpuBehindNvml(), threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            question = self.rfile.read(33)
            what = chr(question[0])
            if one.silent:
                released.wait()
                return
            data = one.answer(what, question[1:])
            self.wfile.write(struct.pack("<II", one.codes.get(what, 0), len(data)) + data)

    with socketserver.ThreadingUnixStreamServer(str(socket), Handler) as server:
        thread: Any = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield one
        released.set()
        server.shutdown()
        thread.join()


def compile_library(file: Path, socket: Path) -> None:
    """Compile the library."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs gcc")
    file.parent.mkdir(parents=True)
    flags = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", f'-DSOCKET="{socket}"']
    subprocess.run([compiler, *flags, "-o", str(file), str(_SOURCE)], check=True)
