"""The channel to a VM: run commands, copy files, and reach its ports.

Readiness, the evidence collector, secrets and workloads use nothing else. `guest.openssh` is the
real one; the simulated subscription supplies its own. A channel blocks, so workflows call it inside
a `Call` of the scheduler.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class GuestTarget:
    """Where a VM is reached, and whose host key counts.

    deployment: its name; None for a machine that only its address names.
    vm_id: ARM's vmId of the VM (lower case); None if nobody knows it.
    host: an IP address, or the DNS name of such a machine; user: who logs in; port: of sshd.
    host_key: the pinned ssh-ed25519 key blob (51 bytes, RFC 8709); None if no key is known. Then
        only `run` works, and only if its input is a script that ships with ccgpu; the key that
        the VM shows is not recorded.
    identity: a private key file; None for the keys of the agent and the user's defaults.
    jump: `user@host` of a jump host; None for a direct connection.
    """

    deployment: str | None
    vm_id: str | None
    host: str
    user: str
    host_key: bytes | None = None
    port: int = 22
    identity: Path | None = None
    jump: str | None = None

    @property
    def name(self) -> str:
        """What messages call it: the deployment, else the address."""
        return self.deployment or self.host


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended in the VM: its exit code, and all of its output."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class CommandRunner(Protocol):
    """The part of a channel that a probe needs."""

    def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout: float) -> Completed:
        """Run a command to its end. Each word of `argv` arrives unchanged, as one argument.

        Raises:
            GuestNotReady: it printed more than is kept in memory, 32 MiB on one stream.
        """
        ...


class Channel(CommandRunner, Protocol):
    """One VM's channel.

    Every method raises these errors of `ccgpu.errors`, and for arguments `UsageProblem`:
        GuestUnreachable: no connection could be made; `transient` tells whether to try again.
        HostKeyMismatch: the VM shows another host key than the pinned one. Nothing was sent.
        ConnectionLost: the connection ended before the command did.
        TimedOut: the command ran longer than `timeout` seconds.
        CopyFailed: `put` and `get` only: a file could not be read or written, here or in the VM.

    Nothing is read from a stream before the connection is made and the host key is found right.
    """

    @property
    def host_key(self) -> bytes | None:
        """The key blob of the machine at the other end: the pinned one, else the one it has shown.

        None if no key is pinned and no connection was made yet. As long as the channel is open, no
        other key is accepted.
        """
        ...

    def stream(
        self,
        argv: Sequence[str],
        stdin: BinaryIO | None,
        stdout: BinaryIO,
        stderr: BinaryIO,
        *,
        timeout: float | None = None,
    ) -> int:
        """Run a command with these streams; returns its exit code, 0 to 255.

        An output that has a true attribute `failed` gets nothing more: its reader has gone.
        """
        ...

    def keep(self) -> AbstractContextManager[None]:
        """During the context all goes over one connection: `ConnectionLost` once that has ended.

        Otherwise a new one is made, perhaps to another boot of the VM, with the same host key.
        """
        ...

    def put(self, local: Path, remote: str, *, recursive: bool = False) -> None:
        """Copy a file, or a folder, into the VM, with its permissions."""
        ...

    def get(self, remote: str, local: Path, *, recursive: bool = False) -> None:
        """Copy a file, or a folder, out of the VM, with its permissions."""
        ...

    def forward(self, port: int, local_port: int = 0) -> AbstractContextManager[int]:
        """Forward a loopback port of this machine to a loopback port of the VM.

        The context is the local port; 0 chooses a free one.
        """
        ...

    def shell(self) -> int:
        """A login shell on this terminal; returns its exit code."""
        ...


OpenChannel = Callable[[GuestTarget], AbstractContextManager[Channel]]
