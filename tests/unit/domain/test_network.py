"""The network that comes along: closed, but for SSH from where the user is."""

from ipaddress import IPv4Network, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Body
from support.specs import SUBNET, VARIANTS, resources_of_spec


def _body(kind: Kind, **changes: Any) -> Body:
    (found,) = (one.body for one in resources_of_spec(**changes).values() if one.kind is kind)
    return found


def _rules(**changes: Any) -> list[Body]:
    rules = _body(Kind.NSG, **changes)["properties"]["securityRules"]
    return sorted((rule["properties"] for rule in rules), key=lambda one: one["priority"])


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_a_deny_rule_precedes_azures_default_rules(changes):
    *_, last = _rules(**changes)
    open_to = ("sourceAddressPrefix", "sourcePortRange", "protocol")
    closed = ("destinationAddressPrefix", "destinationPortRange")
    assert [last[field] for field in (*open_to, *closed)] == ["*"] * 5
    assert (last["access"], last["direction"]) == ("Deny", "Inbound")
    assert last["priority"] <= 4096  # Azure's own rules begin at 65000


@given(
    st.integers(1, 223).filter(lambda octet: octet not in (10, 127)),
    st.integers(0, 255),
    st.integers(8, 32),
)
def test_only_port_22_is_open_and_only_to_the_given_network(first, last, length):
    network = str(ip_network(f"{first}.2.3.{last}/{length}", strict=False))
    allowed, denied = _rules(ssh_from=network)
    assert denied["access"] == "Deny"
    assert allowed == {
        "priority": 1000,
        "direction": "Inbound",
        "access": "Allow",
        "protocol": "Tcp",
        "sourceAddressPrefix": network,
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "22",
    }


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        pytest.param({"private": True, "ssh_from": "auto"}, "VirtualNetwork", id="inside"),
        pytest.param({"private": True, "ssh_from": "10.2.0.0/16"}, "10.2.0.0/16", id="a part"),
        pytest.param({"private": False, "ssh_from": "198.51.100.1/32"}, "198.51.100.1/32", id="me"),
        pytest.param(
            {"ssh_from": "0.0.0.0/0", "ssh_from_anywhere": True}, "0.0.0.0/0", id="anywhere"
        ),
    ],
)
def test_the_allowed_ssh_networks_are_those_of_the_spec(changes, source):
    assert _rules(**changes)[0]["sourceAddressPrefix"] == source


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, {Kind.NSG, Kind.VNET}),
        ({"private": True, "ssh_from": "auto"}, {Kind.NSG, Kind.VNET, Kind.NAT, Kind.PUBLIC_IP}),
        ({"subnet": SUBNET}, {Kind.NSG}),
        ({"subnet": SUBNET, "private": True, "ssh_from": "auto"}, {Kind.NSG}),
    ],
    ids=["public", "private", "own subnet", "own subnet, private"],
)
def test_each_spec_makes_only_the_network_resources_it_needs(changes, kinds):
    made = {one.kind for one in resources_of_spec(**changes).values()}
    assert made - {Kind.GROUP, Kind.VM} == kinds


@pytest.mark.parametrize("private", [False, True])
def test_subnets_have_no_default_outbound_access(private):
    vnet = _body(Kind.VNET, private=private, ssh_from="10.0.0.0/8")
    (subnet,) = vnet["properties"]["subnets"]
    assert subnet["properties"]["defaultOutboundAccess"] is False
    assert ("natGateway" in subnet["properties"]) is private
    (space,) = map(IPv4Network, vnet["properties"]["addressSpace"]["addressPrefixes"])
    own = IPv4Network(subnet["properties"]["addressPrefix"])
    assert own.subnet_of(space)
    assert space.num_addresses >= 256 * own.num_addresses  # room for subnets of others


def test_the_nat_gateway_has_its_own_public_address():
    gateway = _body(Kind.NAT, private=True, ssh_from="auto")
    address = _body(Kind.PUBLIC_IP, private=True, ssh_from="auto")
    (used,) = gateway["properties"]["publicIpAddresses"]
    assert used["id"].endswith("/demo-nat-ip")
    assert gateway["sku"]["name"] == address["sku"]["name"] == "Standard"
    assert address["properties"]["publicIPAllocationMethod"] == "Static"
