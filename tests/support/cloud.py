"""The real workflows and the real SDK, above the simulated subscription.

There is no network and no waiting. `slept` counts waits outside the scheduler.
"""

import json
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from azure.core.credentials import TokenCredential

from ccgpu.azure.context import AzureContext
from ccgpu.azure.session import ENVIRONMENTS, Session
from ccgpu.cli.backends import Backend, simulated_backend
from ccgpu.domain.events import Event
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeTransport, Request
from ccgpu.fakeguest.vendors import SimulatedVendors, make_vendors
from ccgpu.scheduling.scheduler import Scheduler
from ccgpu.workflows import delete as deleting
from ccgpu.workflows.create.context import CreateOptions, CreateOutcome
from ccgpu.workflows.create.stages import create
from ccgpu.workflows.deletion import DeleteOutcome
from support.first_creates import first_create

# A public key whose private half nobody kept.
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6ugBULBtCw910h8qCEhpAPD7DM4vsd0jymRQxwbA2J"

_PLAIN = (bool, int, float, str)  # options that say all about themselves

# The capacity of a region in which nothing can be allocated, by zone ("": without one).
NO_ROOM = {"": 0, "1": 0, "2": 0, "3": 0}

# The kinds of a whole public deployment.
DEPLOYMENT_KINDS = sorted(
    [
        *("resourceGroups", "networkSecurityGroups", "virtualNetworks", "virtualMachines"),
        *("networkInterfaces", "publicIPAddresses", "disks"),
    ]
)


def make_cloud(
    arm: FakeArm,
    state: Path,
    credential: TokenCredential | None = None,
    pool: Executor | None = None,
) -> AzureContext:
    """The context over `arm` of a machine with this state folder.

    Without `pool` a request takes no time.
    """
    backend = make_backend(arm, state, credential)
    if pool is not None:
        backend = replace(backend, scheduler=Scheduler(arm.clock, pool, backend.scheduler.pace))
    return backend.connect()


def make_backend(arm: FakeArm, state: Path, credential: TokenCredential | None = None) -> Backend:
    """The simulated back end over `arm`. `credential`: who is signed in, if not the fake's."""
    backend = simulated_backend(arm, state / "journals", vendors)
    if credential is None:
        return backend
    session = Session(FAKE_SUBSCRIPTION, ENVIRONMENTS["public"], credential, FakeTransport(arm))
    return replace(backend, session=lambda: session)


@cache
def vendors() -> SimulatedVendors:
    """The simulated AMD and NVIDIA. Their keys are made once."""
    return make_vendors()


def make_spec(**changes: Any) -> VmSpec:
    """A valid spec with changes."""
    base = {"name": "demo", "regions": ["eastus2"], "ssh_from": "203.0.113.7/32"}
    return VmSpec.model_validate(base | {"ssh_keys": [PUBLIC_KEY]} | changes)


def create_options(**changes: Any) -> CreateOptions:
    """The options of an ordinary create."""
    return CreateOptions(default_keys=lambda: (PUBLIC_KEY,), **changes)


@dataclass
class Machine:
    """One user's machine: a state folder, and a subscription that may be shared."""

    arm: FakeArm
    state: Path
    events: list[Event] = field(default_factory=list)
    pool: Executor | None = None

    @property
    def cloud(self) -> AzureContext:
        """A new context for each command, as each is a new process."""
        return make_cloud(self.arm, self.state, pool=self.pool)

    def create(self, spec: VmSpec | None = None, **changes: Any) -> CreateOutcome:
        """`ccgpu create`."""
        wanted = spec or make_spec()

        def act() -> CreateOutcome:
            return create(self.cloud, wanted, create_options(**changes), self.events.append)

        if type(self) is not Machine or any(type(one) not in _PLAIN for one in changes.values()):
            return act()
        outcome: CreateOutcome = first_create(self, f"{wanted!r} {sorted(changes.items())}", act)
        return outcome

    def delete(self, name: str = "demo", **changes: Any) -> DeleteOutcome:
        """`ccgpu delete`."""
        return deleting.delete(self.cloud, name, listen=self.events.append, **changes)

    def put(self, path: str, api_version: str, body: object) -> None:
        """Create a resource as another client, and wait until it is ready."""
        url = f"https://management.azure.com/subscriptions/{FAKE_SUBSCRIPTION}{path}"
        request = Request(
            "PUT",
            f"{url}?api-version={api_version}",
            {"Authorization": "Bearer somebody"},
            json.dumps(body).encode(),
        )
        answer = self.arm.send(request)
        assert answer.status in (200, 201, 202), answer
        self.arm.advance(60)

    def get(self, path: str, api_version: str = "2026-04-01") -> Any:
        """Read a resource as another client."""
        url = f"https://management.azure.com/subscriptions/{FAKE_SUBSCRIPTION}{path}"
        asked = f"{url}?api-version={api_version}"
        return self.arm.send(Request("GET", asked, {"Authorization": "Bearer somebody"})).body

    def kinds(self) -> list[str]:
        """The types of all resources without the provider, sorted."""
        return sorted(one["kind"].rsplit("/", 1)[-1] for one in self.arm.show()["resources"])

    def ids(self) -> set[str]:
        """The ids of all resources."""
        return {one["id"] for one in self.arm.show()["resources"]}

    def writes(self) -> list[tuple[str, str]]:
        """Method and path of every request that may change something, in order."""
        return [
            (one["method"], one["path"])
            for one in self.arm.show()["requests"]
            if one["method"] != "GET"
        ]
