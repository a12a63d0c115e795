"""A deployment as users see it, built from Azure's responses about its resources."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ccgpu.domain.attestation import CurrentAttestation
from ccgpu.domain.catalog import Kind
from ccgpu.domain.lease import lease_of
from ccgpu.domain.resource import Body, ResourceId, location
from ccgpu.domain.status import State, vm_state
from ccgpu.domain.vm_view import admin_username, power_state, properties, vm_size


@dataclass(frozen=True, slots=True)
class Owned:
    """A resource of a deployment. Its state is None if it is known only from a list."""

    id: ResourceId
    kind: Kind
    provisioning_state: str | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment.

    power: Azure's power state of the VM. A stopped VM bills until it is deallocated.
    expires: The end of the lease.
    seconds_left: The time until then, by Azure's clock.
    stage: The stage at which `ccgpu create` on this machine would continue. None if every stage is
        done, or this machine has no journal.
    attestation: This machine's verdict on the VM, if it still counts. Lists do not look for it.
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
    attestation: CurrentAttestation | None = None
    resources: tuple[Owned, ...] = ()

    @property
    def shown_state(self) -> str:
        """The state as users see it: a VM that is ready may be `attested` or `rejected`."""
        if self.state is not State.READY or self.attestation is None:
            return self.state.value
        return "attested" if self.attestation.verdict == "accepted" else "rejected"


def describe_deployment(
    name: str,
    group: str,
    vm: Body | None,
    addresses: tuple[str | None, str | None] = (None, None),
    resources: tuple[Owned, ...] = (),
    around: Iterable[Body] = (),
) -> Deployment:
    """The deployment, built from the responses about its VM and its other resources.

    Args:
        name: the deployment's name.
        group: its resource group.
        vm: the body of the VM's GET with its instance view, or None.
        addresses: the VM's public and private IP addresses.
        resources: the resources to list.
        around: the bodies of the deployment's other resources.
    """
    state = vm_state(vm, around)
    if vm is None:
        return Deployment(name, state, group, resources=resources)
    return Deployment(
        name=name,
        state=state,
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
    """The deployment with the lease from its resources' tags; `now` is Azure's time."""
    lease = lease_of(bodies, vm)
    left = None if now is None else lease.left(now)
    return replace(deployment, expires=lease.expires, seconds_left=left)
