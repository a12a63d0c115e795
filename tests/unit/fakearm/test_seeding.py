"""Users' own resources are checked like a PUT and added all or none."""

import copy

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, scenarios
from ccgpu.fakearm.policies import BUILT_IN, DEFINITIONS
from support.arm import (
    APIS,
    REGION,
    disk_body,
    group_path,
    nic_body,
    nsg_body,
    pip_body,
    resource_path,
    rule,
    vm_body,
    vm_path,
    vnet_body,
)
from support.publishing import upload_body

OTHER = "11111111-2222-4333-8444-555555555555"
DES = "Microsoft.Compute/diskEncryptionSets"
ID = "Microsoft.ManagedIdentity/userAssignedIdentities"
VNET = "Microsoft.Network/virtualNetworks"
NSG = "Microsoft.Network/networkSecurityGroups"
PIP = "Microsoft.Network/publicIPAddresses"
GALLERY = resource_path("Microsoft.Compute/galleries", "gal", "img")
IMAGE = f"{GALLERY}/images/cvm"
CVM_KEY = "ConfidentialVmEncryptedWithCustomerKey"
FULL = "DiskWithVMGuestState"


def foreign(id_):
    return id_.replace(FAKE_SUBSCRIPTION, OTHER)


def resource(kind, name, in_group="g", /, **more):
    return {"id": resource_path(kind, name, in_group), "type": kind, "location": REGION, **more}


def encryption_set(name="des", type_=CVM_KEY, **more):
    key = {"keyUrl": "https://kv.vault.azure.net/keys/k/1"}
    return resource(DES, name, properties={"encryptionType": type_, "activeKey": key}, **more)


def image(**features):
    identifier = {"publisher": "a", "offer": "b", "sku": "c"}
    security = features or {"SecurityType": "ConfidentialVmSupported"}
    properties = {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V2",
        "identifier": identifier,
        "features": [{"name": key, "value": value} for key, value in security.items()],
    }
    return {"id": IMAGE, "location": REGION, "properties": properties}


def version(number, **publishing):
    return {
        "id": f"{IMAGE}/versions/{number}",
        "type": "Microsoft.Compute/galleries/images/versions",
        "location": REGION,
        "properties": {"publishingProfile": publishing},
    }


def lock(scope, level):
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/locks/keep",
        "type": "Microsoft.Authorization/locks",
        "properties": {"level": level},
    }


def policy(scope, name, **parameters):
    definition = next(id_ for id_, one in BUILT_IN.items() if one.name == name)
    given = {key: {"value": value} for key, value in parameters.items()}
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/policyAssignments/rule",
        "type": "Microsoft.Authorization/policyAssignments",
        "properties": {
            "displayName": "House rule",
            "policyDefinitionId": f"{DEFINITIONS}{definition}",
            "parameters": given,
        },
    }


def add(az, *resources):
    outcome = az.arm.add(list(resources))
    assert outcome.problems == []
    return [one.id for one in outcome.added]


ALL = {
    "group": {"id": group_path("g2"), "location": "East US 2", "tags": {"a": "b"}},
    "identity": resource(ID, "me"),
    "encryption set": encryption_set(identity={"type": "SystemAssigned"}),
    "security group": resource(NSG, "nsg", **nsg_body()),
    "public address": resource(PIP, "pip", **pip_body()),
    "network": resource(VNET, "vnet", **vnet_body()),
    "disk": resource("Microsoft.Compute/disks", "disk", **disk_body()),
    "vault": resource("Microsoft.KeyVault/vaults", "kv", properties={"tenantId": OTHER}),
    "gallery": {"id": GALLERY, "location": REGION},
}


