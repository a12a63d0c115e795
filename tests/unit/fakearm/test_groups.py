"""Resource groups: names, lists, and deletion with all resources."""

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeGap, scenarios
from support.arm import (
    REGION,
    disk_body,
    group_path,
    nic_body,
    nsg_body,
    pip_body,
    resource_path,
    vm_path,
    vnet_body,
)

LIST = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourcegroups"
ALL = f"/subscriptions/{FAKE_SUBSCRIPTION}/resources"
PIP = "Microsoft.Network/publicIPAddresses"
NIC = "Microsoft.Network/networkInterfaces"


def delete(az, name="g"):
    answer = az.ok("DELETE", group_path(name))
    assert (answer.status, answer.headers["Retry-After"]) == (202, "15")
    assert "Azure-AsyncOperation" not in answer.headers
    return answer.headers["Location"]


def test_group_put_is_synchronous_and_idempotent(az):
    assert az.send("PUT", group_path(), {"location": "East US 2"}).status == 201
    again = az.send("PUT", group_path(), {"location": REGION, "tags": {"a": "b"}})
    assert (again.status, again.body["location"], again.body["tags"]) == (200, REGION, {"a": "b"})
    assert again.body["properties"] == {"provisioningState": "Succeeded"}


def test_head_reports_whether_a_group_exists(az):
    assert az.send("HEAD", group_path()).status == 404
    az.group()
    assert az.send("HEAD", group_path()).status == 204


@pytest.mark.parametrize("name", ["a" * 91, "ends.", "a b", "a/b"[:1] + "!"])
def test_bad_group_names_are_refused(az, name):
    refused = az.refusal("PUT", group_path(name.replace(" ", "%20")), {"location": REGION})
    assert refused == (400, "InvalidResourceGroup")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "LocationRequired"),
        ({"location": "mars"}, "LocationNotAvailableForResourceGroup"),
    ],
)
def test_a_group_needs_a_region_that_exists(az, body, code):
    assert az.refusal("PUT", group_path(), body) == (400, code)


def test_group_location_cannot_change(az):
    az.group()
    refused = az.refusal("PUT", group_path(), {"location": "westeurope"})
    assert refused == (409, "InvalidResourceLocation")


def test_patch_replaces_the_tags(az):
    az.group(tags={"a": "1", "b": "2"})
    assert az.ok("PATCH", group_path(), {"tags": {"c": "3"}}).body["tags"] == {"c": "3"}
    with pytest.raises(FakeGap):
        az.send("PATCH", group_path(), {"properties": {}})


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_missing_group_is_not_found(az, method):
    assert az.refusal(method, group_path(), {"tags": {}}) == (404, "ResourceGroupNotFound")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_requests_in_a_missing_group_are_not_found(az, method):
    assert az.refusal(method, resource_path(PIP, "p"), pip_body()) == (404, "ResourceGroupNotFound")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("tagName eq 'team' and tagValue eq 'red'", ["a", "b"]),
        ("tagName eq 'TEAM' and tagValue eq 'blue'", ["c"]),
        ("tagName eq 'team' and tagValue eq 'RED'", []),
        ("tagName eq 'team'", ["a", "b", "c"]),
        ("tagName eq 'it''s'", ["d"]),
    ],
)
def test_groups_are_found_by_tag(az, text, names):
    for name, tags in {
        "a": {"team": "red"},
        "b": {"Team": "red"},
        "c": {"team": "blue"},
        "d": {"it's": "x"},
        "e": {},
    }.items():
        az.group(name, tags=tags)
    found = az.get(LIST, query=f"&$filter={text}")["value"]
    assert [one["name"] for one in found] == names


def test_resources_are_found_by_tag_across_groups(az):
    for name in ("g", "h"):
        az.group(name)
        az.complete("PUT", resource_path(PIP, "p", name), pip_body() | {"tags": {"run": name}})
    found = az.get(ALL, query="&$filter=tagName eq 'run' and tagValue eq 'h'")["value"]
    assert [one["id"] for one in found] == [resource_path(PIP, "p", "h")]
    assert set(found[0]) == {"id", "name", "type", "location", "sku", "tags"}
    assert len(az.get(group_path("g") + "/resources")["value"]) == 1
    kind = az.get(ALL, query="&$filter=resourceType eq 'microsoft.network/publicipaddresses'")
    assert len(kind["value"]) == 2


def test_long_list_is_paged(az):
    az.arm.settings.set("arm_page_size", value=50)
    for number in range(120):
        az.group(f"g{number:03}")
    page = az.get(LIST, query="&$filter=")
    names = [one["name"] for one in page["value"]]
    assert len(names) == 50
    while "nextLink" in page:
        page = az.get_url(page["nextLink"]).body
        names += [one["name"] for one in page["value"]]
    assert names == [f"g{number:03}" for number in range(120)]


def test_top_limits_the_page(az):
    for number in range(5):
        az.group(f"g{number}")
    page = az.get(LIST, query="&$top=2")
    sizes = [len(page["value"])]
    while "nextLink" in page:
        page = az.get_url(page["nextLink"]).body
        sizes.append(len(page["value"]))
    assert sizes == [2, 2, 1]


def test_deleting_a_group_deletes_what_is_in_it(az):
    az.network()
    az.machine()
    az.complete("PUT", resource_path(PIP, "spare"), pip_body())
    location = delete(az)
    assert az.get(group_path())["properties"]["provisioningState"] == "Deleting"
    assert az.get_url(location).status == 202
    assert az.get_url(location).headers["Retry-After"] == "15"
    az.arm.advance(60)
    assert az.get_url(location).status == 200
    assert az.get_url(location).body is None
    assert (az.arm.show()["resources"], az.arm.show()["billing"]) == ([], [])
    assert az.status(vm_path()) == 404


