"""The subscription, its resource providers, and the URLs of operations."""

from functools import partial

from ccgpu.fakearm import errors, kinds, operations
from ccgpu.fakearm.call import IN_GROUP, IN_SUBSCRIPTION, ArmCall, Route, Routes, page_response
from ccgpu.fakearm.wire import Body, Response

TENANT_ID = "00000000-0000-4000-8000-00000000000a"
CALLER_OBJECT_ID = "00000000-0000-4000-8000-00000000000b"  # the caller's in the tenant
CALLER_NAME = "user@ccgpu.example"


def get_subscription(call: ArmCall) -> Response:
    return Response(200, _subscription_body(call))


def list_subscriptions(call: ArmCall) -> Response:
    return page_response(call, [_subscription_body(call)])


def list_tenants(call: ArmCall) -> Response:
    tenant = {"id": f"/tenants/{TENANT_ID}", "tenantId": TENANT_ID, "tenantCategory": "Home"}
    named = {"displayName": "Simulated tenant", "countryCode": "DE", "domains": []}
    return page_response(call, [tenant | named])


def list_locations(call: ArmCall) -> Response:
    """The regions of the subscription, in the form of this list."""
    subscription = call.world.subscription
    return page_response(
        call,
        [
            {
                "id": f"/subscriptions/{subscription}/locations/{region}",
                "name": region,
                "type": "Region",
                "displayName": region,
                "regionalDisplayName": region,
                "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
            }
            for region in call.world.settings.value("regions")
        ],
    )


def _subscription_body(call: ArmCall) -> Body:
    subscription = call.world.subscription
    return {
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
    }


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
    """The provider's types that the fake has, each with the one API version of the fake."""
    regions = call.world.settings.value("regions")
    return [
        {
            "resourceType": kind.removeprefix(f"{namespace}/"),
            "apiVersions": [api],
            "defaultApiVersion": api,
            "locations": regions,
            "capabilities": "None",
        }
        for kind, api in kinds.API.items()
        if kind.startswith(f"{namespace}/")
    ]


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
    ("GET", "subscriptions"): Route(list_subscriptions, kinds.SUBSCRIPTIONS_API),
    ("GET", "tenants"): Route(list_tenants, kinds.SUBSCRIPTIONS_API),
    ("GET", "subscriptions/*"): Route(get_subscription, kinds.SUBSCRIPTIONS_API),
    ("GET", "subscriptions/*/locations"): Route(
        list_locations, kinds.SUBSCRIPTIONS_API, frozenset({"includeExtendedLocations"})
    ),
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
    ("GET", f"{_COMPUTE}/capsoperations/*"): Route(
        poll_compute, kinds.GALLERY_API, _SIGNATURE_OPTIONS | {"p", "monitor"}
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
