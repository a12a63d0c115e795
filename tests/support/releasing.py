"""The gate of releases, over a simulated subscription with the VM `demo`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ccgpu.azure.run import Run
from ccgpu.cli.backends import Backend
from ccgpu.cli.runtime import ConnectionOptions
from ccgpu.domain.access import Access
from ccgpu.domain.events import Event
from ccgpu.domain.secret import Secret
from ccgpu.guest.channel import Channel, Completed, GuestTarget
from ccgpu.guest.release import StoredSecret
from ccgpu.store import policies
from ccgpu.store.challenges import Challenges
from ccgpu.store.keys import Keys
from ccgpu.workflows.attest import AttestMeans
from ccgpu.workflows.discovery.search import find_names
from ccgpu.workflows.guest_access import GuestOptions
from ccgpu.workflows.proven import ProvenGuest
from ccgpu.workflows.release import proven_guest
from support.cli import Shell
from support.cloud import make_backend


@dataclass
class Releaser:
    """A user who releases secrets to the VM `demo`, and everything that has left the machine.

    change: of the back end. wrap: of each channel. sent: every byte that went over a channel.
    """

    shell: Shell
    policy: str | None = None
    change: Callable[[Backend], Backend] = lambda backend: backend
    wrap: Callable[[Channel], Channel] = lambda channel: channel
    means: Callable[[AttestMeans], AttestMeans] = lambda means: means
    between: Callable[[ProvenGuest], None] = lambda _: None
    allow_loosened: bool = False
    sent: list[bytes] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def backend(self) -> Backend:
        """The back end, whose channels are recorded."""
        before = self.shell.backend
        made = (
            before(ConnectionOptions())
            if before
            else make_backend(self.shell.arm, self.shell.state)
        )

        @contextmanager
        def channels(target: GuestTarget) -> Iterator[Channel]:
            with made.channels(target) as channel:
                yield self.wrap(RecordedChannel(channel, self.sent))

        return self.change(replace(made, channels=channels))

    def release(self, *secrets: Secret) -> tuple[StoredSecret, ...]:
        """Prove the VM, and release secrets to it."""
        with self.proven() as proven:
            self.between(proven)
            return proven.release(secrets)

    @contextmanager
    def proven(self) -> Iterator[ProvenGuest]:
        """The VM, proven."""
        backend = self.backend()
        run = Run.begin(backend.connect(), 900.0, self.events.append)
        guest = GuestOptions(
            backend.channels, Access(), Keys(self.shell.state, "demo", self.shell.home)
        )
        names = find_names(run, "demo", None)
        means = self.means(self._means(backend))
        gate = proven_guest(run, names, guest, means, allow_loosened=self.allow_loosened)
        with gate as proven:
            yield proven

    def _means(self, backend: Backend) -> AttestMeans:
        return AttestMeans(
            backend.fetcher,
            Challenges(self.shell.state / "challenges"),
            *policies.load_with_origin(self.policy),
            roots=backend.roots if backend.simulated else None,
        )


class RecordedChannel:
    """A channel that notes what it is given, before it sends it."""

    def __init__(self, inner: Channel, sent: list[bytes]) -> None:
        self._inner, self._sent = inner, sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout: float) -> Completed:
        self._sent += [*(word.encode() for word in argv), stdin]
        return self._inner.run(argv, stdin, timeout=timeout)