@pytest.mark.parametrize("what", ALL)
def test_added_resources_are_readable_at_once(az, what):
    given = ALL[what]
    add(az, given)
    api = "2024-11-01" if what == "vault" else None
    told = az.get(given["id"], api=api)
    assert told["id"] == given["id"]
    assert told["location"] == REGION
    assert told.get("tags") == given.get("tags")
    if what != "identity":
        assert told["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize("what", ALL)
def test_get_bodies_can_be_added_elsewhere(az, what):
    add(az, ALL[what])
    api = "2024-11-01" if what == "vault" else None
    told = az.get(ALL[what]["id"], api=api)
    az.arm.reset()
    add(az, told)
    again = az.get(told["id"], api=api)
    for kept in ("ipAddress", "principalId", "clientId", "resourceGuid"):
        if kept in told["properties"] and what != "security group":
            assert (
                again["properties"].get(kept) == told["properties"][kept]
                or what == "public address"
            )


def test_what_az_resource_show_prints_can_be_added(az):
    empty = dict.fromkeys(
        ("extendedLocation", "identity", "kind", "managedBy", "plan", "sku", "tags")
    )
    add(
        az,
        {**encryption_set(), **empty, "resourceGroup": "g", "createdTime": "2026-01-01T00:00:00Z"},
    )
    assert az.get(resource_path(DES, "des"))["properties"]["encryptionType"] == CVM_KEY


def test_missing_group_is_created_and_reported(az):
    outcome = az.arm.add([resource(ID, "me", location="westeurope"), resource(ID, "you")])
    assert [(one.kind, one.made_for) for one in outcome.added] == [
        ("Microsoft.Resources/resourceGroups", resource_path(ID, "me")),
        (ID, None),
        (ID, None),
    ]
    assert az.get(group_path())["location"] == "westeurope"


def test_adding_again_updates(az):
    add(az, resource(ID, "me"))
    before = az.get(resource_path(ID, "me"))["properties"]
    add(az, resource(ID, "me", tags={"a": "b"}))
    after = az.get(resource_path(ID, "me"))
    assert (after["tags"], after["properties"]) == ({"a": "b"}, before)


def test_child_resources_may_be_added_in_any_order(az):
    inside = {
        "id": f"{resource_path(VNET, 'vnet')}/subnets/gpu",
        "properties": {"addressPrefix": "10.0.7.0/24"},
    }
    own = {"id": f"{resource_path(NSG, 'nsg')}/securityRules/https", **rule("https", priority=300)}
    add(az, inside, own, resource(VNET, "vnet", **vnet_body()), resource(NSG, "nsg", **nsg_body()))
    names = [one["name"] for one in az.get(resource_path(VNET, "vnet"))["properties"]["subnets"]]
    assert names == ["default", "gpu"]
    assert az.get(own["id"])["properties"]["priority"] == 300


FLAWED = [
    (["x"], [((), "is not a resource")]),
    ([{"location": REGION}], [(("id",), "is missing")]),
    ([{"id": "/subscriptions/x"}], [(("id",), "is not the id of a resource")]),
    ([resource("Microsoft.Sql/servers", "s")], [(("id",), "which cannot be added")]),
    ([resource(ID, "me", type=DES)], [(("type",), f"is {DES}, but the id is of a {ID}")]),
    ([resource(ID, "me", name="you")], [(("name",), "but the id ends with me")]),
    ([resource(ID, "me", location=None)], [(("location",), "is missing")]),
    ([resource(ID, "me", location="mars")], [(("location",), "is mars, no region of these")]),
    ([resource(ID, "me", colour="red")], [(("colour",), "is unknown")]),
    (
        [resource(DES, "d", encryptionType=CVM_KEY)],
        [(("encryptionType",), "belongs below properties")],
    ),
    ([encryption_set(type_="Mine")], [(("properties", "encryptionType"), "must be one of")]),
    (
        [resource(VNET, "v", properties={"size": 1})],
        [
            (("properties", "size"), "is unknown"),
            (("properties", "addressSpace", "addressPrefixes"), "is missing"),
        ],
    ),
    (
        [resource(VNET, "v", **vnet_body(colour="red"))],
        [(("properties", "subnets", 0, "properties", "colour"), "is unknown")],
    ),
    ([resource(ID, "me", tags={"a": 1})], [(("tags",), "must be an object of texts")]),
    ([resource(ID, "me", properties=[])], [(("properties",), "must be an object")]),
    ([resource(ID, "me"), resource(ID, "ME")], [(("id",), "is there twice, first as number 1")]),
    (
        [lock(group_path(), "Sometimes")],
        [(("properties", "level"), "must be one of CanNotDelete, ReadOnly")],
    ),
    ([lock(group_path("none"), "ReadOnly")], [((), "ResourceGroupNotFound")]),
    ([image()], [((), "there is no")]),
    (
        [
            {
                "id": f"{group_path()}/providers/Microsoft.Authorization/policyAssignments/p",
                "properties": {"policyDefinitionId": "/x/mine"},
            }
        ],
        [(("properties", "policyDefinitionId"), "is none that is simulated")],
    ),
    (
        [resource("Microsoft.Compute/disks", "d", managedBy=vm_path(), **disk_body())],
        [(("managedBy",), "cannot be added")],
    ),
    ([resource(NSG, "n", **nsg_body(rule(priority=1)))], [((), "SecurityRuleInvalidPriority")]),
    (
        [
            {
                "id": f"{resource_path(VNET, 'none')}/subnets/x",
                "properties": {"addressPrefix": "10.0.0.0/24"},
            }
        ],
        [((), "ParentResourceNotFound")],
    ),
    (
        [{**resource(PIP, "p", **pip_body()), "id": foreign(resource_path(PIP, "p"))}],
        [(("id",), "can only be added to")],
    ),
]


@pytest.mark.parametrize(("given", "flaws"), FLAWED)
def test_problems_have_their_path_and_nothing_is_added(az, given, flaws):
    before = az.arm.show()["resources"]
    outcome = az.arm.add([*given, resource(ID, "good")])
    assert outcome.added == []
    assert sorted(one.path for one in outcome.problems) == sorted(path for path, _ in flaws)
    for path, why in flaws:
        assert any(why in one.why for one in outcome.problems if one.path == path), outcome.problems
    assert az.arm.show()["resources"] == before


def test_all_problems_are_reported_once(az):
    broken = resource(
        VNET, "v", location="mars", **{k: v for k, v in vnet_body().items() if k != "location"}
    )
    inside = {
        "id": f"{resource_path(VNET, 'v')}/subnets/x",
        "properties": {"addressPrefix": "10.0.7.0/24"},
    }
    fine = resource(NSG, "n", **nsg_body())
    outcome = az.arm.add(
        [
            fine,
            broken,
            resource(ID, "me", colour=1),
            inside,
            resource(NSG, "m", **nsg_body(rule(priority=1))),
        ]
    )
    assert [one.place for one in outcome.problems if one.place != 3] == [1, 2, 4]


def full(key):
    profile = {"securityEncryptionType": FULL, "diskEncryptionSet": {"id": key}}
    return vm_body(managed__securityProfile=profile)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_vm_may_use_what_was_added_even_from_another_subscription(az, elsewhere):
    network = resource(VNET, "corp", "net", **vnet_body(addressPrefix="10.0.3.0/24"))
    given = [encryption_set(), resource(ID, "me"), network]
    given = [{**one, "id": foreign(one["id"])} if elsewhere else one for one in given]
    key, me, corp = add(az, *given)[-2], given[1]["id"], given[2]["id"]
    key = given[0]["id"]
    az.network()
    body = full(key)
    body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {me: {}}}
    configuration = body["properties"]["networkProfile"]["networkInterfaceConfigurations"][0]
    inside = configuration["properties"]["ipConfigurations"][0]["properties"]
    inside["subnet"] = {"id": f"{corp}/subnets/default"}
    az.complete("PUT", vm_path(), body)
    for one in given:
        assert az.get(one["id"])["id"] == one["id"]
    assert az.get(f"{corp}/subnets/default")["properties"]["ipConfigurations"]


