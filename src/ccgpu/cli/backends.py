"""The back ends: Azure and the vendors' services on the network, or the simulated subscription.

Each is one `Backend`. Commands use both in the same way.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccgpu.cli import process
from ccgpu.cli.runtime import BackendName, ConnectionOptions
from ccgpu.collateral.sources import PUBLIC, Sources
from ccgpu.errors import (
    CopyFailed,
    GuestUnreachable,
    HostKeyMismatch,
    StateUnusable,
    TimedOut,
    UsageProblem,
)
from ccgpu.scheduling.scheduler import Scheduler
from ccgpu.store import atomic, folders
from ccgpu.store.journals import Journals

if TYPE_CHECKING:
    from ccgpu.azure.context import AzureContext
    from ccgpu.azure.session import Session
    from ccgpu.cli.runtime import SeedOutcome
    from ccgpu.collateral.fetcher import CollateralFetcher
    from ccgpu.fakearm import FakeArm
    from ccgpu.fakeguest.vendors import SimulatedVendors
    from ccgpu.guest.channel import Channel, GuestTarget, OpenChannel
    from ccgpu.net.fetch import Web

_THREADS = 8  # the most requests that `collateral fetch` sends at the same time


@dataclass(frozen=True, slots=True)
class Backend:
    """The services that a command reaches outside this machine.

    Args:
        session: Opens the subscription. Collateral needs none.
        scheduler: Its clock is real or virtual, its pool threads or inline calls.
        journals: Where deployments of this back end are recorded.
        web: Opens the HTTP client for collateral.
        channels: Opens the channel to the inside of a VM.
        require_channel: Raises an error if this machine lacks what `channels` needs.
        sources: The addresses that `web` may be asked for.
        cache: The folder that keeps collateral; None for no cache.
        simulated: Whether all of it is simulated.
    """

    session: "Callable[[], Session]"
    scheduler: Scheduler
    journals: Journals
    web: "Callable[[], Web]"
    channels: "OpenChannel"
    sources: Sources = PUBLIC
    cache: Path | None = None
    simulated: bool = False
    require_channel: Callable[[], None] = lambda: None

    def connect(self) -> "AzureContext":
        """Open the subscription for the workflows."""
        from ccgpu.azure.arm import Arm
        from ccgpu.azure.context import AzureContext
        from ccgpu.azure.queries import Queries

        session = self.session()
        arm = Arm(session)
        return AzureContext(
            session, arm, Queries(arm), self.scheduler, self.journals, simulated=self.simulated
        )

    @contextmanager
    def fetcher(self, within: float = inf) -> "Iterator[CollateralFetcher]":
        """A fetcher of collateral; a context that closes its connections.

        within: seconds after which it makes no request.
        """
        from ccgpu.collateral.cache import Cache
        from ccgpu.collateral.fetcher import CollateralFetcher

        cache = None if self.cache is None else Cache(self.cache)
        with self.web() as web:
            yield CollateralFetcher(web, self.scheduler, cache, self.sources, within=within)


def open_backend(connection: ConnectionOptions, state: Path, environ: Mapping[str, str]) -> Backend:
    """The back end that the options name."""
    process.no_foreign_logs()
    if connection.backend is BackendName.AZURE:
        return _azure_backend(connection, state, environ)
    simulation = Simulation(fake_state(state, environ))
    return simulated_backend(
        simulation.arm, simulation.journals, simulation.vendors, cloud=connection.cloud
    )


def _azure_backend(
    connection: ConnectionOptions, state: Path, environ: Mapping[str, str]
) -> Backend:
    from concurrent.futures import ThreadPoolExecutor

    from ccgpu.scheduling.clock import RealClock

    def session() -> "Session":
        from ccgpu.azure.credentials import default_credential
        from ccgpu.azure.session import ENVIRONMENTS, Session
        from ccgpu.store.az_profile import default_subscription

        cloud = ENVIRONMENTS[connection.cloud]
        subscription = connection.subscription or default_subscription(environ)
        if subscription is None:
            raise UsageProblem(
                "no subscription is selected",
                hint="give `--subscription ID`, set AZURE_SUBSCRIPTION_ID, or run `az account set`",
            )
        return Session(subscription, cloud, default_credential(cloud.authority, subscription))

    def web() -> "Web":
        from ccgpu.net.fetch import Web

        return Web(PUBLIC.hosts())

    return Backend(
        session=session,
        scheduler=Scheduler(RealClock(), ThreadPoolExecutor(max_workers=_THREADS)),
        journals=Journals(state / "journals"),
        web=web,
        channels=_open_ssh,
        require_channel=_require_openssh,
        cache=folders.cache() / "collateral",
    )


def simulated_backend(
    arm: "FakeArm",
    journals: Path,
    vendors: "Callable[[], SimulatedVendors]",
    cloud: str = "public",
) -> Backend:
    """A back end that never leaves this process. Everything runs on the clock of `arm`."""
    from ccgpu.fakeguest import vendor_services
    from ccgpu.scheduling.scheduler import InlineExecutor

    sources = Sources(
        kds=vendor_services.KDS_URL,
        rim=vendor_services.RIM_URL,
        ocsp=vendor_services.OCSP_URL,
        mirrors={},
    )

    def session() -> "Session":
        from ccgpu.azure.session import ENVIRONMENTS, Session
        from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeCredential, FakeTransport

        credential, transport = FakeCredential(arm), FakeTransport(arm)
        return Session(FAKE_SUBSCRIPTION, ENVIRONMENTS[cloud], credential, transport)

    def web() -> "Web":
        from ccgpu.fakearm import FakeTransport
        from ccgpu.net.fetch import Web

        state = partial(arm.settings.get, "vendors")
        services = vendor_services.VendorServices(vendors(), arm.clock.now, state)
        return Web(sources.hosts(), FakeTransport(services))

    return Backend(
        session=session,
        scheduler=Scheduler(arm.clock, InlineExecutor()),
        journals=Journals(journals),
        web=web,
        channels=simulated_channels(arm, vendors),
        sources=sources,
        simulated=True,
    )


def _open_ssh(target: "GuestTarget") -> "AbstractContextManager[Channel]":
    from ccgpu.guest.openssh import open_channel

    return open_channel(target)


def _require_openssh() -> None:
    from ccgpu.guest.ssh_process import program

    for name in ("ssh", "scp"):
        program(name)


def simulated_channels(arm: "FakeArm", vendors: "Callable[[], SimulatedVendors]") -> "OpenChannel":
    """Channels to the simulated guests, which fail with our errors."""
    from ccgpu.fakeguest import guests
    from ccgpu.fakeguest.channel import ChannelTypes, SimulatedChannel
    from ccgpu.guest.channel import Completed

    types = ChannelTypes(
        completed=Completed,
        not_up=partial(GuestUnreachable, transient=True),
        unreachable=GuestUnreachable,
        mismatch=HostKeyMismatch,
        timed_out=TimedOut,
        copy_failed=CopyFailed,
        usage=UsageProblem,
    )
    guests.inhabit(arm)
    return lambda target: nullcontext(SimulatedChannel(arm, target, types, vendors))


def fake_state(state: Path, environ: Mapping[str, str]) -> Path:
    """The file that stores the simulated subscription."""
    return Path(environ.get("CCGPU_FAKE_STATE") or state / "fake.sqlite")


class Simulation:
    """A simulated subscription in a file. Beside it are the journals and the vendors' keys.

    The journals are kept apart from Azure's and from those of other simulated subscriptions.
    """

    def __init__(self, path: Path) -> None:
        from ccgpu.fakearm import FakeArm
        from ccgpu.fakeguest import guests

        self.journals = path.with_name(f"{path.name}.journals")
        self._vendors = path.with_name(f"{path.name}.vendors.json")
        try:
            self.arm = FakeArm(path)
        except (ValueError, OSError, sqlite3.Error) as err:
            hint = "set CCGPU_FAKE_STATE to keep the simulated subscription in another file"
            raise StateUnusable(f"{path}: {err}", hint=hint) from err
        guests.inhabit(self.arm)

    def vendors(self) -> "SimulatedVendors":
        """The simulated AMD and NVIDIA of this subscription; the first call makes their keys."""
        from ccgpu.fakeguest.vendors import load_vendors, make_vendors

        try:
            if not self._vendors.exists():
                self._write_vendors(make_vendors().as_text())
            return load_vendors(self._vendors.read_text())
        except (ValueError, OSError) as err:
            hint = f"remove {self._vendors}: new keys are made, and older evidence is not of them"
            raise StateUnusable(f"{self._vendors}: {err}", hint=hint) from err

    def _write_vendors(self, text: str) -> None:
        try:
            atomic.create(self._vendors, text.encode())
        except FileExistsError:
            return  # another process has written its keys: use those

    def show(self) -> dict[str, Any]:
        """The resources, their cost, and the requests so far."""
        return self.arm.show()

    def reset(self) -> None:
        """Delete all resources and journals. The vendors' keys stay."""
        self.arm.reset()
        shutil.rmtree(self.journals, ignore_errors=True)

    def advance(self, seconds: float) -> None:
        """Advance the virtual time."""
        self.arm.advance(seconds)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Apply these settings, and reset all others to their defaults."""
        self.arm.configure(settings)

    def add(self, resources: Sequence[Any]) -> "SeedOutcome":
        """Add these resources; if one is invalid, add none."""
        return self.arm.add(resources)

    def close(self) -> None:
        """Close the file."""
        self.arm.close()
