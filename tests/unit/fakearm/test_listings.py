"""What other clients list: subscriptions, regions, roles, images, sizes, extensions, resources."""

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, NCC_SIZE, FakeGap
from support.arm import disk_body, group_path, resource_path, vm_path

SUBSCRIPTION = f"/subscriptions/{FAKE_SUBSCRIPTION}"
COMPUTE = f"{SUBSCRIPTION}/providers/Microsoft.Compute"
ROLES = f"{SUBSCRIPTION}/providers/Microsoft.Authorization"
PRINCIPAL = "00000000-0000-4000-8000-0000000000ff"
CALLER = "00000000-0000-4000-8000-00000000000b"


def names(answer):
    """The names in a list or a bare array."""
    return [one["name"] for one in (answer["value"] if isinstance(answer, dict) else answer)]


def test_the_subscription_and_its_tenant_are_listed(az):
    (one,) = az.get("/subscriptions", api="2022-12-01")["value"]
    (tenant,) = az.get("/tenants", api="2022-12-01")["value"]
    assert one["subscriptionId"] == FAKE_SUBSCRIPTION
    assert one["tenantId"] == tenant["tenantId"]
    regions = az.get(f"{SUBSCRIPTION}/locations", api="2022-12-01")
    assert names(regions) == az.arm.settings.get("regions")


def test_an_owner_is_shown_as_owner(az):
    (one,) = az.get(f"{ROLES}/roleAssignments", api="2022-04-01")["value"]
    assert one["properties"]["principalId"] == CALLER
    query = "&$filter=roleName eq 'Owner'"
    (role,) = az.get(f"{ROLES}/roleDefinitions", api="2022-04-01", query=query)["value"]
    assert len(az.get(f"{ROLES}/roleDefinitions", api="2022-04-01")["value"]) > 1
    assert role["id"] == one["properties"]["roleDefinitionId"]
    assert role["properties"]["roleName"] == "Owner"
    assert az.get(role["id"], api="2022-04-01") == role


def test_another_caller_is_shown_with_what_was_granted(az):
    granted = ["Microsoft.Authorization/*/read"]
    az.arm.settings.set("principal", value=granted)
    query = f"&$filter=principalId eq '{CALLER}'"
    (one,) = az.get(f"{ROLES}/roleAssignments", api="2022-04-01", query=query)["value"]
    role = az.get(one["properties"]["roleDefinitionId"], api="2022-04-01")
    assert role["properties"]["type"] == "CustomRole"
    assert role["properties"]["permissions"][0]["actions"] == granted
    missing = az.refusal("GET", f"{ROLES}/roleDefinitions/x", api="2022-04-01")
    assert missing == (404, "RoleDefinitionDoesNotExist")


def test_added_assignments_are_listed_at_their_scope_above_and_below(az):
    az.group("g")
    az.group("other")
    kind = "Microsoft.Authorization/roleAssignments"
    for number, scope in enumerate((SUBSCRIPTION, group_path("g"), group_path("other"))):
        name = f"0000000{number}-0000-4000-8000-000000000000"
        id_ = f"{scope}/providers/{kind}/{name}"
        role = f"{ROLES}/roleDefinitions/21090545-7ca7-4776-b22c-e363652d74d2"
        properties = {"principalId": PRINCIPAL, "roleDefinitionId": role}
        given = {"id": id_, "type": kind, "name": name, "properties": properties}
        made, flaws = az.arm.add([given])
        assert (len(made), list(flaws)) == (1, [])

    def scopes_of(place, query=""):
        path = f"{place}/providers/Microsoft.Authorization/roleAssignments"
        listed = az.get(path, api="2022-04-01", query=query)["value"]
        return [one["id"].partition("/providers/")[0] for one in listed]

    assert scopes_of(group_path("g")) == [SUBSCRIPTION, SUBSCRIPTION, group_path("g")]
    assert len(scopes_of(SUBSCRIPTION)) == 4
    assert scopes_of(SUBSCRIPTION, "&$filter=atScope()") == [SUBSCRIPTION] * 2
    assert scopes_of(SUBSCRIPTION, f"&$filter=principalId eq '{CALLER}'") == [SUBSCRIPTION]