def test_other_subscription_is_separate(az):
    assert (
        az.refusal("GET", foreign(group_path()), api=APIS["Microsoft.Resources"])[1]
        == "SubscriptionNotFound"
    )
    add(az, {**encryption_set(), "id": foreign(resource_path(DES, "des"))})
    assert az.status(group_path()) == 404
    assert az.status(foreign(group_path())) == 200
    assert az.refusal("GET", foreign(resource_path(DES, "none"))) == (404, "NotFound")
    everywhere = f"/subscriptions/{FAKE_SUBSCRIPTION}/providers/{DES}"
    assert az.get(everywhere)["value"] == []
    assert len(az.get(everywhere.replace(FAKE_SUBSCRIPTION, OTHER))["value"]) == 1
    assert az.get(f"/subscriptions/{OTHER}")["subscriptionId"] == OTHER


def test_other_subscription_has_its_own_rights(az):
    key = foreign(resource_path(DES, "des"))
    add(az, {**encryption_set(), "id": key})
    az.network()
    scenarios.apply(az.arm, "no-foreign-rights")
    assert az.refusal("GET", key) == (403, "AuthorizationFailed")
    answer = az.send("PUT", vm_path(), full(key))
    assert (answer.status, answer.body["error"]["code"]) == (403, "LinkedAuthorizationFailed")
    assert key in answer.body["error"]["message"]
    az.complete("PUT", vm_path("own"), vm_body("own"))
    az.arm.settings.set("foreign_principal", value=[f"{DES}/read"])
    az.complete("PUT", vm_path(), full(key))


