"""The network of a deployment: NSG, VNet, and a NAT gateway if it is private.

Closed by default: one rule allows SSH from the user's address, the next one denies the rest,
virtual-network peers included.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Body, Resource, ResourceId

if TYPE_CHECKING:
    from azure.mgmt.network import types as arm

    from ccgpu.domain.spec.vm import VmSpec

SUBNET = "default"
SEVERAL = ","  # separates the networks of a rule that was changed by hand
# Larger than ccgpu's subnet, so that other subnets fit: a Bastion host needs a /26.
_NETWORK_ADDRESSES = "10.71.0.0/16"
_SUBNET_ADDRESSES = "10.71.0.0/24"
_FIRST, _LAST = 1000, 4096  # the range of priorities ends at 4096 (Microsoft Learn, NSG overview)

Namer = Callable[[Kind, str], ResourceId]


def network(
    spec: "VmSpec", named: Namer, region: str, tags: dict[str, str]
) -> dict[ResourceId, Resource]:
    """The NSG; the VNet unless the spec names a subnet; NAT and its IP if private."""

    def resource(kind: Kind, suffix: str, rest: Body, *needs: Resource) -> Resource:
        body = {"location": region, "tags": tags, **rest}
        return Resource(kind, named(kind, suffix), body, frozenset(r.id for r in needs))

    resources = [resource(Kind.NSG, "-nsg", {"properties": _rules(spec)})]
    if spec.subnet is None:
        nat = []
        if spec.private:
            ip = resource(Kind.PUBLIC_IP, "-nat-ip", _STATIC_IP)
            nat = [resource(Kind.NAT, "-nat", _nat_gateway(ip.id), ip)]
            resources += [ip, *nat]
        gateway = nat[0].id if nat else None
        resources.append(resource(Kind.VNET, "-vnet", {"properties": _vnet(gateway)}, *nat))
    return {r.id: r for r in resources}


_STATIC_IP: Body = {
    "sku": {"name": "Standard", "tier": "Regional"},
    "properties": {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
}


def _nat_gateway(ip: ResourceId) -> Body:
    return {"sku": {"name": "Standard"}, "properties": {"publicIpAddresses": [{"id": ip}]}}


def _vnet(nat: ResourceId | None) -> "arm.VirtualNetworkPropertiesFormat":
    subnet: arm.SubnetPropertiesFormat = {
        "addressPrefix": _SUBNET_ADDRESSES,
        "defaultOutboundAccess": False,
    }
    if nat:
        subnet["natGateway"] = {"id": nat}
    return {
        "addressSpace": {"addressPrefixes": [_NETWORK_ADDRESSES]},
        # The subnet is inline: a separate resource would need a second write on the VNet.
        "subnets": [{"name": SUBNET, "properties": subnet}],  # type: ignore[typeddict-item]
    }


def _rules(spec: "VmSpec") -> Body:
    """SSH from the given addresses (from inside the network if private), and nothing else."""
    inside = spec.private and spec.ssh_from == "auto"
    return {
        "securityRules": [
            _rule(
                "ssh", _FIRST, "Allow", "VirtualNetwork" if inside else spec.ssh_from, "Tcp", "22"
            ),
            _rule("deny-inbound", _LAST, "Deny", "*", "*", "*"),
        ]
    }


def _rule(name: str, priority: int, access: str, source: str, protocol: str, port: str) -> Body:
    return {
        "name": name,
        "properties": {
            "priority": priority,
            "direction": "Inbound",
            "access": access,
            "protocol": protocol,
            **_source(source),
            "sourcePortRange": "*",
            "destinationAddressPrefix": "*",
            "destinationPortRange": port,
        },
    }


def _source(source: str) -> Body:
    """One source network, or several, which only a rule changed by hand has."""
    several = source.split(SEVERAL)
    if len(several) > 1:
        return {"sourceAddressPrefixes": several}
    return {"sourceAddressPrefix": source}