@pytest.mark.parametrize("kind", ["roleAssignments", "roleDefinitions"])
def test_other_filters_of_roles_are_gaps(az, kind):
    with pytest.raises(FakeGap, match="filter"):
        az.send("GET", f"{ROLES}/{kind}", api="2022-04-01", query="&$filter=x eq 'y'")


def test_images_are_found_step_by_step(az):
    path = f"{COMPUTE}/locations/eastus2/publishers"
    assert names(az.get(path)) == ["canonical"]
    path += "/canonical/artifacttypes/vmimage/offers"
    assert "ubuntu-24_04-lts" in names(az.get(path))
    path += "/ubuntu-24_04-lts/skus"
    assert names(az.get(path)) == ["cvm", "server"]
    assert names(az.get(f"{path}/cvm/versions")) == sorted(names(az.get(f"{path}/cvm/versions")))


def test_versions_show_the_properties_that_are_asked_for(az):
    path = f"{COMPUTE}/locations/eastus2/publishers/canonical/artifacttypes/vmimage/offers"
    path += "/ubuntu-24_04-lts/skus/cvm/versions"
    (latest,) = az.get(path, query="&$top=1&$orderby=name desc&$expand=properties")
    assert latest["properties"] == az.get(f"{path}/{latest['name']}")["properties"]
    one = az.get(path, query="&$expand=properties/imageDeprecationStatus")[0]
    assert list(one["properties"]) == ["imageDeprecationStatus"]
    with pytest.raises(FakeGap, match="expand"):
        az.send("GET", path, query="&$expand=properties/nothing")


def test_there_are_no_managed_images_and_no_extensions(az):
    az.network()
    az.machine()
    assert az.get(f"{COMPUTE}/images") == {"value": []}
    assert az.get(f"{vm_path()}/extensions") == {"value": []}
    nowhere = az.refusal("GET", f"{group_path('no')}/providers/Microsoft.Compute/images")
    assert nowhere == (404, "ResourceGroupNotFound")


def test_sizes_of_a_region(az):
    path = f"{COMPUTE}/locations/eastus2/vmSizes"
    found = {one["name"]: one for one in az.get(path)["value"]}
    assert (found[NCC_SIZE]["numberOfCores"], found[NCC_SIZE]["memoryInMB"]) == (40, 327680)
    assert az.get(path.replace("eastus2", "nowhere")) == {"value": []}


def test_resources_show_what_is_asked_for_besides(az):
    az.network()
    az.group("other")
    query = "&$expand=createdTime,changedTime,provisioningState"
    query += "&$filter=resourceGroup eq 'G' and name eq 'nsg'"
    (one,) = az.get(f"{SUBSCRIPTION}/resources", query=query)["value"]
    assert (one["name"], one["provisioningState"]) == ("nsg", "Succeeded")
    assert one["createdTime"].startswith("2026-")
    none = az.get(f"{SUBSCRIPTION}/resources", query="&$filter=resourceGroup eq 'other'")
    assert none == {"value": []}
    with pytest.raises(FakeGap, match="expand"):
        az.send("GET", f"{SUBSCRIPTION}/resources", query="&$expand=owner")


def test_default_rules_have_a_list_of_their_own(az):
    az.network()
    path = resource_path("Microsoft.Network/networkSecurityGroups", "nsg")
    listed = names(az.get(f"{path}/defaultSecurityRules"))
    assert (len(listed), listed[0]) == (6, "AllowVnetInBound")


def test_a_provider_names_its_types(az):
    kinds = az.get(COMPUTE, api="2025-04-01")["resourceTypes"]
    found = {one["resourceType"]: one["apiVersions"] for one in kinds}
    assert found["disks"] == ["2026-03-02"]
    assert "virtualMachines" in found


def test_the_location_of_a_disks_write_ends_with_the_disk(az):
    az.group()
    path = resource_path("Microsoft.Compute/disks", "data")
    answer = az.complete("PUT", path, disk_body())
    assert az.get_url(answer.headers["Location"]).body == az.get(path)
