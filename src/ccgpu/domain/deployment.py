"""A deployment as users see it, built from Azure's responses about its resources."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from ccgpu.domain.attestation import CurrentAttestation
from ccgpu.domain.catalog import Kind
from ccgpu.domain.lease import lease_of, parse_moment
from ccgpu.domain.measured_record import MeasuredRecord
from ccgpu.domain.price import BillablePart, Price
from ccgpu.domain.resource import Body, ResourceId, location
from ccgpu.domain.status import State, vm_state
from ccgpu.domain.vm_view import admin_username, power_state, properties, ssh_public_keys, vm_size


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
    ssh_keys: The public keys that the VM was created with.
    stage: The stage at which `ccgpu create` on this machine would continue. None if every stage is
        done, or this machine has no journal.
    attestation: This machine's verdict on the VM, if it still counts. Lists do not look for it.
    measured: The measured image that this machine has created it from. Lists do not look for it.
    vm_created: When Azure created the VM. vm_age: The seconds since then, by Azure's clock.
    untagged_vm: Its VM, if that has lost its tag, and so does not count as its own.
    billable: What of it bills now.
    price: What that costs; None if it was not asked for.
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
    ssh_keys: tuple[str, ...] = ()
    public_ip: str | None = None
    private_ip: str | None = None
    expires: str | None = None
    seconds_left: int | None = None
    spot: bool = False
    stage: str | None = None
    attestation: CurrentAttestation | None = None
    measured: MeasuredRecord | None = None
    vm_created: str | None = None
    vm_age: int | None = None
    untagged_vm: ResourceId | None = None
    billable: tuple[BillablePart, ...] = ()
    price: Price | None = None
    resources: tuple[Owned, ...] = ()

    @property
    def spent_at_most(self) -> Decimal | None:
        """What it has cost since the VM was created, if it ran all the time; None if unknown.

        Nobody tells for how long a VM was stopped in between, so it may be less.
        """
        hourly = None if self.price is None else self.price.hourly
        if hourly is None or self.vm_age is None or self.power != "running":
            return None
        return hourly * self.vm_age / 3600

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
        vm_created=properties(vm).get("timeCreated"),
        power=power_state(vm),
        admin_user=admin_username(vm),
        ssh_keys=ssh_public_keys(vm),
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
    created = parse_moment(deployment.vm_created)
    age = None if now is None or created is None else max(0, int(now - created))
    return replace(deployment, expires=lease.expires, seconds_left=left, vm_age=age)
