"""The back ends: Azure and the vendors' services on the network, or the simulated subscription.

Each is one `Backend`. Commands use both in the same way.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.cli import process
from ccgpu.cli.local_ssh import open_ssh, require_openssh
from ccgpu.cli.runtime import BackendName, ConnectionOptions
from ccgpu.collateral.sources import PUBLIC, Sources
from ccgpu.domain.price import HOST as PRICE_HOST
from ccgpu.errors import (
    ConnectionLost,
    CopyFailed,
    GuestUnreachable,
    HostKeyMismatch,
    TimedOut,
    UsageProblem,
)
from ccgpu.net.pace import Pace
from ccgpu.net.request_log import RequestLog
from ccgpu.scheduling.scheduler import Scheduler
from ccgpu.store import folders
from ccgpu.store.journals import Journals

if TYPE_CHECKING:
    from ccgpu.azure.context import AzureContext
    from ccgpu.azure.retail_prices import RetailPrices
    from ccgpu.azure.session import Session
    from ccgpu.collateral.fetcher import CollateralFetcher
    from ccgpu.fakearm import FakeArm
    from ccgpu.fakeguest.vendors import SimulatedVendors
    from ccgpu.guest.channel import Channel, GuestTarget, OpenChannel
    from ccgpu.net.fetch import Web
    from ccgpu.workflows.pin_model import Hub

_FIRST_RUN = (
    "run `az login`, or give `--subscription ID` or AZURE_SUBSCRIPTION_ID; without Azure, on a "
    "simulated subscription: `--backend fake`"
)


@dataclass(frozen=True, slots=True)
class Backend:
    """The services that a command reaches outside this machine.

    Args:
        session: Opens the subscription. Collateral needs none.
        scheduler: Its clock is real or virtual, its pool threads or inline calls.
        journals: Where deployments of this back end are recorded.
        web: Opens the HTTP client for collateral.
        price_web: Opens the HTTP client for Azure's price list.
        hub_web: Opens the HTTP client for huggingface.co, which lists the files of models.
        channels: Opens the channel to the inside of a VM.
        requests: Is told of each HTTP request of all these clients.
        require_channel: Raises an error if this machine lacks what `channels` needs, or if none of
            the given private keys can be used.
        sources: The addresses that `web` may be asked for.
        cache: The folder that keeps collateral and prices; None for no cache.
        sku_cache: The folder that keeps what sizes are offered where.
        simulated: Whether all of it is simulated.
        roots: The roots of the simulated vendors (DER), by role; empty if they are real.
    """

    session: "Callable[[], Session]"
    scheduler: Scheduler
    journals: Journals
    web: "Callable[[], Web]"
    price_web: "Callable[[], Web]"
    hub_web: "Callable[[], Web]"
    channels: "OpenChannel"
    requests: RequestLog
    sources: Sources = PUBLIC
    cache: Path | None = None
    sku_cache: Path | None = None
    simulated: bool = False
    require_channel: Callable[[Sequence[Path]], None] = lambda _: None
    roots: Callable[[], Mapping[str, bytes]] = dict

    def connect(self) -> "AzureContext":
        """Open the subscription for the workflows."""
        from ccgpu.azure.arm import Arm
        from ccgpu.azure.context import AzureContext
        from ccgpu.azure.queries import Queries
        from ccgpu.store.sku_cache import SkuCache

        session = self.session()
        arm = Arm(session)
        return AzureContext(
            session,
            arm,
            Queries(arm),
            self.scheduler,
            self.journals,
            self.prices(),
            SkuCache(self.sku_cache, f"{session.environment.name} {session.subscription}"),
            simulated=self.simulated,
        )

    def prices(self) -> "RetailPrices":
        """Azure's price list, which needs no subscription."""
        from ccgpu.azure.retail_prices import RetailPrices
        from ccgpu.store.price_cache import PriceCache

        cache = None if self.cache is None else PriceCache(self.cache / "prices")
        return RetailPrices(self.price_web, self.scheduler, cache)

    def hub(self, token: str | None = None) -> "Hub":
        """huggingface.co. token: of the user, for gated models."""
        from ccgpu.workflows.pin_model import Hub

        return Hub(self.hub_web, self.scheduler, token)

    @contextmanager
    def fetcher(self, within: float = inf) -> "Iterator[CollateralFetcher]":
        """A fetcher of collateral; a context that closes its connections.

        within: seconds after which it makes no request.
        """
        from ccgpu.collateral.cache import Cache
        from ccgpu.collateral.fetcher import CollateralFetcher

        cache = None if self.cache is None else Cache(self.cache / "collateral")
        with self.web() as web:
            yield CollateralFetcher(web, self.scheduler, cache, self.sources, within=within)


def open_backend(connection: ConnectionOptions, state: Path, environ: Mapping[str, str]) -> Backend:
    """The back end that the options name."""
    process.no_foreign_logs()
    if connection.backend is BackendName.AZURE:
        return _azure_backend(connection, state, environ)
    from ccgpu.cli.simulated_state import Simulation
    from ccgpu.store.folders import fake_state

    simulation = Simulation(fake_state(state, environ))
    return simulated_backend(
        simulation.arm, simulation.journals, simulation.vendors, cloud=connection.cloud
    )


