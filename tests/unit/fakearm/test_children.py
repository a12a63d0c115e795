"""Subnets and security rules: parts of their parent, and resources with their own paths."""

import pytest

from ccgpu.fakearm import scenarios
from support.arm import group_path, nic_body, nsg_body, pip_body, resource_path, rule, vnet_body

NSG = resource_path("Microsoft.Network/networkSecurityGroups", "nsg")
VNET = resource_path("Microsoft.Network/virtualNetworks", "vnet")
PIP = resource_path("Microsoft.Network/publicIPAddresses", "pip")
NIC = resource_path("Microsoft.Network/networkInterfaces", "nic")
RULE, BASTION = f"{NSG}/securityRules/https", f"{VNET}/subnets/AzureBastionSubnet"
HTTPS = {"properties": rule("https", priority=300, destinationPortRange="443")["properties"]}
FREE = {"properties": {"addressPrefix": "10.0.9.0/24"}}
CHILDREN = {"rule": (RULE, HTTPS, NSG, "1", "1"), "subnet": (BASTION, FREE, VNET, "3", "10")}


def names(az, parent, key):
    return [one["name"] for one in az.get(parent)["properties"][key]]


@pytest.mark.parametrize("kind", CHILDREN)
def test_child_is_written_by_its_own_path(az, kind):
    path, body, parent, after, _ = CHILDREN[kind]
    az.network()
    before = az.get(parent)["etag"]
    answer = az.ok("PUT", path, body)
    assert (answer.status, answer.headers["Retry-After"]) == (201, after)
    assert answer.body["properties"]["provisioningState"] == "Updating"
    assert az.get(parent)["properties"]["provisioningState"] == "Updating"
    assert az.refusal("PUT", path, body)[0] in (409, 429)
    az.arm.advance(10)
    told = az.get(path)
    assert (told["id"], told["properties"]["provisioningState"]) == (path, "Succeeded")
    assert told["properties"].items() >= body["properties"].items()
    assert az.get(parent)["etag"] != before
    assert path in [one["id"] for one in az.get(path.rpartition("/")[0])["value"]]
    parents, _, name = path.rpartition("/")
    assert az.complete("PUT", f"{parents}/{name.upper()}", body).status == 200
    assert az.get(path)["id"] == path


@pytest.mark.parametrize("kind", CHILDREN)
def test_child_is_deleted_by_its_own_path(az, kind):
    path, body, parent, _, after = CHILDREN[kind]
    az.network()
    az.complete("PUT", path, body)
    answer = az.ok("DELETE", path)
    assert (answer.status, answer.headers["Retry-After"], "Location" in answer.headers) == (
        202,
        after,
        True,
    )
    assert az.get(path)["properties"]["provisioningState"] == "Deleting"
    az.arm.advance(20)
    assert az.refusal("GET", path) == (404, "NotFound")
    assert az.get(parent)["properties"]["provisioningState"] == "Succeeded"
    assert az.ok("DELETE", path).status == 204


@pytest.mark.parametrize("kind", CHILDREN)
def test_child_of_a_missing_parent_is_refused(az, kind):
    path, body, *_ = CHILDREN[kind]
    assert az.refusal("PUT", path, body) == (404, "ResourceGroupNotFound")
    az.group()
    assert az.refusal("PUT", path, body) == (404, "ParentResourceNotFound")
    assert az.refusal("GET", path.rpartition("/")[0]) == (404, "ParentResourceNotFound")
    assert az.refusal("GET", path) == (404, "ResourceNotFound")
    assert az.ok("DELETE", path).status == 204


@pytest.mark.parametrize("kind", CHILDREN)
def test_parent_put_removes_omitted_children(az, kind):
    path, body, parent, *_ = CHILDREN[kind]
    az.network()
    az.complete("PUT", path, body)
    az.complete("PUT", parent, vnet_body() if kind == "subnet" else nsg_body())
    assert az.refusal("GET", path) == (404, "NotFound")


def test_network_put_keeps_a_subnet_in_use(az):
    az.network()
    az.complete("PUT", BASTION, FREE)
    configuration = {"name": "ip", "properties": {"subnet": {"id": BASTION}}}
    az.ok("PUT", NIC, nic_body(ipConfigurations=[configuration]))
    before = az.get(VNET)
    assert az.refusal("PUT", VNET, vnet_body()) == (400, "InUseSubnetCannotBeDeleted")
    assert az.get(VNET) == before


def test_rule_is_checked_against_existing_rules(az):
    az.network()
    same = {"properties": {**HTTPS["properties"], "priority": 100}}
    assert az.refusal("PUT", RULE, same) == (400, "SecurityRuleConflict")
    assert az.refusal("PUT", RULE, {"properties": {}}) == (400, "InvalidRequestContent")
    assert names(az, NSG, "securityRules") == ["ssh"]


@pytest.mark.parametrize(
    ("path", "body"),
    [(NSG, nsg_body()), (VNET, vnet_body()), (PIP, pip_body()), (RULE, HTTPS), (BASTION, FREE)],
    ids=["nsg", "vnet", "pip", "rule", "subnet"],
)
def test_stale_etag_is_refused_as_recorded(az, path, body):
    az.network()
    az.complete("PUT", path, body)
    stale = az.get(path)["etag"]
    az.complete("PUT", path, body)
    current = az.get(path)["etag"]
    for method, sent in (("PUT", body), ("DELETE", None)):
        answer = az.send(method, path, sent, headers={"If-Match": stale})
        error = answer.body["error"]
        assert (answer.status, error["code"], error["message"]) == (
            412,
            "PreconditionFailed",
            "Precondition failed.",
        )
        assert error["details"] == [
            {
                "code": "PreconditionFailedEtagMismatch",
                "message": f"Etag provided in if-match header {stale} does not match etag "
                f"{current} of resource {path} in NRP data store.",
            }
        ]
    assert az.get(path)["etag"] == current
    az.complete("PUT", path, body, headers={"If-Match": current.removeprefix("W/")})
    az.complete("DELETE", path, headers={"If-Match": az.get(path)["etag"]})


def test_rule_has_the_etag_of_its_group(az):
    az.network()
    az.complete("PUT", RULE, HTTPS)
    told = az.get(NSG)
    etags = {
        one["etag"]
        for key in ("securityRules", "defaultSecurityRules")
        for one in told["properties"][key]
    }
    assert etags == {told["etag"]}


@pytest.mark.parametrize("kind", CHILDREN)
def test_child_needs_its_own_action(az, kind):
    path, body, *_ = CHILDREN[kind]
    az.network()
    scenarios.apply(az.arm, "read-only")
    assert az.refusal("PUT", path, body) == (403, "AuthorizationFailed")
    assert az.refusal("DELETE", path) == (403, "AuthorizationFailed")


def test_group_delete_deletes_children(az):
    az.network()
    az.complete("PUT", BASTION, FREE)
    az.ok("DELETE", group_path())
    az.arm.advance(60)
    assert az.status(group_path()) == 404
