"""The same faults against a plain script: the SDK's own clients, pollers, retries and waits.

It does what most scripts do: create each resource with `begin_create_or_update(...).result()` and
stop on an error. A tidy one then deletes what it created, newest first, with
`begin_delete(...).result()`. The resources that remain are counted.
"""

from collections.abc import Callable
from typing import Any

from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Placement, RunTags, desired_resources
from ccgpu.domain.resource import Resource
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeCredential, FakeTransport, Request
from faults.sweep.fault_kinds import KINDS, NumberedFault, request_key
from faults.sweep.scenarios import SPEC

_IMAGE = {
    "publisher": "Canonical",
    "offer": "ubuntu-24_04-lts",
    "sku": "cvm",
    "version": "24.04.202609150",
}


class _WaitingTransport(FakeTransport):
    """The SDK waits in its transport. Here that advances virtual time."""

    def __init__(self, arm: FakeArm) -> None:
        super().__init__(arm)
        self._clock = arm.clock

    def sleep(self, duration: float) -> None:
        """Advance virtual time."""
        self._clock.sleep(duration)


def run_script(arm: FakeArm, *, tidy: bool) -> None:
    """Create a VM and its network. On an error delete what was created, if `tidy`, and raise."""
    resources = desired_resources(
        SPEC, FAKE_SUBSCRIPTION, Placement("eastus2", None, _IMAGE), _STAMP
    )
    order = (Kind.GROUP, Kind.NSG, Kind.VNET, Kind.VM)
    wanted = sorted(resources.values(), key=lambda one: order.index(one.kind))
    clients = _clients(arm)
    made: list[Resource] = []
    try:
        for resource in wanted:
            made.append(resource)
            clients[resource.kind][0](resource)
    except Exception:
        for resource in reversed(made if tidy else []):
            clients[resource.kind][1](resource)
        raise


_STAMP = RunTags("baseline", "2026-01-01T00:00:00Z")
ClientCalls = tuple[Callable[[Resource], Any], Callable[[Resource], Any]]


def _clients(arm: FakeArm) -> dict[Kind, ClientCalls]:
    def made(client: Callable[..., Any]) -> Any:
        # Without automatic provider registration, which waits in real time.
        transport = _WaitingTransport(arm)
        return client(FakeCredential(), FAKE_SUBSCRIPTION, transport=transport)

    groups = made(ResourceManagementClient).resource_groups
    network, compute = made(NetworkManagementClient), made(ComputeManagementClient)

    def of(operations: Any) -> ClientCalls:
        return (
            lambda r: operations.begin_create_or_update("ccgpu-demo", r.name, r.body).result(),
            lambda r: operations.begin_delete("ccgpu-demo", r.name).result(),
        )

    return {
        Kind.GROUP: (
            lambda r: groups.create_or_update("ccgpu-demo", r.body),
            lambda _: groups.begin_delete("ccgpu-demo").result(),
        ),
        Kind.NSG: of(network.network_security_groups),
        Kind.VNET: of(network.virtual_networks),
        Kind.VM: of(compute.virtual_machines),
    }


def list_cases() -> list[tuple[int, str]]:
    """Each request of the script with each kind of fault that applies to it, once."""
    arm = FakeArm()
    seen: list[Request] = []
    arm.faults.append(seen.append)  # returns None: no fault
    run_script(arm, tidy=False)
    arm.close()
    first = {request_key(request): number for number, request in reversed(list(enumerate(seen)))}
    return [
        (number, kind.name)
        for number in sorted(first.values())
        for kind in KINDS.values()
        if kind.applies(seen[number])
    ]


def count_leaks(case: tuple[int, str], *, tidy: bool) -> int:
    """The number of resources that remain when the script fails."""
    number, kind = case
    arm = FakeArm()
    arm.faults.append(NumberedFault(arm, number, KINDS[kind], forever=False))
    try:
        run_script(arm, tidy=tidy)
    except Exception:  # noqa: BLE001  # whatever it is, what is left is counted
        arm.faults.clear()
        left = len(arm.show()["resources"])
    else:
        left = 0
    arm.close()
    return left