def _azure_backend(
    connection: ConnectionOptions, state: Path, environ: Mapping[str, str]
) -> Backend:
    from ccgpu.scheduling.clock import RealClock
    from ccgpu.scheduling.request_threads import RequestThreads

    clock = RealClock()
    requests, pace = RequestLog(clock.now), Pace(clock.now)

    def session() -> "Session":
        from ccgpu.azure.credentials import default_credential
        from ccgpu.azure.session import ENVIRONMENTS, Session
        from ccgpu.store.az_profile import default_subscription

        cloud = ENVIRONMENTS[connection.cloud]
        subscription = connection.subscription or default_subscription(environ)
        if subscription is None:
            raise UsageProblem("no subscription is selected", hint=_FIRST_RUN)
        credential = default_credential(cloud.authority, subscription, log=requests)
        return Session(subscription, cloud, credential, log=requests, pace=pace)

    def web(*hosts: str) -> "Web":
        from ccgpu.net.fetch import Web

        return Web(hosts, log=requests)

    return Backend(
        session=session,
        scheduler=Scheduler(clock, RequestThreads(), pace.delay),
        journals=Journals(state / "journals"),
        web=partial(web, *PUBLIC.hosts()),
        price_web=partial(web, PRICE_HOST),
        hub_web=lambda: web(_hub_host()),
        channels=open_ssh,
        requests=requests,
        require_channel=require_openssh,
        cache=folders.cache(),
        sku_cache=folders.cache() / "skus",
    )


def simulated_backend(
    arm: "FakeArm",
    journals: Path,
    vendors: "Callable[[], SimulatedVendors]",
    cloud: str = "public",
) -> Backend:
    """A back end that never leaves this process. Everything runs on the clock of `arm`."""
    from ccgpu.cli.simulated_state import sku_folder
    from ccgpu.scheduling.scheduler import InlineExecutor

    sources = _simulated_sources()
    requests, pace = RequestLog(arm.clock.now), Pace(arm.clock.now)

    def session() -> "Session":
        from ccgpu.azure.session import ENVIRONMENTS, Session
        from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeCredential, FakeTransport

        credential, transport = FakeCredential(arm), FakeTransport(arm)
        chosen = ENVIRONMENTS[cloud]
        return Session(FAKE_SUBSCRIPTION, chosen, credential, transport, requests, pace)

    def web() -> "Web":
        from ccgpu.fakearm import FakeTransport
        from ccgpu.fakeguest.vendor_services import VendorServices
        from ccgpu.net.fetch import Web

        state = partial(arm.settings.get, "vendors")
        services = VendorServices(vendors(), arm.clock.now, state)
        return Web(sources.hosts(), FakeTransport(services), requests)

    return Backend(
        session=session,
        scheduler=Scheduler(arm.clock, InlineExecutor(), pace.delay),
        journals=Journals(journals),
        web=web,
        price_web=partial(_simulated_price_list, arm, requests),
        hub_web=partial(_simulated_hub, arm, requests),
        channels=simulated_channels(arm, vendors),
        requests=requests,
        sources=sources,
        sku_cache=sku_folder(journals),
        simulated=True,
        roots=lambda: vendors().roots,
    )


def _simulated_sources() -> Sources:
    from ccgpu.fakeguest import vendor_urls as urls

    return Sources(kds=urls.KDS_URL, rim=urls.RIM_URL, ocsp=urls.OCSP_URL, mirrors={})


def _simulated_price_list(arm: "FakeArm", log: RequestLog) -> "Web":
    from ccgpu.fakearm import FakeTransport
    from ccgpu.fakearm.retail_prices import PriceService
    from ccgpu.net.fetch import Web

    return Web((PRICE_HOST,), FakeTransport(PriceService(arm.settings)), log)


def _hub_host() -> str:
    from ccgpu.domain.hub_listing import HOST

    return HOST


def _simulated_hub(arm: "FakeArm", log: RequestLog) -> "Web":
    from ccgpu.fakearm import FakeTransport
    from ccgpu.fakeguest.hub import SimulatedHub
    from ccgpu.net.fetch import Web

    hub = SimulatedHub(partial(arm.settings.get, "vendors"))
    return Web((_hub_host(),), FakeTransport(hub), log)


def simulated_channels(arm: "FakeArm", vendors: "Callable[[], SimulatedVendors]") -> "OpenChannel":
    """Channels to the simulated guests, which fail with our errors.

    A machine of no deployment at an address that the simulation does not have is a real one.
    """
    from ccgpu.cli.simulated_state import inhabit

    inhabit(arm)
    arm.attestation_keys = lambda: vendors().maa_key_set()

    def channels(target: "GuestTarget") -> "AbstractContextManager[Channel]":
        if target.deployment is None and not arm.has_address(target.host):
            return open_ssh(target)
        return nullcontext(_simulated_channel(arm, target, vendors))

    return channels


def _simulated_channel(
    arm: "FakeArm", target: "GuestTarget", vendors: "Callable[[], SimulatedVendors]"
) -> "Channel":
    from ccgpu.fakeguest.channel import ChannelTypes, SimulatedChannel
    from ccgpu.guest.channel import Completed

    types = ChannelTypes(
        completed=Completed,
        not_up=partial(GuestUnreachable, transient=True),
        unreachable=GuestUnreachable,
        mismatch=HostKeyMismatch,
        lost=ConnectionLost,
        timed_out=TimedOut,
        copy_failed=CopyFailed,
        usage=UsageProblem,
    )
    return SimulatedChannel(arm, target, types, vendors)
