"""A real sshd on a port of 127.0.0.1, for one user, with keys of its own.

Its files are in a short folder: paths of sockets are limited to some 100 bytes. The folder is
also the home of who logs in, so that no start-up file of the user's shell or of ssh runs: what such
a file writes would be taken for the output of the command.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ccgpu.domain import hostkey
from ccgpu.guest.channel import GuestTarget
from ccgpu.guest.local_ports import free_port
from ccgpu.scheduling.clock import RealClock

SSHD = Path("/usr/sbin/sshd")
VM_ID = "0f0e0d0c-0000-4000-8000-00000000c0de"
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/{host_key}
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
AuthenticationMethods publickey
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PermitUserRC no
MaxStartups 100:30:200
Subsystem sftp internal-sftp
SetEnv HOME={folder}
LogLevel VERBOSE
{more}
"""


def target_at(port: int, /, **changes: Any) -> GuestTarget:
    """A VM at this port of 127.0.0.1, with a key that nobody has."""
    values: dict[str, Any] = {
        "deployment": "demo",
        "vm_id": VM_ID,
        "host": "127.0.0.1",
        "port": port,
        "user": "azureuser",
        "host_key": b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + bytes(32),
    }
    values.update(changes)
    return GuestTarget(**values)


@dataclass
class Sshd:
    """One server: its folder, its port, and its process while it runs."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def user(self) -> str:
        """The user who may log in: the one who runs the tests."""
        return pwd.getpwuid(os.getuid()).pw_name

    @property
    def identity(self) -> Path:
        """The private key that may log in."""
        return self.folder / "id"

    @property
    def host_key(self) -> bytes:
        """The blob of its host key."""
        return hostkey.parse((self.folder / "hostkey.pub").read_bytes())

    def target(self, **changes: Any) -> GuestTarget:
        """The server as a VM."""
        values = {"host_key": self.host_key, "identity": self.identity, "user": self.user}
        return target_at(self.port, **(values | changes))

    def start(self, more: str = "", host_key: str = "hostkey") -> None:
        """Start it with this key and further settings, and wait until it listens."""
        config = self.folder / "sshd_config"
        words = {"port": self.port, "folder": self.folder, "host_key": host_key, "more": more}
        config.write_text(_CONFIG.format(**words))
        with (self.folder / "sshd.log").open("ab") as log:
            self.process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", config], stderr=log, stdin=subprocess.DEVNULL
            )
        clock = RealClock()
        until = clock.now() + 30
        while not self._listens():
            assert self.process.poll() is None, self.log
            assert clock.now() < until, self.log
            clock.sleep(0.02)

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    @property
    def log(self) -> str:
        """What the server has logged."""
        return (self.folder / "sshd.log").read_text()

    @property
    def logins(self) -> int:
        """How often somebody has logged in."""
        return self.log.count("Accepted publickey")

    def sessions(self) -> list[int]:
        """The processes of its connections: they outlive the server."""
        assert self.process is not None
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in tasks.split()]

    def drop_connections(self) -> None:
        """End all connections, as a VM that loses its power does."""
        for pid in self.sessions():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Stop the server and its connections."""
        if self.process is None:
            return
        self.drop_connections()
        self.process.kill()
        self.process.wait()
        self.process = None


@contextmanager
def prepared_sshd(folder: Path) -> Iterator[Sshd]:
    """A server with its keys, not started yet; it is stopped at the end."""
    if not SSHD.exists() or shutil.which("ssh") is None:
        pytest.skip("needs sshd: the packages openssh-server and openssh-client")
    if os.getuid() == 0:  # the server's privilege separation; a fresh container lacks the folder
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    make_key(folder / "hostkey")
    make_key(folder / "id")
    shutil.copy(folder / "id.pub", folder / "authorized_keys")
    server = Sshd(folder, free_port())
    try:
        yield server
    finally:
        server.stop()


def make_key(path: Path, kind: str = "ed25519") -> None:
    """A key pair without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", path], check=True)
