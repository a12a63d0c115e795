"""The subscription, its resource providers, and the URLs of operations."""

from functools import partial

from ccgpu.fakearm import errors, kinds, operations
from ccgpu.fakearm.call import IN_GROUP, IN_SUBSCRIPTION, ArmCall, Route, Routes, page_response
from ccgpu.fakearm.wire import Body, Response

TENANT_ID = "00000000-0000-4000-8000-00000000000a"
CALLER_OBJECT_ID = "00000000-0000-4000-8000-00000000000b"  # the caller's in the tenant
CALLER_NAME = "user@ccgpu.example"


def get_subscription(call: ArmCall) -> Response:
    subscription = call.world.subscription
    return Response(
        200,
        {
            "id": f"/subscriptions/{subscription}",
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionId": subscription,
            "tenantId": TENANT_ID,
            "displayName": "Simulated subscription",
            "state": call.world.settings.value("subscription_state"),
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
            },
        },
    )


def list_permissions(call: ArmCall) -> Response:
    """What the caller may do, one entry for each role; every grant is for the subscription."""
    foreign = call.world.subscription != call.world.home
    granted = call.world.settings.value("foreign_principal" if foreign else "principal")
    entry = {
        "actions": ["*"] if granted is None else granted,
        "notActions": [],
        "dataActions": [],
        "notDataActions": [],
    }
    return Response(200, {"value": [entry]})


def _provider_body(call: ArmCall, namespace: str, state: str) -> Body:
    return {
        "id": f"/subscriptions/{call.world.subscription}/providers/{namespace}",
        "namespace": namespace,
        "resourceTypes": _resource_types(call, namespace),
        "registrationState": state,
        "registrationPolicy": "RegistrationRequired",
    }


def _resource_types(call: ArmCall, namespace: str) -> list[Body]:
    """Of each provider only what clients ask for: the locations of virtual machines."""
    if namespace != "Microsoft.Compute":
        return []
    regions = call.world.settings.value("regions")
    named = {"resourceType": "virtualMachines", "apiVersions": [kinds.COMPUTE_API]}
    return [named | {"locations": regions}]


def get_provider(namespace: str, call: ArmCall) -> Response:
    state = call.world.settings.value("providers", namespace)
    return Response(200, _provider_body(call, namespace, state))


def list_providers(call: ArmCall) -> Response:
    known = call.world.settings.value("providers")
    return page_response(call, [_provider_body(call, *one) for one in sorted(known.items())])


def poll_operation(call: ArmCall) -> Response:
    return operations.poll(call.world, _find_operation(call), call.query)


def poll_compute(call: ArmCall) -> Response:
    """Compute's `Location` is the operation's URL with the option `monitor`."""
    if call.query.get("monitor") == "true":
        return poll_location(call)
    return poll_operation(call)


def poll_location(call: ArmCall) -> Response:
    return operations.poll_location(call.world, _find_operation(call), call.query, call.host)


def _find_operation(call: ArmCall) -> operations.Operation:
    found = operations.find_operation(call.world, call.names[-1])
    if found is None:
        raise errors.not_found(f"The operation '{call.names[-1]}' could not be found.")
    return found


_SIGNATURE_OPTIONS = frozenset("tcsh")
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
    ("GET", "subscriptions/*"): Route(get_subscription, kinds.SUBSCRIPTIONS_API),
    **{
        ("GET", f"{place}microsoft.authorization/permissions"): Route(
            list_permissions, kinds.AUTHORIZATION_API
        )
        for place in (IN_SUBSCRIPTION, IN_GROUP)
    },
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
        poll_compute, kinds.COMPUTE_API, _SIGNATURE_OPTIONS | {"p", "monitor"}
    ),
    ("GET", f"{_COMPUTE}/diskoperations/*"): Route(
        poll_compute, kinds.DISK_API, _SIGNATURE_OPTIONS | {"p", "monitor"}
    ),
    ("GET", f"{_NETWORK}/operations/*"): Route(
        poll_operation, kinds.NETWORK_API, _SIGNATURE_OPTIONS
    ),
    ("GET", f"{_NETWORK}/operationresults/*"): Route(
        poll_location, kinds.NETWORK_API, _SIGNATURE_OPTIONS
    ),
    ("GET", "subscriptions/*/operationresults/*"): Route(
        poll_location, kinds.RESOURCES_API, _SIGNATURE_OPTIONS
    ),
}
