"""A real TPM 2.0 in software: swtpm on loopback, prepared by tpm2-tools as Azure's vTPM is.

Its indexes have at most 2048 bytes, which is compiled in.
"""

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ccgpu.attest.vtpm import layout
from ccgpu.fakeguest.evidence.eventlog import SimulatedEvent
from ccgpu.scheduling.clock import RealClock
from support.paravisor import read_message

_NV_ATTRIBUTES = "ownerwrite|ownerread|authread|authwrite"
_FIRST_PORT, _PORT_PAIRS = 20_000, 6_000  # below 32768, ip_local_port_range (Linux, ip-sysctl.rst)
_AK_ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign"


@dataclass(frozen=True)
class SoftwareTpm:
    """The TPM. One client at a time is served: either the tools, or `connected`."""

    port: int
    folder: Path

    def tool(self, name: str, *words: str) -> bytes:
        """Run one of tpm2-tools."""
        interface = f"swtpm:host=127.0.0.1,port={self.port}"
        environ = {"PATH": os.environ["PATH"], "TPM2TOOLS_TCTI": interface}
        done = subprocess.run(
            [f"tpm2_{name}", *words], cwd=self.folder, env=environ, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def make_ak(self) -> None:
        """Make the attestation key at its handle."""
        words = ["-Q", "-C", "e", "-g", "sha256", "-G", "rsa2048:rsassa-sha256:null"]
        self.tool("createprimary", *words, "-a", _AK_ATTRIBUTES, "-c", "ak.ctx")
        self.tool("evictcontrol", "-Q", "-C", "o", "-c", "ak.ctx", "0x81000003")
        self.tool("flushcontext", "-t")
        self.tool("readpublic", "-Q", "-c", "0x81000003", "-f", "pem", "-o", "ak.pem")

    def ak(self) -> rsa.RSAPublicKey:
        """The public half of the attestation key."""
        key = load_pem_public_key((self.folder / "ak.pem").read_bytes())
        assert isinstance(key, rsa.RSAPublicKey)
        return key

    def define(self, index: int, size: int) -> None:
        """Define an index that the owner and its own empty password may read and write."""
        self.tool("nvdefine", "-Q", hex(index), "-C", "o", "-s", str(size), "-a", _NV_ATTRIBUTES)

    def boot(self, events: Sequence[SimulatedEvent]) -> None:
        """Extend the PCRs as the events of a boot do."""
        measured = [each for each in events if each.type != layout.EV_NO_ACTION]
        for at in range(0, len(measured), 8):
            words = [f"{each.pcr}:sha256={each.sha256.hex()}" for each in measured[at : at + 8]]
            self.tool("pcrextend", *words)

    @contextmanager
    def connected(self) -> Iterator["Connection"]:
        """A connection for bare commands."""
        with socket.create_connection(("127.0.0.1", self.port)) as stream:
            yield Connection(stream)


@dataclass(frozen=True)
class Connection:
    """A connection to a TPM's data socket."""

    stream: socket.socket

    def exchange(self, command: bytes) -> bytes:
        """The response to a command."""
        self.stream.sendall(command)
        return read_message(self.stream)


@contextmanager
def software_tpm(folder: Path) -> Iterator[SoftwareTpm]:
    """A TPM that has just started, with a new state in `folder`."""
    for tool in ("swtpm", "tpm2_quote"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    port = _two_free_ports()
    state = folder / "state"
    state.mkdir()
    command = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}"]
    command += ["--server", f"type=tcp,port={port},bindaddr=127.0.0.1"]
    command += ["--ctrl", f"type=tcp,port={port + 1},bindaddr=127.0.0.1"]
    command += ["--flags", "not-need-init,startup-clear"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port + 1, process)
        yield SoftwareTpm(port, folder)
    finally:
        process.terminate()
        process.wait(10)


def _two_free_ports() -> int:
    """A port that is free, as is the one after it: tpm2-tools expect the control there.

    Systems give out none of these by themselves, and pairs do not overlap: until the TPM has them,
    no other process takes one.
    """
    for _ in range(100):
        port = _FIRST_PORT + 2 * secrets.randbelow(_PORT_PAIRS)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise AssertionError("no two free ports")


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(500):
        assert process.poll() is None, "swtpm ended"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            RealClock().sleep(0.01)
        else:
            return
    raise AssertionError("swtpm did not start")
