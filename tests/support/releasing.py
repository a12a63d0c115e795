"""The gate of releases, over a simulated subscription with the VM `demo`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ccgpu.attest.attestation import Attestation
from ccgpu.azure.run import Run
from ccgpu.cli.backends import Backend
from ccgpu.cli.runtime import ConnectionOptions
from ccgpu.domain.access import Access
from ccgpu.domain.events import Event
from ccgpu.domain.secret import Secret
from ccgpu.fakearm import Request, Response
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.fakeguest.hardware import SimulatedHardware
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
from support.canaries import places_of
from support.cli import Shell
from support.cloud import make_backend, vendors

TIMEOUT = 3600.0


def _as_it_is(value: Any) -> Any:
    return value


@dataclass
class Releaser:
    """A user who releases secrets to the VM `demo`, and everything that has left the machine.

    change, wrap, means: what is different about the back end, each channel, and what evidence is
    judged with. listen: hears the events. between: happens when the VM is proven, before the
    secrets are released. seen: is shown the verdict. sent: what went over channels, and to Azure.
    """

    shell: Shell
    policy: str | None = None
    allow_loosened: bool = False
    change: Callable[[Backend], Backend] = _as_it_is
    wrap: Callable[[Channel], Channel] = _as_it_is
    means: Callable[[AttestMeans], AttestMeans] = _as_it_is
    listen: Callable[[Event], None] = lambda _: None
    between: Callable[[ProvenGuest], None] = lambda _: None
    seen: Callable[[Attestation], None] = lambda _: None
    sent: list[bytes] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shell.arm.on_commit = self._note

    def _note(self, request: Request, _: Response) -> None:
        self.sent.append(request.url.encode() + (request.body or b""))

    def backend(self) -> Backend:
        """The back end, whose channels are recorded."""
        before = self.shell.backend
        arm, state = self.shell.arm, self.shell.state
        made = before(ConnectionOptions()) if before else make_backend(arm, state)

        @contextmanager
        def channels(target: GuestTarget) -> Iterator[Channel]:
            with made.channels(target) as channel:
                yield self.wrap(RecordedChannel(channel, self.sent))

        return self.change(replace(made, channels=channels))

    def release(self, *secrets: Secret) -> tuple[StoredSecret, ...]:
        """Prove the VM, and release secrets to it."""
        try:
            with self.proven() as proven:
                self.between(proven)
                return proven.release(secrets)
        except BaseException as err:
            self.told += [str(err), repr(err), str(getattr(err, "hint", ""))]
            raise

    @contextmanager
    def proven(self) -> Iterator[ProvenGuest]:
        """The VM, proven."""
        backend = self.backend()
        run = Run.begin(backend.connect(), TIMEOUT, self._hear)
        keys = Keys(self.shell.state, "demo", self.shell.home)
        guest = GuestOptions(backend.channels, Access(), keys)
        means = self.means(self.attest_means(backend))
        names = find_names(run, "demo", None)
        options: Any = {"allow_loosened": self.allow_loosened, "seen": self.seen}
        with proven_guest(run, names, guest, means, **options) as proven:
            yield proven

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        self.listen(event)

    def attest_means(self, backend: Backend) -> AttestMeans:
        """What evidence is judged with, as the command line makes it."""
        return AttestMeans(
            backend.fetcher,
            Challenges(self.shell.state / "challenges"),
            *policies.load_with_origin(self.policy),
            roots=backend.roots if backend.simulated else None,
        )

    def places(self, secret: Secret) -> list[str]:
        """Where a part of the secret's value is, in any form: the VM and this machine included."""
        seen = {f"sent {number}": data for number, data in enumerate(self.sent)}
        seen |= {f"told {number}": text.encode() for number, text in enumerate(self.told)}
        seen |= {f"event {number}": repr(one).encode() for number, one in enumerate(self.events)}
        for file in self.shell.folder.rglob("*"):
            seen[f"name {file}"] = str(file).encode()
            if file.is_file():
                seen[str(file)] = file.read_bytes()
        seen["the VM and Azure"] = "\n".join(self.shell.arm._store._db.iterdump()).encode()
        return places_of(secret.value, seen)

    @property
    def has_sealed(self) -> bool:
        """Whether anything was sent to the opener."""
        return b"ccgpu-release" in self.sent

    def hardware(self) -> SimulatedHardware:
        """What the VM runs on, as it is now."""
        shown = self.shell("show demo --backend fake -o json").document
        with self.shell.arm.machine_at(shown["public_ip"]) as machine:
            assert machine is not None
            return SimulatedHardware(vendors(), SimulatedGuest(machine))


class RecordedChannel:
    """A channel that notes what it is given, before it sends it."""

    def __init__(self, inner: Channel, sent: list[bytes]) -> None:
        self._inner, self._sent = inner, sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout: float) -> Completed:
        self._sent += [*(word.encode() for word in argv), stdin]
        return self._inner.run(argv, stdin, timeout=timeout)
