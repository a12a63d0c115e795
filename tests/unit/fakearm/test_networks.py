"""Network resources: writes, references, and deletion of resources in use."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.fakearm import FakeArm, FakeGap
from support.arm import (
    REGION,
    Client,
    disk_body,
    nat_body,
    nic_body,
    nsg_body,
    pip_body,
    resource_path,
    rule,
    subnet_path,
    vnet_body,
)

NSG = resource_path("Microsoft.Network/networkSecurityGroups", "nsg")
VNET = resource_path("Microsoft.Network/virtualNetworks", "vnet")
PIP = resource_path("Microsoft.Network/publicIPAddresses", "pip")
NAT = resource_path("Microsoft.Network/natGateways", "nat")
NIC = resource_path("Microsoft.Network/networkInterfaces", "nic")
DISK = resource_path("Microsoft.Compute/disks", "disk")
DES = resource_path("Microsoft.Compute/diskEncryptionSets", "des")
IDENTITY = resource_path("Microsoft.ManagedIdentity/userAssignedIdentities", "id")

# Path, body, new status, Retry-After when new and of the delete: the recorded shapes.
KINDS: dict[str, tuple[str, dict[str, Any], int, str | None, str | None]] = {
    "nsg": (NSG, nsg_body(), 201, "3", "1"),
    "vnet": (VNET, vnet_body(), 201, "3", "10"),
    "pip": (PIP, pip_body(), 201, "1", "10"),
    "nat": (NAT, nat_body(), 201, "1", "10"),
    "disk": (DISK, disk_body(), 202, "2", None),
    "des": (DES, {"location": REGION, "properties": {}}, 202, None, None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_write_takes_its_duration(az, kind):
    path, body, status, after, _ = KINDS[kind]
    az.group()
    answer = az.ok("PUT", path, body)
    assert (answer.status, answer.headers.get("Retry-After")) == (status, after)
    assert ("Location" in answer.headers) == (status == 202)
    assert answer.headers["Azure-AsyncNotification"] == "Enabled"
    assert az.get(path)["properties"]["provisioningState"] == "Updating"
    az.arm.advance(5)
    assert az.get_url(answer.headers["Azure-AsyncOperation"]).body["status"] == "Succeeded"
    assert az.get(path)["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize("kind", KINDS)
def test_delete_takes_its_duration(az, kind):
    path, body, _, _, after = KINDS[kind]
    az.group()
    az.complete("PUT", path, body)
    answer = az.ok("DELETE", path)
    assert (answer.status, answer.body, answer.headers.get("Retry-After")) == (202, None, after)
    assert az.get(path)["properties"]["provisioningState"] == "Deleting"
    assert az.get_url(answer.headers["Location"]).status == 202
    again = az.ok("DELETE", path).headers["Azure-AsyncOperation"]
    assert again == answer.headers["Azure-AsyncOperation"]
    az.arm.advance(11)
    assert az.get_url(answer.headers["Azure-AsyncOperation"]).body["status"] == "Succeeded"
    assert az.get_url(answer.headers["Location"]).status == 204
    assert az.status(path) == 404
    assert az.ok("DELETE", path).status == 204


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_answers_200_and_changes_the_etag_of_network_resources(az, kind):
    path, body, status, _, _ = KINDS[kind]
    az.group()
    az.complete("PUT", path, body)
    before = az.get(path).get("etag")
    again = az.complete("PUT", path, body | {"tags": {"a": "b"}})
    assert again.status == (status if status == 202 else 200)
    after = az.get(path)
    assert after["tags"] == {"a": "b"}
    assert (before is None) == (kind in ("disk", "des"))
    assert before is None or after["etag"] != before


@pytest.mark.parametrize("kind", KINDS)
def test_patch_replaces_the_tags_at_once(az, kind):
    path, body, *_ = KINDS[kind]
    az.group()
    az.complete("PUT", path, body | {"tags": {"a": "b"}})
    assert az.ok("PATCH", path, {"tags": {"c": "d"}}).body["tags"] == {"c": "d"}
    assert az.get(path)["tags"] == {"c": "d"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_listed_in_its_group_and_in_the_subscription(az, kind):
    path, body, *_ = KINDS[kind]
    az.group()
    az.group("other")
    az.complete("PUT", path, body)
    az.complete("PUT", path.replace("/g/", "/other/"), body)
    here = path.rpartition("/")[0]
    provider = here.partition("/providers/")[2]
    everywhere = f"{here.partition('/resourceGroups/')[0]}/providers/{provider}"
    assert [one["id"] for one in az.get(here)["value"]] == [path]
    assert len(az.get(everywhere)["value"]) == 2
    assert az.refusal("GET", here.replace("/g/", "/none/"))[1] == "ResourceGroupNotFound"


@pytest.mark.parametrize("kind", KINDS)
def test_if_match_guards_a_write(az, kind):
    path, body, *_ = KINDS[kind]
    az.group()
    assert az.refusal("PUT", path, body, headers={"If-Match": "*"}) == (412, "PreconditionFailed")
    az.complete("PUT", path, body)
    assert az.refusal("PUT", path, body, headers={"If-Match": "old"})[0] == 412
    assert az.refusal("PUT", path, body, headers={"If-None-Match": "*"})[0] == 412
    assert az.refusal("DELETE", path, headers={"If-Match": "old"})[0] == 412
    etag = az.get(path).get("etag", "*")
    az.complete("PUT", path, body, headers={"If-Match": etag})


@pytest.mark.parametrize("kind", ["nsg", "pip", "nat"])
def test_concurrent_network_write_has_retry_after(az, kind):
    path, body, *_ = KINDS[kind]
    az.group()
    az.ok("PUT", path, body)
    answer = az.send("PUT", path, body)
    details = answer.body["error"]["details"]
    assert (answer.status, answer.body["error"]["code"]) == (429, "RetryableError")
    assert details[0]["code"] == "RetryableErrorDueToAnotherOperation"
    az.arm.advance(int(answer.headers["Retry-After"]) + 1)
    az.complete("PUT", path, body)


@pytest.mark.parametrize("kind", ["disk", "des"])
def test_concurrent_compute_write_is_a_conflict(az, kind):
    path, body, *_ = KINDS[kind]
    az.group()
    az.ok("PUT", path, body)
    assert az.refusal("PUT", path, body) == (409, "Conflict")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (NSG, "ResourceNotFound"),
        (VNET, "ResourceNotFound"),
        (NIC, "ResourceNotFound"),
        (f"{VNET}/subnets/s", "ResourceNotFound"),
        (IDENTITY, "ResourceNotFound"),
        (DISK, "NotFound"),
        (DES, "NotFound"),
    ],
)
def test_missing_resource_has_its_providers_404(az, path, code):
    az.group()
    assert az.refusal("GET", path) == (404, code)


@pytest.mark.parametrize("name", ["-a", "a-", "a" * 81, "a*b"])
def test_bad_names_are_refused(az, name):
    az.group()
    refused = az.refusal(
        "PUT", resource_path("Microsoft.Network/publicIPAddresses", name), pip_body()
    )
    assert refused == (400, "InvalidResourceName")


@pytest.mark.parametrize("name", ["v", "v" * 65])
def test_network_names_have_2_to_64_characters(az, name):
    az.group()
    refused = az.refusal(
        "PUT", resource_path("Microsoft.Network/virtualNetworks", name), vnet_body()
    )
    assert refused == (400, "InvalidResourceName")


def test_one_write_at_a_time_on_a_network_and_its_subnets(az):
    az.group()
    first = az.ok("PUT", VNET, vnet_body())
    other = {"properties": {"addressPrefix": "10.0.1.0/24"}}
    refused = [
        az.send("PUT", VNET, vnet_body()),
        az.send("PUT", f"{VNET}/subnets/other", other),
        az.send("DELETE", VNET),
        az.send("DELETE", subnet_path()),
    ]
    for answer in refused:
        assert (answer.status, answer.body["error"]["code"]) == (409, "AnotherOperationInProgress")
        assert first.headers["Azure-AsyncOperation"] in answer.body["error"]["message"]
    az.arm.advance(3)
    az.complete("PUT", f"{VNET}/subnets/other", other)


def test_subnets_are_children_of_their_network(az):
    az.network()
    path = f"{VNET}/subnets/other"
    assert az.refusal("GET", path) == (404, "NotFound")
    answer = az.ok("PUT", path, {"properties": {"addressPrefix": "10.0.1.0/24"}})
    assert (answer.status, answer.headers["Retry-After"]) == (201, "3")
    assert answer.body["properties"]["provisioningState"] == "Updating"
    az.arm.advance(2)
    assert az.get(path)["properties"]["provisioningState"] == "Succeeded"
    names = [one["name"] for one in az.get(VNET)["properties"]["subnets"]]
    assert names == ["default", "other"]
    assert len(az.get(f"{VNET}/subnets")["value"]) == 2
    again = {"properties": {"addressPrefix": "10.0.1.0/24"}}
    assert az.complete("PUT", path, again).status == 200
    gone = az.ok("DELETE", path)
    assert az.get(path)["properties"]["provisioningState"] == "Deleting"
    az.arm.advance(11)
    assert az.get_url(gone.headers["Azure-AsyncOperation"]).body["status"] == "Succeeded"
    assert az.status(path) == 404
    assert az.ok("DELETE", path).status == 204
    assert az.refusal("PUT", f"{VNET}x/subnets/a", again) == (404, "ParentResourceNotFound")


def test_a_network_written_without_subnets_keeps_them(az):
    az.network()
    body = vnet_body()
    del body["properties"]["subnets"]
    az.complete("PUT", VNET, body)
    assert len(az.get(VNET)["properties"]["subnets"]) == 1
    body["properties"]["subnets"] = []
    az.complete("PUT", VNET, body)
    assert az.get(VNET)["properties"]["subnets"] == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"addressPrefix": "10.1.0.0/24"}, "NetcfgSubnetRangeOutsideVnet"),
        ({"addressPrefix": "10.0.0.0/33"}, "InvalidAddressPrefixFormat"),
        ({"addressPrefix": None}, "InvalidRequestContent"),
    ],
)
def test_a_subnet_lies_within_its_network(az, changes, code):
    az.group()
    assert az.refusal("PUT", VNET, vnet_body(**changes)) == (400, code)


def test_subnets_do_not_overlap(az):
    az.network()
    refused = az.refusal(
        "PUT", f"{VNET}/subnets/other", {"properties": {"addressPrefix": "10.0.0.128/25"}}
    )
    assert refused == (400, "NetcfgSubnetRangesOverlap")


def test_a_network_needs_an_address_space(az):
    az.group()
    refused = az.refusal("PUT", VNET, {"location": REGION, "properties": {}})
    assert refused == (400, "InvalidRequestContent")


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([rule(priority=99)], "SecurityRuleInvalidPriority"),
        ([rule(priority=4097)], "SecurityRuleInvalidPriority"),
        ([rule("a"), rule("b")], "SecurityRuleConflict"),
        ([rule(sourceAddressPrefix="1.2.3.4/33")], "SecurityRuleInvalidAddressPrefix"),
        ([rule(sourceAddressPrefixes=["300.1.1.1"])], "SecurityRuleInvalidAddressPrefix"),
        ([rule(access=None)], "InvalidRequestContent"),
        ([rule("")], "InvalidRequestContent"),
    ],
)
def test_security_rules_that_azure_refuses(az, rules, code):
    az.group()
    assert az.refusal("PUT", NSG, nsg_body(*rules)) == (400, code)


def test_rules_of_both_directions_may_share_a_priority(az):
    az.group()
    az.complete("PUT", NSG, nsg_body(rule("in"), rule("out", direction="Outbound")))
    properties = az.get(NSG)["properties"]
    assert properties["securityRules"][0]["id"] == f"{NSG}/securityRules/in"
    assert len(properties["defaultSecurityRules"]) == 6


def test_public_ip_is_standard_static_and_assigned_at_the_end(az):
    az.group()
    for changes, code in (
        ({"sku": None}, "IPv4BasicSkuPublicIpCountLimitReached"),
        ({"sku": {"name": "Basic"}}, "IPv4BasicSkuPublicIpCountLimitReached"),
    ):
        assert az.refusal("PUT", PIP, pip_body() | changes) == (400, code)
    dynamic = pip_body(publicIPAllocationMethod="Dynamic")
    assert az.refusal("PUT", PIP, dynamic) == (400, "StandardSkuPublicIPAddressesMustBeStatic")
    answer = az.ok("PUT", PIP, pip_body())
    assert "ipAddress" not in answer.body["properties"]
    az.arm.advance(3)
    address = az.get(PIP)["properties"]["ipAddress"]
    documentation = ("198.51.100.0/24", "203.0.113.0/24")
    assert any(ipaddress.ip_address(address) in ipaddress.ip_network(n) for n in documentation)
    az.complete("PUT", PIP, pip_body())
    assert az.get(PIP)["properties"]["ipAddress"] == address


def test_public_ips_are_unique(az):
    az.group()
    paths = [
        resource_path("Microsoft.Network/publicIPAddresses", f"p{number}") for number in range(60)
    ]
    for path in paths:
        az.ok("PUT", path, pip_body())
    az.arm.advance(3)
    assert len({az.get(path)["properties"]["ipAddress"] for path in paths}) == 60


def test_interface_put_is_synchronous(az):
    az.network()
    answer = az.ok("PUT", NIC, nic_body(networkSecurityGroup={"id": NSG}))
    assert answer.status == 201
    assert not {"Azure-AsyncOperation", "Location", "Retry-After"} & set(answer.headers)
    assert answer.body["properties"]["provisioningState"] == "Succeeded"
    one = answer.body["properties"]["ipConfigurations"][0]["properties"]
    assert (one["privateIPAddress"], one["primary"]) == ("10.0.0.4", True)
    assert az.ok("PUT", NIC, nic_body()).status == 200
    assert az.get(NIC)["properties"]["ipConfigurations"][0]["properties"] == one


def test_an_interface_has_an_ip_configuration_in_a_subnet(az):
    az.network()
    assert az.refusal("PUT", NIC, nic_body(ipConfigurations=[])) == (400, "InvalidParameter")
    bare = nic_body(ipConfigurations=[{"name": "ip", "properties": {}}])
    assert az.refusal("PUT", NIC, bare) == (400, "InvalidRequestContent")


def test_subnet_users_are_upper_case(az):
    az.network()
    az.ok("PUT", NIC, nic_body())
    users = az.get(subnet_path())["properties"]["ipConfigurations"]
    assert [one["id"] for one in users] == [
        f"{NIC}/ipConfigurations/ip".replace("/g/", "/G/").replace("/nic/", "/NIC/")[: -len("ip")]
        + "IP"
    ]
    inside = az.get(VNET)["properties"]["subnets"][0]["properties"]["ipConfigurations"]
    assert inside == users


def test_a_subnet_can_be_full(az):
    az.network(addressPrefix="10.0.0.0/29")
    kind = "Microsoft.Network/networkInterfaces"
    for number in range(3):
        az.ok("PUT", resource_path(kind, f"n{number}"), nic_body())
    assert az.refusal("PUT", resource_path(kind, "n3"), nic_body()) == (400, "SubnetIsFull")
    az.complete("DELETE", resource_path(kind, "n1"))
    answer = az.ok("PUT", resource_path(kind, "n3"), nic_body())
    properties = answer.body["properties"]["ipConfigurations"][0]["properties"]
    assert properties["privateIPAddress"] == "10.0.0.5"


def with_pip(address: str = PIP) -> dict[str, Any]:
    named = {"subnet": {"id": subnet_path()}, "publicIPAddress": {"id": address}}
    return nic_body(ipConfigurations=[{"name": "ip", "properties": named}])


MISSING = {
    "subnet": (NIC, nic_body(), [VNET, f"{VNET}/subnets/default"]),
    "nsg of a nic": (NIC, nic_body(networkSecurityGroup={"id": f"{NSG}2"}), []),
    "pip of a nic": (NIC, with_pip(f"{PIP}2"), []),
    "nsg of a subnet": (f"{VNET}2", vnet_body(networkSecurityGroup={"id": f"{NSG}2"}), []),
    "nat of a subnet": (f"{VNET}2", vnet_body(natGateway={"id": f"{NAT}2"}), []),
    "pip of a nat": (NAT, nat_body(f"{PIP}2"), []),
    "another kind": (NAT, nat_body(VNET), []),
}


@pytest.mark.parametrize("what", MISSING)
def test_reference_to_a_missing_resource_is_refused(az, what):
    path, body, gone = MISSING[what]
    az.network()
    for one in gone[:1]:
        az.complete("DELETE", one)
    assert az.refusal("PUT", path, body) == (400, "InvalidResourceReference")
    assert az.status(path) == 404


def test_reference_to_a_missing_subnet_is_refused(az):
    az.network()
    one = {"name": "ip", "properties": {"subnet": {"id": f"{VNET}/subnets/none"}}}
    refused = az.refusal("PUT", NIC, nic_body(ipConfigurations=[one]))
    assert refused == (400, "InvalidResourceReference")


def test_reference_to_another_region_is_refused(az):
    az.network()
    body = nic_body() | {"location": "westeurope"}
    assert az.refusal("PUT", NIC, body) == (400, "InvalidResourceReference")
    body = vnet_body(networkSecurityGroup={"id": NSG}) | {"location": "westeurope"}
    assert az.refusal("PUT", f"{VNET}2", body) == (400, "InvalidResourceReference")


BUSY = {
    "subnet": ([(VNET, vnet_body())], NIC, nic_body()),
    "nsg": ([(NSG, nsg_body())], NIC, nic_body(networkSecurityGroup={"id": NSG})),
    "nsg of a subnet": (
        [(NSG, nsg_body())],
        f"{VNET}2",
        vnet_body(networkSecurityGroup={"id": NSG}),
    ),
    "pip": ([(PIP, pip_body())], NIC, with_pip()),
    "pip of a nat": ([(PIP, pip_body())], NAT, nat_body(PIP)),
    "nat": ([(NAT, nat_body())], f"{VNET}2", vnet_body(natGateway={"id": NAT})),
}


@pytest.mark.parametrize("what", BUSY)
def test_reference_to_an_unsettled_resource_is_retryable(az, what):
    first, path, body = BUSY[what]
    az.network()
    for one, wanted in first:
        az.ok("PUT", one, wanted)
    answer = az.send("PUT", path, body)
    assert (answer.status, answer.body["error"]["code"]) == (429, "RetryableError")
    assert answer.body["error"]["details"][0]["code"] == "ReferencedResourceNotProvisioned"
    assert "Retry-After" not in answer.headers
    az.arm.advance(4)
    az.complete("PUT", path, body)


IN_USE = {
    "subnet": (subnet_path(), [(NIC, nic_body())], "InUseSubnetCannotBeDeleted"),
    "vnet": (VNET, [(NIC, nic_body())], "InUseSubnetCannotBeDeleted"),
    "nsg by nic": (
        NSG,
        [(NIC, nic_body(networkSecurityGroup={"id": NSG}))],
        "InUseNetworkSecurityGroupCannotBeDeleted",
    ),
    "nsg by subnet": (
        NSG,
        [(f"{VNET}2", vnet_body(networkSecurityGroup={"id": NSG}))],
        "InUseNetworkSecurityGroupCannotBeDeleted",
    ),
    "pip by nic": (PIP, [(PIP, pip_body()), (NIC, with_pip())], "PublicIPAddressCannotBeDeleted"),
    "pip by nat": (
        PIP,
        [(PIP, pip_body()), (NAT, nat_body(PIP))],
        "PublicIPAddressCannotBeDeleted",
    ),
    "nat by subnet": (
        NAT,
        [(NAT, nat_body()), (f"{VNET}2", vnet_body(natGateway={"id": NAT}))],
        "InUseNatGatewayCannotBeDeleted",
    ),
}


@pytest.mark.parametrize("what", IN_USE)
def test_resource_in_use_is_not_deleted(az, what):
    path, users, code = IN_USE[what]
    az.network()
    for user, body in users:
        az.complete("PUT", user, body)
    assert az.refusal("DELETE", path) == (400, code)
    assert az.get(path)["properties"]["provisioningState"] == "Succeeded"
    az.complete("DELETE", users[-1][0])
    az.complete("DELETE", path)


def test_network_put_cannot_omit_a_subnet_in_use(az):
    az.network()
    az.ok("PUT", NIC, nic_body())
    body = vnet_body()
    body["properties"]["subnets"] = []
    assert az.refusal("PUT", VNET, body) == (400, "InUseSubnetCannotBeDeleted")


def test_users_of_a_resource_are_listed(az):
    az.network()
    for path, body in ((PIP, pip_body()), (f"{PIP}2", pip_body()), (NAT, nat_body(f"{PIP}2"))):
        az.complete("PUT", path, body)
    az.complete("PUT", NIC, with_pip())
    az.complete("PUT", VNET, vnet_body(natGateway={"id": NAT}, networkSecurityGroup={"id": NSG}))
    assert az.get(PIP)["properties"]["ipConfiguration"] == {"id": f"{NIC}/ipConfigurations/ip"}
    assert az.get(f"{PIP}2")["properties"]["natGateway"] == {"id": NAT}
    assert az.get(NAT)["properties"]["subnets"] == [{"id": subnet_path()}]
    assert az.get(NSG)["properties"]["subnets"] == [{"id": subnet_path()}]


@pytest.mark.parametrize("second", [nat_body(PIP), with_pip()])
def test_public_ip_has_one_owner(az, second):
    az.network()
    az.complete("PUT", PIP, pip_body())
    az.complete("PUT", NIC, with_pip())
    path = f"{NAT}2" if "publicIpAddresses" in second["properties"] else f"{NIC}2"
    assert az.refusal("PUT", path, second) == (400, "PublicIPAddressInUse")
    az.complete("PUT", NIC, with_pip())


def test_identity_writes_are_synchronous(az):
    az.group()
    made = az.ok("PUT", IDENTITY, {"location": REGION})
    assert (made.status, made.headers["Location"]) == (
        201,
        f"https://management.azure.com{IDENTITY}",
    )
    assert set(made.body["properties"]) == {"tenantId", "principalId", "clientId"}
    again = az.ok("PUT", IDENTITY, {"location": REGION})
    assert (again.status, again.body["properties"]) == (200, made.body["properties"])
    assert az.ok("DELETE", IDENTITY).status == 200
    assert az.ok("DELETE", IDENTITY).status == 204


def test_a_patch_of_more_than_tags_is_a_gap(az):
    az.network()
    with pytest.raises(FakeGap):
        az.send("PATCH", NSG, {"tags": {}, "properties": {}})


@pytest.mark.slow
@given(st.lists(st.sampled_from(["put", "delete", "other"]), max_size=12))
def test_private_addresses_are_unique_in_any_order(steps):
    az = Client(FakeArm())
    az.network()
    kind = "Microsoft.Network/networkInterfaces"
    for number, step in enumerate(steps):
        path = resource_path(kind, f"n{number % 4}")
        if step == "delete":
            az.complete("DELETE", path)
        else:
            az.complete("PUT", path, nic_body())
    nics = az.get(resource_path(kind, "x").removesuffix("/x"))["value"]
    told = [
        one["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] for one in nics
    ]
    assert len(set(told)) == len(told)


def test_update_may_omit_the_location(az):
    az.group()
    az.complete("PUT", PIP, pip_body())
    body = pip_body()
    del body["location"]
    assert az.complete("PUT", PIP, body).body["location"] == REGION


def test_properties_must_be_an_object(az):
    az.group()
    refused = az.refusal("PUT", PIP, pip_body() | {"properties": ["x"]})
    assert refused == (400, "InvalidRequestContent")


def test_disk_needs_creation_data(az):
    az.group()
    refused = az.refusal("PUT", DISK, {"location": REGION, "properties": {}})
    assert refused == (400, "InvalidParameter")


def test_disk_update_keeps_read_only_properties(az):
    az.group()
    az.complete("PUT", DISK, disk_body())
    before = az.get(DISK)["properties"]
    az.arm.advance(60)
    az.complete("PUT", DISK, disk_body())
    assert az.get(DISK)["properties"] == before


def test_an_encryption_set_gets_a_principal(az):
    az.group()
    body = {"location": REGION, "identity": {"type": "SystemAssigned"}, "properties": {}}
    az.complete("PUT", DES, body)
    assert {"type", "principalId", "tenantId"} == set(az.get(DES)["identity"])


def test_an_interface_may_have_several_addresses(az):
    az.network()
    configurations = [
        {"name": name, "properties": {"subnet": {"id": subnet_path()}}} for name in ("a", "b")
    ]
    for _ in range(2):
        answer = az.ok("PUT", NIC, nic_body(ipConfigurations=configurations))
        inside = [one["properties"] for one in answer.body["properties"]["ipConfigurations"]]
        assert [one["privateIPAddress"] for one in inside] == ["10.0.0.4", "10.0.0.5"]
        assert [one["primary"] for one in inside] == [True, False]


def test_a_static_private_address_is_a_gap(az):
    az.network()
    inside = {"subnet": {"id": subnet_path()}, "privateIPAllocationMethod": "Static"}
    with pytest.raises(FakeGap):
        az.send("PUT", NIC, nic_body(ipConfigurations=[{"name": "a", "properties": inside}]))


@pytest.mark.parametrize("status", [202, 200])
def test_interface_delete_is_202_or_200(az, status):
    az.network()
    az.ok("PUT", NIC, nic_body())
    az.arm.settings.set("nic_delete_status", value=status)
    answer = az.ok("DELETE", NIC)
    assert (answer.status, answer.body, answer.headers["Retry-After"]) == (status, None, "4")
    assert {"Location", "Azure-AsyncOperation"} <= answer.headers.keys()
    assert az.status(NIC) == 200
    az.arm.advance(5)
    assert az.status(NIC) == 404
