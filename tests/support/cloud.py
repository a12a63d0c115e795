"""The real workflows above the real SDK, with the simulated subscription below it.

No network, no waiting: `slept` says whether anything waited behind the scheduler's back.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.core.credentials import TokenCredential

from ccgpu.azure.arm import Arm
from ccgpu.azure.context import AzureContext
from ccgpu.azure.queries import Queries
from ccgpu.azure.session import ENVIRONMENTS, Session
from ccgpu.domain.events import Event
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeCredential, FakeTransport, Request
from ccgpu.scheduling.scheduler import InlineExecutor, Scheduler
from ccgpu.store.journals import Journals
from ccgpu.workflows import delete as deleting
from ccgpu.workflows.create.context import CreateOptions, CreateOutcome
from ccgpu.workflows.create.stages import create

# A public key whose private half nobody kept.
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6ugBULBtCw910h8qCEhpAPD7DM4vsd0jymRQxwbA2J"

# The kinds of a whole public deployment.
DEPLOYMENT_KINDS = sorted(
    [
        *("resourceGroups", "networkSecurityGroups", "virtualNetworks", "virtualMachines"),
        *("networkInterfaces", "publicIPAddresses", "disks"),
    ]
)


def make_cloud(
    arm: FakeArm, state: Path, credential: TokenCredential | None = None
) -> AzureContext:
    """A cloud over `arm`, as one machine with the state folder `state` sees it."""
    signed_in, transport = credential or FakeCredential(arm), FakeTransport(arm)
    session = Session(FAKE_SUBSCRIPTION, ENVIRONMENTS["public"], signed_in, transport)
    adapter = Arm(session)
    schedule = Scheduler(arm.clock, InlineExecutor())
    return AzureContext(
        session, adapter, Queries(adapter), schedule, Journals(state / "journals"), simulated=True
    )


def make_spec(**changes: Any) -> VmSpec:
    """A valid spec; name only what the test is about."""
    base = {"name": "demo", "regions": ["eastus2"], "ssh_from": "203.0.113.7/32"}
    return VmSpec.model_validate(base | {"ssh_keys": [PUBLIC_KEY]} | changes)


def create_options(**changes: Any) -> CreateOptions:
    """The options of a create that has nothing special to it."""
    return CreateOptions(default_keys=lambda: (PUBLIC_KEY,), **changes)


@dataclass
class Machine:
    """One user's machine: a state folder, and a subscription that others may share."""

    arm: FakeArm
    state: Path
    events: list[Event] = field(default_factory=list)

    @property
    def cloud(self) -> AzureContext:
        """A new one for each command, as each is a new process."""
        return make_cloud(self.arm, self.state)

    def create(self, spec: VmSpec | None = None, **changes: Any) -> CreateOutcome:
        """`ccgpu create`."""
        wanted = spec or make_spec()
        return create(self.cloud, wanted, create_options(**changes), self.events.append)

    def delete(self, name: str = "demo", **changes: Any) -> deleting.DeleteOutcome:
        """`ccgpu delete`."""
        return deleting.delete(self.cloud, name, listen=self.events.append, **changes)

    def put(self, path: str, api_version: str, body: object) -> None:
        """A resource that somebody else makes, ready at once."""
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
        """A resource as anybody reads it."""
        url = f"https://management.azure.com/subscriptions/{FAKE_SUBSCRIPTION}{path}"
        asked = f"{url}?api-version={api_version}"
        return self.arm.send(Request("GET", asked, {"Authorization": "Bearer somebody"})).body

    def kinds(self) -> list[str]:
        """The kinds of what exists, sorted, without the provider."""
        return sorted(one["kind"].rsplit("/", 1)[-1] for one in self.arm.show()["resources"])

    def ids(self) -> set[str]:
        """The ids of what exists."""
        return {one["id"] for one in self.arm.show()["resources"]}

    def writes(self) -> list[tuple[str, str]]:
        """Method and path of every request that may change something, in order."""
        return [
            (one["method"], one["path"])
            for one in self.arm.show()["requests"]
            if one["method"] != "GET"
        ]