@pytest.mark.parametrize(
    "type_", ["EncryptionAtRestWithCustomerKey", "EncryptionAtRestWithPlatformAndCustomerKeys"]
)
def test_a_set_of_another_type_is_refused_by_the_vm(az, type_):
    add(az, encryption_set(type_=type_))
    az.network()
    assert az.refusal("PUT", vm_path(), full(resource_path(DES, "des"))) == (400, "BadRequest")


def test_a_set_of_another_region_is_refused_by_the_vm(az):
    az.network()
    add(az, encryption_set(location="westeurope"))
    assert az.refusal("PUT", vm_path(), full(resource_path(DES, "des"))) == (404, "NotFound")


def exact(az, reference):
    az.complete("PUT", vm_path(), vm_body(image={"id": reference}))
    return az.get(vm_path())["properties"]["storageProfile"]["imageReference"]["exactVersion"]


def test_latest_is_the_newest_version_that_is_not_excluded_and_is_in_the_region(az):
    elsewhere = [{"name": "West Europe"}]
    add(
        az,
        {"id": GALLERY, "location": REGION},
        image(),
        version("1.9.0", targetRegions=[{"name": "East US 2"}]),
        version("1.10.0"),
        version("2.0.0", excludeFromLatest=True),
        version("3.0.0", targetRegions=elsewhere),
    )
    az.network()
    assert exact(az, IMAGE) == "1.10.0"
    az.complete("DELETE", vm_path())
    assert exact(az, f"{IMAGE}/versions/2.0.0") == "2.0.0"
    assert az.refusal(
        "PUT", vm_path("b"), vm_body("b", image={"id": f"{IMAGE}/versions/3.0.0"})
    ) == (
        404,
        "GalleryImageNotFound",
    )
    listed = az.get(f"{IMAGE}/versions", api="2026-03-03")["value"]
    told = {
        one["name"]: one["properties"]["publishingProfile"]["excludeFromLatest"] for one in listed
    }
    assert told == {"1.10.0": False, "1.9.0": False, "2.0.0": True, "3.0.0": False}


def test_an_image_that_is_not_confidential_is_refused_by_the_vm(az):
    add(
        az,
        {"id": GALLERY, "location": REGION},
        image(SecurityType="TrustedLaunch"),
        version("1.0.0"),
    )
    az.network()
    assert az.refusal("PUT", vm_path(), vm_body(image={"id": IMAGE})) == (400, "InvalidParameter")


