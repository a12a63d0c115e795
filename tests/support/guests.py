"""Simulated VMs whose inside is a real sshd of this machine."""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives import serialization as to
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ccgpu.cli.backends import Backend
from ccgpu.cli.runtime import ConnectionOptions
from ccgpu.guest.channel import Channel, GuestTarget
from ccgpu.guest.openssh import open_channel
from ccgpu.scheduling.clock import Clock
from ccgpu.scheduling.scheduler import InlineExecutor, Scheduler
from support.cli import CommandResult, Shell
from support.cloud import make_backend
from support.sshd import Sshd

CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"


@dataclass
class GuestShell:
    """A user whose simulated VMs are reached at the server, whatever their address is.

    targets: every VM that was reached for. own_identity: whether the target's own key is used.
    clock: takes the place of the subscription's.
    """

    shell: Shell
    sshd: Sshd
    own_identity: bool = False
    clock: Clock | None = None
    targets: list[GuestTarget] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shell.backend = self._backend

    def __call__(self, line: str) -> CommandResult:
        """Run `ccgpu LINE`."""
        return self.shell(line)

    def _backend(self, _: ConnectionOptions) -> Backend:
        backend = make_backend(self.shell.arm, self.shell.state)
        scheduler = Scheduler(self.clock or self.shell.arm.clock, InlineExecutor())
        return replace(backend, channels=self._open, scheduler=scheduler)

    def _open(self, target: GuestTarget) -> AbstractContextManager[Channel]:
        self.targets.append(target)
        identity = target.identity if self.own_identity else self.sshd.identity
        here = {"host": "127.0.0.1", "port": self.sshd.port, "user": self.sshd.user}
        return open_channel(replace(target, **here, identity=identity))  # type: ignore[arg-type]

    def create(self, more: str = "") -> None:
        """Create the VM, and give the server its host key; it is not started."""
        for line in (f"{CREATE} --no-wait {more}", "wait demo --for ready"):
            done = self.shell(line)
            assert done.code == 0, done
        vm_id = self.shell("show demo -o json").document["vm_id"]
        give_host_key(self.sshd, vm_id)

    def requests(self, part: str) -> int:
        """How many requests with this in their path Azure has got."""
        return sum(part in one["path"].lower() for one in self.shell.arm.show()["requests"])

    def files(self) -> Iterator[Path]:
        """Everything that this user's machine has stored."""
        return (path for path in self.shell.folder.rglob("*") if path.is_file())


def give_host_key(sshd: Sshd, vm_id: str) -> None:
    """Give the server the host key that the simulated VM prints (`fakearm/vm/console.py`)."""
    secret = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(vm_id.encode()).digest())
    private = secret.private_bytes(to.Encoding.PEM, to.PrivateFormat.OpenSSH, to.NoEncryption())
    public = secret.public_key().public_bytes(to.Encoding.OpenSSH, to.PublicFormat.OpenSSH)
    (sshd.folder / "hostkey").write_bytes(private)
    (sshd.folder / "hostkey.pub").write_bytes(public)
