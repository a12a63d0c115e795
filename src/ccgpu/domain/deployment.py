"""A deployment as users see it, put together from what Azure says of its resources."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ccgpu.domain.catalog import Kind
from ccgpu.domain.lease import lease_of
from ccgpu.domain.resource import Body, ResourceId, location
from ccgpu.domain.status import State, vm_state
from ccgpu.domain.vm_view import admin_username, power_state, properties, vm_size


@dataclass(frozen=True, slots=True)
class Owned:
    """A resource of a deployment: Azure's state of it, None where only a list names it."""

    id: ResourceId
    kind: Kind
    provisioning_state: str | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment. `power` is Azure's word: a stopped VM bills until it is deallocated.

    `expires` is the end of its lease, and `seconds_left` what Azure's clock leaves of it. `stage`
    is what a create on this machine would go on with; None where all has ended, or nothing is
    known.
    """

    name: str
    state: State
    resource_group: str
    region: str | None = None
    zone: str | None = None
    size: str | None = None
    vm_id: str | None = None
    power: str | None = None
    admin_user: str | None = None
    public_ip: str | None = None
    private_ip: str | None = None
    expires: str | None = None
    seconds_left: int | None = None
    spot: bool = False
    stage: str | None = None
    resources: tuple[Owned, ...] = ()


def describe_deployment(
    name: str,
    group: str,
    vm: Body | None,
    addresses: tuple[str | None, str | None] = (None, None),
    resources: tuple[Owned, ...] = (),
    around: Iterable[Body] = (),
) -> Deployment:
    """The deployment from its VM (with instance view) and the resources `around` it.

    `addresses` are public and private.
    """
    doing = vm_state(vm, around)
    if vm is None:
        return Deployment(name, doing, group, resources=resources)
    return Deployment(
        name=name,
        state=doing,
        resource_group=group,
        region=location(vm["location"]),
        zone=next(iter(vm.get("zones") or ()), None),
        size=vm_size(vm),
        vm_id=properties(vm).get("vmId"),
        power=power_state(vm),
        admin_user=admin_username(vm),
        public_ip=addresses[0],
        private_ip=addresses[1],
        spot=properties(vm).get("priority") == "Spot",
        resources=resources,
    )


def with_lease(
    deployment: Deployment, vm: Body | None, bodies: Iterable[Body], now: float | None
) -> Deployment:
    """The deployment with the lease that all its resources say, at `now` of Azure's time."""
    lease = lease_of(bodies, vm)
    left = None if now is None else lease.left(now)
    return replace(deployment, expires=lease.expires, seconds_left=left)
