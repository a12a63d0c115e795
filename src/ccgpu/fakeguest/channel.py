"""The channel to a simulated guest: run commands, copy files, reach ports. It needs no OpenSSH.

It has the methods of the real one, and fails as that does: a VM that is off or still boots, a
network that lets nobody in, a wrong host key, another user. A command takes no virtual time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Generic, Protocol, TypeVar

from ccgpu.fakearm import FakeArm, Machine
from ccgpu.fakeguest import copying, forwarding
from ccgpu.fakeguest.collector import run_collector
from ccgpu.fakeguest.commands.call import Ending
from ccgpu.fakeguest.commands.table import COLLECTOR, PROBE, execute, script_name
from ccgpu.fakeguest.files import FileTree
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.fakeguest.vendors import SimulatedVendors
from ccgpu.fakeguest.workloads.answers import settle
from ccgpu.fakeguest.workloads.services import port_service

_SCRIPTS = (PROBE, COLLECTOR)  # of ours, which tell nothing to whom they are sent
T_co = TypeVar("T_co", covariant=True)


class ChannelTarget(Protocol):
    """Where to connect, and which host key counts (None: none is known)."""

    @property
    def name(self) -> str:
        """The deployment's name; the address of a machine that only it names."""
        ...

    @property
    def host(self) -> str:
        """An IPv4 address."""
        ...

    @property
    def user(self) -> str:
        """The admin user."""
        ...

    @property
    def host_key(self) -> bytes | None:
        """The pinned ssh-ed25519 key blob."""
        ...


@dataclass(frozen=True, slots=True)
class ChannelTypes(Generic[T_co]):
    """The caller's types: the result of a command, and the errors, each made of a message.

    not_up: trying again may help. unreachable: it does not. mismatch: another host key.
    lost: the connection has ended.
    """

    completed: Callable[[int, bytes, bytes], T_co]
    not_up: Callable[[str], Exception]
    unreachable: Callable[[str], Exception]
    mismatch: Callable[[str], Exception]
    lost: Callable[[str], Exception]
    timed_out: Callable[[str], Exception]
    copy_failed: Callable[[str], Exception]
    usage: Callable[[str], Exception]


