"""Where a VM is reached: its addresses, and whether its network's rules let port 22 through."""

from collections.abc import Iterator
from typing import NamedTuple

from ccgpu.fakearm.vm.rules import value_at
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import StoredResource, World

_SSH = 22


class VmAddresses(NamedTuple):
    """The addresses of all interfaces of a VM."""

    private: tuple[str, ...]
    public: tuple[str, ...]


def addresses(world: World, vm: StoredResource) -> VmAddresses:
    """The addresses that the VM has now."""
    private, public = [], []
    for _, one in _configurations(world, vm):
        private.append(str(one["privateIPAddress"]))
        found = world.find(str(value_at(one, "publicIPAddress", "id")))
        if found is not None and "ipAddress" in found.properties:
            public.append(str(found.properties["ipAddress"]))
    return VmAddresses(tuple(private), tuple(public))


def owners_of(world: World, public: str) -> list[StoredResource]:
    """The VM with an interface that has this public address; none for a private one."""
    addresses_ = world.references_to(f"ip:{public}", "address")
    nics = [ref for one in addresses_ for ref in world.references_to(one.owner, "pip")]
    vms = [ref.owner for one in nics for ref in world.references_to(one.owner, "vm-nic")]
    return [found for key in vms if (found := world.find(key))]


def _configurations(world: World, vm: StoredResource) -> Iterator[tuple[StoredResource, Body]]:
    """The interface and the properties of each of the VM's IP configurations."""
    for one in vm.internal_state["nics"]:
        if nic := world.find(one["id"]):
            for configuration in nic.properties["ipConfigurations"]:
                yield nic, configuration["properties"]


def is_ssh_open(world: World, vm: StoredResource) -> bool:
    """Whether the security groups let anybody on the internet reach port 22.

    The rules' sources are not compared with the caller's address, which the fake does not know. A
    Standard public IP without a security group is closed (Microsoft Learn, "Public IP addresses").
    """
    groups = []
    for nic, configuration in _configurations(world, vm):
        subnet_id = str(value_at(configuration, "subnet", "id"))
        network = world.find(subnet_id.rpartition("/subnets/")[0])
        subnets = network.properties["subnets"] if network else ()
        named = [value_at(nic.properties, "networkSecurityGroup", "id")]
        named += [
            value_at(one, "properties", "networkSecurityGroup", "id")
            for one in subnets
            if str(one.get("id")).lower() == subnet_id.lower()
        ]
        groups += [found for one in named if one and (found := world.find(str(one)))]
    return bool(groups) and all(map(_lets_ssh_in, groups))


def _lets_ssh_in(group: StoredResource) -> bool:
    """What the first inbound rule for port 22 says; without one, no (DenyAllInBound)."""
    rules = [one["properties"] for one in group.properties["securityRules"]]
    for rule in sorted(rules, key=lambda one: int(one["priority"])):
        ports = [rule.get("destinationPortRange"), *(rule.get("destinationPortRanges") or ())]
        if (
            rule["direction"].lower() == "inbound"
            and rule["protocol"].lower() in ("tcp", "*")
            and any(_covers(str(one), _SSH) for one in ports if one)
        ):
            return bool(rule["access"].lower() == "allow")
    return False


def _covers(ports: str, port: int) -> bool:
    first, _, last = ports.partition("-")
    return ports == "*" or (first.isdigit() and int(first) <= port <= int(last or first))