@pytest.mark.parametrize("level", ["CanNotDelete", "ReadOnly"])
def test_added_lock_is_enforced(az, level):
    az.group()
    add(az, lock(group_path(), level))
    assert az.refusal("DELETE", group_path()) == (409, "ScopeLocked")
    answer = az.send("PUT", resource_path(PIP, "p"), pip_body())
    assert (answer.status == 409) == (level == "ReadOnly")
    az.arm.reset()
    az.group()
    az.ok("DELETE", group_path())


SCOPE = f"/subscriptions/{FAKE_SUBSCRIPTION}"
POLICIES = {
    "Not allowed resource types": (
        {"listOfResourceTypesNotAllowed": [PIP]},
        resource_path(PIP, "p"),
        pip_body(),
    ),
    "Allowed resource types": (
        {"listOfResourceTypesAllowed": [NSG]},
        resource_path(PIP, "p"),
        pip_body(),
    ),
    "Allowed locations": (
        {"listOfAllowedLocations": ["West Europe"]},
        resource_path(PIP, "p"),
        pip_body(),
    ),
    "Allowed virtual machine size SKUs": (
        {"listOfAllowedSKUs": ["Standard_D4s_v5"]},
        vm_path(),
        vm_body(),
    ),
    "Require a tag on resources": ({"tagName": "cost"}, resource_path(PIP, "p"), pip_body()),
    "Network interfaces should not have public IPs": (
        {},
        resource_path("Microsoft.Network/networkInterfaces", "n"),
        nic_body(
            ipConfigurations=[
                {"name": "ip", "properties": {"publicIPAddress": {"id": resource_path(PIP, "p")}}}
            ]
        ),
    ),
}


@pytest.mark.parametrize("name", POLICIES)
def test_added_policy_denies_and_names_itself(az, name):
    parameters, path, body = POLICIES[name]
    az.network()
    assigned = policy(SCOPE, name, **parameters)
    add(az, assigned)
    answer = az.send("PUT", path, body)
    error = answer.body["error"]
    assert (answer.status, error["code"], error["target"]) == (
        403,
        "RequestDisallowedByPolicy",
        path.rsplit("/", 1)[1],
    )
    assert assigned["id"] in error["message"]
    (one,) = error["additionalInfo"]
    assert (one["type"], one["info"]["policyAssignmentId"]) == ("PolicyViolation", assigned["id"])
    assert one["info"]["policyDefinitionDisplayName"] == name
    assert one["info"]["policyAssignmentParameters"] == assigned["properties"]["parameters"]
    az.group("free")
    off = copy.deepcopy(assigned)
    off["properties"]["enforcementMode"] = "DoNotEnforce"
    add(az, off)
    assert az.send("PUT", path, body).status != 403


def test_added_policy_is_limited_to_its_scope(az):
    az.group()
    az.group("other")
    given = policy(group_path(), "Allowed locations", listOfAllowedLocations=["westeurope"])
    given["properties"]["nonComplianceMessages"] = [{"message": "Only in Europe."}]
    add(az, given)
    az.ok("PUT", resource_path(PIP, "p", "other"), pip_body())
    answer = az.send("PUT", resource_path(PIP, "p"), pip_body())
    assert "Reasons: 'Only in Europe.'" in answer.body["error"]["message"]


def test_locks_and_policies_are_not_listed(az):
    az.group()
    add(
        az,
        lock(group_path(), "ReadOnly"),
        policy(SCOPE, "Allowed locations", listOfAllowedLocations=[]),
    )
    assert az.get(f"{SCOPE}/resources")["value"] == []


def test_an_uploaded_disk_that_is_added_need_not_be_uploaded_again(az):
    given = {"id": resource_path("Microsoft.Compute/disks", "disk"), **upload_body()}
    given["properties"]["diskState"] = "Unattached"
    add(az, given)
    assert az.get(given["id"])["properties"]["diskState"] == "Unattached"
    given["properties"]["diskState"] = "ActiveUpload"
    (problem,) = az.arm.add([given]).problems
    assert problem.path == ("properties", "diskState")
