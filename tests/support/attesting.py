"""A user's machine with a simulated VM that is set up, for tests of `ccgpu attest`."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ccgpu.cli.backends import Backend
from ccgpu.cli.runtime import ConnectionOptions
from ccgpu.domain.known_host import KnownHostKey
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeTransport, Request, Response
from ccgpu.fakearm.transport import FakeService
from ccgpu.fakeguest.vendor_services import VendorServices
from ccgpu.guest.channel import Channel, Completed, GuestTarget, OpenChannel
from ccgpu.net.fetch import Web
from ccgpu.store.known_hosts import KnownHosts
from support.cli import CommandResult, Shell
from support.cloud import Machine, make_backend, make_spec, vendors

SET_UP = 1500.0  # seconds in which a first boot has ended
Run = Callable[[Sequence[str], bytes, float], Completed]


@dataclass(frozen=True)
class Attester:
    """A user, whose subscription has the VM `demo`."""

    shell: Shell

    def __call__(self, words: str = "", name: str = "demo") -> CommandResult:
        """`ccgpu attest`, with its answer as JSON."""
        return self.shell(f"attest {name} --backend fake -o json {words}")

    def make(self, name: str = "demo", **scenario: Any) -> "Attester":
        """Create a VM, and let it set itself up. `scenario`: settings of the simulated guests."""
        self.shell.arm.configure(scenario)
        Machine(self.shell.arm, self.shell.state).create(make_spec(name=name))
        self.shell.arm.advance(SET_UP)
        return self

    def scenario(self, name: str) -> None:
        """From now on something is wrong in the guests."""
        assert self.shell(f"fake scenario {name}").code == 0

    @property
    def shown(self) -> Any:
        """What `ccgpu show` tells of the VM."""
        return self.shell("show demo --backend fake -o json").document

    @property
    def ready(self) -> bool:
        """Whether the GPU is ready, as the VM's own driver says."""
        argv = "nvidia-smi conf-compute -grs"
        done = self.shell(f"exec demo --backend fake -- {argv}")
        return done.out.strip().endswith("state: ready")

    def known_key(self, vm_id: str | None = None) -> KnownHostKey | None:
        """The host key that this machine has recorded for the VM, whose id may be known."""
        known = KnownHosts(self.shell.state / "journals")
        return known.find(FAKE_SUBSCRIPTION, "demo", vm_id or self.shown["vm_id"])

    @property
    def challenges(self) -> list[Any]:
        """The challenges that this machine has recorded."""
        return [json.loads(one.read_text()) for one in self.shell.state.glob("challenges/*.json")]

    def through(self, wrap: Callable[[OpenChannel, GuestTarget], Channel]) -> "Attester":
        """The same machine, with other channels to its VMs."""

        def change(made: Backend) -> Backend:
            @contextmanager
            def channels(target: GuestTarget) -> Iterator[Channel]:
                yield wrap(made.channels, target)

            return replace(made, channels=channels)

        return self.with_backend(change)

    def asking(
        self,
        answer: Callable[[Request, FakeService], Response],
        mirrors: Mapping[str, str] | None = None,
    ) -> "Attester":
        """The same machine, with `answer` between it and the vendors' services.

        mirrors: of the vendors, by Azure region.
        """

        def change(made: Backend) -> Backend:
            vendor = VendorServices(vendors(), self.shell.arm.clock.now)
            between = Between(vendor, answer)
            sources = replace(made.sources, mirrors=mirrors or {})
            web = lambda: Web(sources.hosts(), FakeTransport(between))  # noqa: E731
            return replace(made, sources=sources, web=web)

        return self.with_backend(change)

    def claiming_to_be_real(self) -> "Attester":
        """The same machine, whose back end is not said to be simulated."""
        return self.with_backend(lambda made: replace(made, simulated=False))

    def with_backend(self, change: Callable[[Backend], Backend]) -> "Attester":
        """The same machine, with another back end."""
        before = self.shell.backend

        def backend(connection: ConnectionOptions) -> Backend:
            made = before(connection) if before else make_backend(self.shell.arm, self.shell.state)
            return change(made)

        return Attester(replace(self.shell, backend=backend))


def make_demo(shell: Shell) -> None:
    """Create the VM `demo`, and let it set itself up; nobody has attested it."""
    Attester(shell).make()


@dataclass
class Between:
    """A service in front of another one."""

    service: FakeService
    answer: Callable[[Request, FakeService], Response]
    slept: int = 0

    def send(self, request: Request, /) -> Response:
        return self.answer(request, self.service)


class WrappedChannel:
    """A channel whose `run` is another one, and which shows the host key that it likes."""

    def __init__(self, inner: Channel, run: Run, host_key: bytes | None = None) -> None:
        self._inner, self._run, self._host_key = inner, run, host_key

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def host_key(self) -> bytes | None:
        return self._host_key or self._inner.host_key

    def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout: float) -> Completed:
        return self._run(argv, stdin, timeout)


def open_now(channels: OpenChannel, target: GuestTarget) -> Channel:
    """A simulated channel; it needs no closing."""
    with channels(target) as channel:
        return channel


def another_machine(folder: Path, arm: Any) -> Shell:
    """The machine of somebody who knows of the VM only what is told."""
    (folder / "other").mkdir()
    return Shell(folder / "other", arm=arm)
