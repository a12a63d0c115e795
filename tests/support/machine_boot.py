"""Boots a disk in QEMU (TCG) with OVMF and a software TPM, as an Azure confidential VM does.

Azure's addresses answer, sshd is behind a port of loopback, and the TPM is behind a paravisor.
"""

import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ccgpu.guest.local_ports import free_port
from ccgpu.scheduling.clock import RealClock
from support.paravisor import Exchange, Paravisor
from support.swtpm import software_tpm
from support.tpm_proxy import TpmProxy, tpm_proxy
from support.vms import vm

_FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
_ADDRESSES = Path(__file__).with_name("azure_addresses.py")
_CONTROL = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]|\r")
# One network holds both of Azure's addresses: 168.63.129.16 and 169.254.169.254.
_NETWORK = "net=168.0.0.0/7,host=168.63.129.2,dns=168.63.129.3,dhcpstart=168.63.129.100,restrict=on"


@dataclass
class BootedMachine:
    """A machine that runs. port: of its sshd. folder: of Azure's answers and `requests`."""

    process: "subprocess.Popen[bytes]"
    port: int
    folder: Path
    proxy: TpmProxy
    _console: list[bytes] = field(default_factory=list)

    @property
    def console(self) -> str:
        """What it has written to its serial console."""
        text = b"".join(self._console).decode("utf-8", "replace")
        return _CONTROL.sub("", text)

    @property
    def paravisor(self) -> Paravisor:
        """The paravisor in front of its TPM."""
        return self.proxy.paravisor

    def read_console(self) -> None:
        """Collect the console until the machine ends."""
        assert self.process.stdout is not None
        while part := self.process.stdout.read1(65536):  # type: ignore[attr-defined]
            self._console.append(part)

    def wait_for(self, text: str, seconds: float) -> None:
        """Wait until the console shows a text; fail if the machine ends or takes longer."""
        end = RealClock().now() + seconds
        while text not in self.console:
            ended = self.process.poll() is not None
            assert not ended, self.console[-3000:]
            assert RealClock().now() < end, self.console[-3000:]
            RealClock().sleep(0.2)

    def wait_for_end(self, seconds: float) -> None:
        """Wait until the machine has ended by itself."""
        self.process.wait(seconds)


def require_machines() -> None:
    """Skip a test where no machine can be booted."""
    for program in ("qemu-system-x86_64", "swtpm"):
        if not shutil.which(program):
            pytest.skip(f"needs {program}")
    if not _FIRMWARE.exists():
        pytest.skip("needs ovmf")


@contextmanager
def booted(
    disk: Path, folder: Path, *, user_data: bytes = b"", more: Sequence[str] = ()
) -> Iterator[BootedMachine]:
    """A machine that boots from a copy of `disk`; what it writes is thrown away."""
    require_machines()
    with software_tpm(folder) as prepared:
        prepared.make_ak()
        banks = "sha1:none+sha256:all+sha384:none+sha512:none"
        prepared.tool("pcrallocate", "-Q", banks)  # one bank: firmware hashes once
        ak = prepared.ak()
    (folder / "user-data").write_bytes(user_data)
    shutil.copyfile(_VARIABLES, folder / "variables")

    def paravisor(exchange: Exchange) -> Paravisor:
        return Paravisor(vm().amd, ak, exchange)

    with _running_tpm(folder) as control, tpm_proxy(folder, control, paravisor) as (proxy, path):
        port = free_port()
        argv = _command(disk, folder, path, port, more)
        with subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            machine = BootedMachine(process, port, folder, proxy)
            reader = threading.Thread(target=machine.read_console)
            reader.start()
            try:
                yield machine
            finally:
                process.kill()
                reader.join()


def _command(disk: Path, folder: Path, tpm: Path, port: int, more: Sequence[str]) -> list[str]:
    answers = [
        f"guestfwd=tcp:{address}:80-cmd:{sys.executable} {_ADDRESSES} {service} {folder}"
        for service, address in (("imds", "169.254.169.254"), ("wire", "168.63.129.16"))
    ]
    network = ",".join(["user,id=n", _NETWORK, *answers, f"hostfwd=tcp:127.0.0.1:{port}-:22"])
    return [
        *("qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi"),
        # A CPU with few extensions, without `svm`: the kernel loads fewer modules.
        *("-cpu", "qemu64,svm=off"),
        # One core: several machines boot at once, and with two a boot takes as much time of both.
        *("-m", "1536", "-smp", "1", "-display", "none", "-nodefaults", "-no-reboot"),
        *("-serial", "stdio", "-netdev", network, "-device", "virtio-net-pci,netdev=n,romfile="),
        *("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={_FIRMWARE}"),
        *("-drive", f"if=pflash,format=raw,unit=1,file={folder}/variables"),
        *("-drive", f"file={disk},format=raw,if=none,id=d,snapshot=on"),
        *("-device", "virtio-blk-pci,drive=d,bootindex=0"),
        *("-chardev", f"socket,id=c,path={tpm}", "-tpmdev", "emulator,id=t,chardev=c"),
        *("-device", "tpm-crb,tpmdev=t", *more),
    ]


@contextmanager
def _running_tpm(folder: Path) -> Iterator[Path]:
    """The software TPM with its prepared state, at a control socket of QEMU's kind."""
    control = folder / "control"
    words = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}/state"]
    words += ["--ctrl", f"type=unixio,path={control}", "--terminate"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not control.exists():
                assert process.poll() is None, "swtpm ended"
                RealClock().sleep(0.02)
            yield control
        finally:
            process.terminate()


def banner(port: int) -> bytes:
    """What an SSH server says first; empty if there is none yet."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as stream:
            return stream.recv(64)
    except OSError:
        return b""