def test_group_in_deletion_refuses_writes(az):
    az.group()
    delete(az)
    writes = {group_path(): {"location": REGION}, resource_path(PIP, "p"): pip_body()}
    for path, body in writes.items():
        assert az.refusal("PUT", path, body) == (409, "ResourceGroupBeingDeleted")
    assert az.refusal("PATCH", group_path(), {"tags": {}}) == (409, "ResourceGroupBeingDeleted")


def test_repeated_group_delete_joins_the_running_one(az):
    az.group()
    assert delete(az) == delete(az)


def test_group_with_externally_used_resources_is_not_deleted(az):
    az.network()
    az.group("other")
    az.complete("PUT", resource_path(NIC, "nic", "other"), nic_body())
    az.complete("PUT", resource_path("Microsoft.Compute/disks", "d"), disk_body())
    location = delete(az)
    az.arm.advance(60)
    answer = az.get_url(location)
    assert (answer.status, answer.body["Error"]["Code"]) == (409, "ResourceGroupDeletionBlocked")
    assert az.get(group_path())["properties"]["provisioningState"] == "Succeeded"
    left = [one["id"] for one in az.get(group_path() + "/resources")["value"]]
    assert left == [resource_path("Microsoft.Network/virtualNetworks", "vnet")]


def test_group_with_an_externally_used_nsg_is_not_deleted(az):
    az.group()
    az.group("other")
    nsg = resource_path("Microsoft.Network/networkSecurityGroups", "nsg")
    az.complete("PUT", nsg, nsg_body())
    az.complete(
        "PUT",
        resource_path("Microsoft.Network/virtualNetworks", "vnet", "other"),
        vnet_body(networkSecurityGroup={"id": nsg}),
    )
    delete(az)
    az.arm.advance(60)
    assert az.status(nsg) == 200


def test_operations_in_a_deleted_group_are_canceled(az):
    az.group()
    write = az.ok("PUT", resource_path(PIP, "p"), pip_body(), query="").headers[
        "Azure-AsyncOperation"
    ]
    az.arm.settings.set("durations", "group.delete", value=1)
    delete(az)
    az.arm.advance(2)
    ended = az.get_url(write).body
    assert (ended["status"], ended["error"]["code"]) == ("Canceled", "OperationPreempted")
    az.arm.advance(100)
    assert az.arm.show()["billing"] == []


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({f"t{number}": "" for number in range(51)}, "TooManyTags"),
        ({"a" * 513: ""}, "TagNameTooLong"),
        ({"a": "b" * 257}, "TagValueTooLong"),
        *[({f"a{sign}": ""}, "InvalidTagNameCharacters") for sign in "<>%&\\?/"],
        ({"a": 1}, "InvalidRequestContent"),
    ],
)
def test_invalid_tags_are_refused(az, tags, code):
    assert az.refusal("PUT", group_path(), {"location": REGION, "tags": tags}) == (400, code)


def test_tags_at_the_limit_are_accepted(az):
    az.group(tags={f"t{number}": "b" * 256 for number in range(49)} | {"a" * 512: ""})


def test_failed_group_delete_keeps_survivors_and_their_references(az):
    az.network()
    az.machine()
    az.complete("PUT", resource_path("Microsoft.Compute/disks", "d"), disk_body())
    az.arm.settings.set(
        "survivors", value=[resource_path("Microsoft.Compute/virtualMachines", "VM")]
    )
    location = delete(az)
    az.arm.advance(60)
    answer = az.get_url(location)
    assert (answer.status, answer.body["Error"]["Code"]) == (409, "ResourceGroupDeletionBlocked")
    whole = ["networkInterfaces", "networkSecurityGroups", "publicIPAddresses", "virtualNetworks"]
    assert az.kinds() == sorted(["disks", "resourceGroups", "virtualMachines", *whole])
    assert az.status(resource_path("Microsoft.Compute/disks", "d")) == 404
    assert (
        resource_path("Microsoft.Compute/virtualMachines", "vm") in answer.body["Error"]["Message"]
    )
    az.arm.settings.set("survivors", value=[resource_path("Microsoft.Compute/disks", "d")])
    delete(az)
    az.arm.advance(60)
    assert az.kinds() == []


@pytest.mark.parametrize("tagless", [False, True])
def test_list_filtered_by_tag_can_omit_tags(az, tagless):
    az.group(tags={"run": "x"})
    az.complete(
        "PUT",
        resource_path("Microsoft.Network/publicIPAddresses", "p"),
        {**pip_body(), "tags": {"run": "x"}},
    )
    if tagless:
        scenarios.apply(az.arm, "tagless-lists")
    for text in ("tagName eq 'run'", "tagName eq 'run' and tagValue eq 'x'"):
        for path in (ALL, f"{group_path()}/resources"):
            (found,) = az.get(path, query=f"&$filter={text}")["value"]
            assert found["name"] == "p"
            assert found.get("tags") == (None if tagless else {"run": "x"})
            assert az.get(found["id"])["tags"] == {"run": "x"}
        (found,) = az.get(LIST, query=f"&$filter={text}")["value"]
        assert found["tags"] == {"run": "x"}
    (found,) = az.get(ALL)["value"]
    assert found["tags"] == {"run": "x"}
