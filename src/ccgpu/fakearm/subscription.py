"""The subscription itself, its resource providers, and the addresses of operations."""

from functools import partial

from ccgpu.fakearm import errors, kinds, operations
from ccgpu.fakearm.call import IN_SUBSCRIPTION, Call, Route, Routes, paged
from ccgpu.fakearm.wire import Answer, Body

TENANT = "00000000-0000-4000-8000-00000000000a"
OBJECT = "00000000-0000-4000-8000-00000000000b"  # the caller, in the tenant's directory
CLIENT = "user@ccgpu.example"


def get(call: Call) -> Answer:
    subscription = call.world.subscription
    return Answer(
        200,
        {
            "id": f"/subscriptions/{subscription}",
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionId": subscription,
            "tenantId": TENANT,
            "displayName": "Simulated subscription",
            "state": "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
            },
        },
    )


def _provider(call: Call, namespace: str, state: str) -> Body:
    return {
        "id": f"/subscriptions/{call.world.subscription}/providers/{namespace}",
        "namespace": namespace,
        "resourceTypes": _resource_types(call, namespace),
        "registrationState": state,
        "registrationPolicy": "RegistrationRequired",
    }


def _resource_types(call: Call, namespace: str) -> list[Body]:
    """Of each provider only what is asked for: where virtual machines can be."""
    if namespace != "Microsoft.Compute":
        return []
    regions = call.world.settings.at("regions")
    named = {"resourceType": "virtualMachines", "apiVersions": [kinds.COMPUTE_API]}
    return [named | {"locations": regions}]


def get_provider(namespace: str, call: Call) -> Answer:
    state = call.world.settings.at("providers", namespace)
    return Answer(200, _provider(call, namespace, state))


def list_providers(call: Call) -> Answer:
    known = call.world.settings.at("providers")
    return paged(call, [_provider(call, *one) for one in sorted(known.items())])


def poll(call: Call) -> Answer:
    return operations.poll(call.world, _operation(call), call.query)


def poll_compute(call: Call) -> Answer:
    """`Location` of compute is the operation's address with one option more."""
    if call.query.get("monitor") == "true":
        return poll_location(call)
    return poll(call)


def poll_location(call: Call) -> Answer:
    return operations.poll_location(call.world, _operation(call), call.query, call.host)


def _operation(call: Call) -> operations.Operation:
    found = operations.find(call.world, call.names[-1])
    if found is None:
        raise errors.not_found(f"The operation '{call.names[-1]}' could not be found.")
    return found


_SIGNED = frozenset("tcsh")
_COMPUTE = f"{IN_SUBSCRIPTION}microsoft.compute/locations/*"
_NETWORK = f"{IN_SUBSCRIPTION}microsoft.network/locations/*"
PROVIDERS = (
    "Microsoft.Compute",
    "Microsoft.Network",
    "Microsoft.Storage",
    "Microsoft.ManagedIdentity",
    "Microsoft.KeyVault",
)
ROUTES: Routes = {
    ("GET", "subscriptions/*"): Route(get, kinds.SUBSCRIPTIONS_API),
    ("GET", "subscriptions/*/providers"): Route(
        list_providers, kinds.RESOURCES_API, frozenset({"$skiptoken"})
    ),
    **{
        ("GET", f"{IN_SUBSCRIPTION}{name.lower()}"): Route(
            partial(get_provider, name), kinds.RESOURCES_API
        )
        for name in PROVIDERS
    },
    ("GET", f"{_COMPUTE}/operations/*"): Route(
        poll_compute, kinds.COMPUTE_API, _SIGNED | {"p", "monitor"}
    ),
    ("GET", f"{_COMPUTE}/diskoperations/*"): Route(
        poll_compute, kinds.DISK_API, _SIGNED | {"p", "monitor"}
    ),
    ("GET", f"{_NETWORK}/operations/*"): Route(poll, kinds.NETWORK_API, _SIGNED),
    ("GET", f"{_NETWORK}/operationresults/*"): Route(poll_location, kinds.NETWORK_API, _SIGNED),
    ("GET", "subscriptions/*/operationresults/*"): Route(
        poll_location, kinds.RESOURCES_API, _SIGNED
    ),
}
