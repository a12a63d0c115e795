"""Resources of an unregistered provider cannot be created."""

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, scenarios
from support.arm import disk_body, group_path, nsg_body, resource_path, vm_body, vm_path

NSG = resource_path("Microsoft.Network/networkSecurityGroups", "n")
DISK = resource_path("Microsoft.Compute/disks", "d")
PROVIDERS = f"/subscriptions/{FAKE_SUBSCRIPTION}/providers"


def state(az, namespace):
    return az.get(f"{PROVIDERS}/{namespace}", api="2025-04-01")["registrationState"]


def test_unregistered_provider_refuses_puts(az):
    az.network()
    scenarios.apply(az.arm, "provider-not-registered")
    assert state(az, "Microsoft.Compute") == state(az, "Microsoft.Network") == "NotRegistered"
    assert state(az, "Microsoft.Storage") == "Registered"
    for path, body, namespace in (
        (vm_path(), vm_body(), "Microsoft.Compute"),
        (DISK, disk_body(), "Microsoft.Compute"),
        (NSG, nsg_body(), "Microsoft.Network"),
        (f"{NSG}/securityRules/x", {}, "Microsoft.Network"),
    ):
        answer = az.send("PUT", path, body)
        error = answer.body["error"]
        assert (answer.status, error["code"]) == (409, "MissingSubscriptionRegistration")
        assert f"namespace '{namespace}'" in error["message"]
        assert [(one["code"], one["target"]) for one in error["details"]] == [
            ("MissingSubscriptionRegistration", namespace)
        ]
    assert az.status(vm_path()) == 404
    az.group("other")
    az.complete("DELETE", resource_path("Microsoft.Network/networkSecurityGroups", "nsg2"))
    scenarios.apply(az.arm, "usual")
    az.complete("PUT", vm_path(), vm_body())


@pytest.mark.parametrize(
    ("state_", "refused"),
    [
        ("Registered", False),
        ("Registering", False),
        ("Unregistering", True),
        ("NotRegistered", True),
    ],
)
def test_other_providers_are_unaffected(az, state_, refused):
    az.group()
    az.arm.settings.set("providers", "Microsoft.Network", value=state_)
    assert az.ok("PUT", DISK, disk_body())
    assert (az.send("PUT", NSG, nsg_body()).status == 409) == refused


def test_authorization_is_checked_before_registration(az):
    az.group()
    az.arm.settings.set("providers", "Microsoft.Compute", value="NotRegistered")
    az.arm.settings.set("principal", value=["*/read"])
    assert az.refusal("PUT", DISK, disk_body()) == (403, "AuthorizationFailed")
    assert az.status(group_path()) == 200


def test_a_scenario_names_providers_and_states_that_are_known():
    given = {"providers": {"Microsoft.Compute": "Off", "Microsoft.Sql": "Registered"}}
    assert [one.path for one in scenarios.find_problems(given)] == [
        ("providers", "Microsoft.Sql"),
        ("providers", "Microsoft.Compute"),
    ]


def test_a_disabled_subscription_refuses_writes_and_allows_reads_and_deletes(az):
    az.group()
    az.complete("PUT", NSG, nsg_body())
    scenarios.apply(az.arm, "subscription-disabled")
    subscription = az.get(f"/subscriptions/{FAKE_SUBSCRIPTION}", api="2022-12-01")
    assert subscription["state"] == "Disabled"
    answer = az.send("PUT", DISK, disk_body())
    assert (answer.status, answer.body["error"]["code"]) == (409, "ReadOnlyDisabledSubscription")
    assert az.status(NSG) == 200
    az.complete("DELETE", NSG)


@pytest.mark.parametrize("state_", ["Enabled", "Warned", "PastDue"])
def test_other_states_of_the_subscription_refuse_nothing(az, state_):
    az.group()
    az.arm.settings.set("subscription_state", value=state_)
    az.complete("PUT", NSG, nsg_body())


def test_permissions_are_listed_at_the_subscription_and_its_groups(az):
    az.group()
    for scope in (f"/subscriptions/{FAKE_SUBSCRIPTION}", group_path()):
        path = f"{scope}/providers/Microsoft.Authorization/permissions"
        (role,) = az.get(path, api="2022-04-01")["value"]
        assert (role["actions"], role["notActions"]) == (["*"], [])
    az.arm.settings.set("principal", value=["Microsoft.Compute/*"])
    answer = az.send("GET", path, api="2022-04-01")
    assert (answer.status, answer.body["error"]["code"]) == (403, "AuthorizationFailed")
