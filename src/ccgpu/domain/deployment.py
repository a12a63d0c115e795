"""A deployment as users see it, put together from what Azure says of its resources."""

from dataclasses import dataclass

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import EXPIRES, Body, ResourceId, location, tag
from ccgpu.domain.status import State, power, state


@dataclass(frozen=True, slots=True)
class Owned:
    """A resource of a deployment: Azure's state of it, None where only a list names it."""

    id: ResourceId
    kind: Kind
    provisioning_state: str | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment. `power` is Azure's word: a stopped VM bills until it is deallocated."""

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
    spot: bool = False
    resources: tuple[Owned, ...] = ()


def described(
    name: str,
    group: str,
    vm: Body | None,
    addresses: tuple[str | None, str | None] = (None, None),
    resources: tuple[Owned, ...] = (),
) -> Deployment:
    """The deployment from its VM (with instance view); `addresses` are public and private."""
    if vm is None:
        return Deployment(name, state(None), group, resources=resources)
    properties = vm.get("properties") or {}
    return Deployment(
        name=name,
        state=state(vm),
        resource_group=group,
        region=location(vm["location"]),
        zone=next(iter(vm.get("zones") or ()), None),
        size=(properties.get("hardwareProfile") or {}).get("vmSize"),
        vm_id=properties.get("vmId"),
        power=power(vm),
        admin_user=(properties.get("osProfile") or {}).get("adminUsername"),
        public_ip=addresses[0],
        private_ip=addresses[1],
        expires=tag(vm, EXPIRES),
        spot=properties.get("priority") == "Spot",
        resources=resources,
    )