class SimulatedChannel(Generic[T_co]):
    """The channel to one VM of a simulated subscription."""

    def __init__(
        self,
        arm: FakeArm,
        target: ChannelTarget,
        types: ChannelTypes[T_co],
        vendors: Callable[[], SimulatedVendors],
    ) -> None:
        self._arm, self._target, self._types, self._vendors = arm, target, types, vendors
        self._shown_key: bytes | None = None
        self._kept: list[str] = []  # the boots that connections are kept to

    @property
    def host_key(self) -> bytes | None:
        """The pinned key, else the one that the guest has shown."""
        return self._target.host_key or self._shown_key

    def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout: float) -> T_co:
        """Run a command to its end. Without a known host key those are our scripts alone."""
        if self._target.host_key is None and script_name(argv) not in _SCRIPTS:
            raise self._not_pinned("the command was not run")
        ending = self._execute(argv, lambda: stdin, timeout)
        return self._types.completed(ending.exit_code or 0, ending.stdout, ending.stderr)

    def stream(
        self,
        argv: Sequence[str],
        stdin: BinaryIO | None,
        stdout: BinaryIO,
        stderr: BinaryIO,
        *,
        timeout: float | None = None,
    ) -> int:
        """Run a command with these streams; `stdin` is read only by a command that reads it."""
        self._require_pinned("the command was not run")
        read = stdin.read if stdin is not None else bytes
        ending = self._execute(argv, read, timeout)
        stdout.write(ending.stdout)
        stderr.write(ending.stderr)
        return ending.exit_code or 0

    @contextmanager
    def keep(self) -> Iterator[None]:
        """Connect to no other boot of the guest during the context."""
        with self._guest() as guest:
            self._kept.append(guest.boot_id)
        try:
            yield
        finally:
            self._kept.pop()

    def put(self, local: Path, remote: str, *, recursive: bool = False) -> None:
        """Copy a file, or a folder, into the VM, with its permissions."""
        self._require_pinned("nothing was copied")
        with self._guest() as guest, self._copying():
            copying.put(FileTree(guest), local, remote, recursive=recursive)

    def get(self, remote: str, local: Path, *, recursive: bool = False) -> None:
        """Copy a file, or a folder, out of the VM, with its permissions."""
        self._require_pinned("nothing was copied")
        with self._guest() as guest, self._copying():
            copying.get(FileTree(guest), remote, local, recursive=recursive)

    @contextmanager
    def _copying(self) -> Iterator[None]:
        try:
            yield
        except copying.NoCopy as err:
            raise self._types.copy_failed(str(err)) from err
        except OSError as err:
            raise self._types.copy_failed(f"{err.filename}: {err.strerror}") from err

    def forward(self, port: int, local_port: int = 0) -> AbstractContextManager[int]:
        """Forward a loopback port of this machine to a loopback port of the VM."""
        self._require_pinned("no port was forwarded")
        with self._guest():
            pass
        try:
            return forwarding.forward(lambda: self._find_service(port), local_port)
        except OSError as err:
            raise self._types.usage(f"port {local_port} of this machine: {err.strerror}") from err

    def _find_service(self, port: int) -> forwarding.PortService | None:
        with self._arm.machine_at(self._target.host) as machine:
            if machine is None or not machine.running:
                return None
            return port_service(self._arm, SimulatedGuest(machine), port)

    def shell(self) -> int:
        """A simulated guest has no terminal: it fails, once the connection is checked."""
        self._require_pinned("no shell was opened")
        with self._guest():
            pass
        name = self._target.name
        raise self._types.usage(
            f"{name} is a simulated VM, which has no login shell; run single commands: "
            f"`ccgpu exec {name} --backend fake -- COMMAND`"
        )

    def _execute(
        self, argv: Sequence[str], stdin: Callable[[], bytes], timeout: float | None
    ) -> Ending:
        with self._guest() as guest:
            ending = execute(guest, argv, stdin, guest.user or "", self._collect)
        if ending.seconds:
            self._arm.advance(min(ending.seconds, timeout or ending.seconds))
        if timeout is not None and ending.seconds > timeout:
            raise self._types.timed_out(f"{argv[0]} in the VM: no end after {timeout:g} s")
        return ending

    def _collect(self, guest: SimulatedGuest, request: str, user: str) -> Ending:
        return run_collector(guest, self._vendors(), request, user)

    @contextmanager
    def _guest(self) -> Iterator[SimulatedGuest]:
        """Connect: the guest at the address, if it is up and is who it should be."""
        with self._arm.machine_at(self._target.host) as machine:
            yield self._check_connection(machine)

    def _check_connection(self, machine: Machine | None) -> SimulatedGuest:
        types, name, host = self._types, self._target.name, self._target.host
        where = host if name == host else f"{name} ({host})"
        if machine is None:
            raise types.unreachable(f"{where} cannot be reached: no VM has this address")
        private = self._target.host in machine.private_addresses
        if not machine.running or not (private or machine.ssh_open):
            raise types.not_up(f"{where} cannot be reached yet: Connection timed out")
        if machine.now < machine.boots[-1].ready or not machine.settings["ssh"]:
            raise types.not_up(f"{where} cannot be reached yet: Connection refused")
        guest = SimulatedGuest(machine)
        if (self.host_key or guest.host_key) != guest.host_key:
            raise types.mismatch(
                f"WRONG HOST KEY: what answers as {where} does not have the host key of this VM. "
                "It may be another machine that was put in its place. Nothing was sent to it"
            )
        if self._target.user != guest.user:
            raise types.unreachable(f"{where} refuses the user {self._target.user}")
        if any(boot != guest.boot_id for boot in self._kept):
            raise types.lost(f"the connection to {where} broke off: it has been started anew")
        self._shown_key = guest.host_key
        settle(guest)
        return guest

    def _require_pinned(self, what: str) -> None:
        if self._target.host_key is None:
            raise self._not_pinned(what)

    def _not_pinned(self, what: str) -> Exception:
        return self._types.unreachable(
            f"{what}: the host key of {self._target.name} is not known, so another machine "
            "could answer in its place; nothing was sent"
        )
