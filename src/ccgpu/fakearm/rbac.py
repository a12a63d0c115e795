"""Role-based access: a request needs its own action, and linked actions on what it references.

The setting `principal` is None for an owner, or the list of granted actions, with `*` as in role
definitions; `foreign_principal` is the same for other subscriptions. A test checks that every route
has an action in `ACTIONS`.

Action names: Microsoft Learn, "Azure permissions" (operations of the resource providers).
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from ccgpu.fakearm import kinds, linked
from ccgpu.fakearm.call import IN_GROUP, IN_SUBSCRIPTION, ArmCall
from ccgpu.fakearm.errors import GATEWAY, Refused
from ccgpu.fakearm.resources import locks
from ccgpu.fakearm.subscription import CALLER_NAME, CALLER_OBJECT_ID, PROVIDERS
from ccgpu.fakearm.world import World

Actions = dict[tuple[str, str], str]
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_SUBSCRIPTION = "Microsoft.Resources/subscriptions"
_PUBLISHERS = "Microsoft.Compute/locations/publishers"
# Reads below a region; the action omits the variable parts of the path.
_LOCATION_ACTIONS = {
    "operations/*": "Microsoft.Compute/locations/operations",
    "diskoperations/*": "Microsoft.Compute/locations/diskOperations",
    "capsoperations/*": "Microsoft.Compute/locations/capsOperations",
    "vmsizes": "Microsoft.Compute/locations/vmSizes",
    "publishers": _PUBLISHERS,
    "publishers/*/artifacttypes/*/offers": f"{_PUBLISHERS}/artifacttypes/offers",
    "publishers/*/artifacttypes/*/offers/*/skus": f"{_PUBLISHERS}/artifacttypes/offers/skus",
    "usages": "Microsoft.Compute/locations/usages",
}
GRAPH_ACTION = "Microsoft.ResourceGraph/resources/read"
GRAPH_ROUTE = ("POST", "providers/microsoft.resourcegraph/resources")
_PERMISSIONS = "Microsoft.Authorization/permissions/read"
_RULE = f"{kinds.NSG}/securityRules"
_PLATFORM = "publishers/*/artifacttypes/*/offers/*/skus/*/versions"
_PLATFORM_ACTION = "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions"


def _kind_actions(kind: str, path: str, *methods: str) -> Actions:
    """The actions to read one resource, to list them, and to call `methods` on one."""
    actions = {("GET", path): f"{kind}/read", ("GET", f"{path}/*"): f"{kind}/read"}
    return actions | {(verb, f"{path}/*"): f"{kind}/{_VERBS[verb]}" for verb in methods}


def _tracked_actions() -> Actions:
    """The actions of the types in a group. Listing a subscription needs the same read action."""
    actions: Actions = {}
    for kind in kinds.API.keys() - {kinds.GROUP}:
        path = f"{IN_GROUP}{kinds.list_path(kind)}"
        actions |= _kind_actions(kind, path, "PUT", "PATCH", "DELETE")
        if not kinds.is_nested(kind):
            actions["GET", f"{IN_SUBSCRIPTION}{kind.lower()}"] = f"{kind}/read"
    for name in ("beginGetAccess", "endGetAccess"):
        path = f"{IN_GROUP}{kinds.DISK.lower()}/*/{name.lower()}"
        actions["POST", path] = f"{kinds.DISK}/{name}/action"
    return actions


def _vm_actions() -> Actions:
    """The actions on a VM besides those of every type."""
    one = f"{IN_GROUP}{kinds.VM.lower()}/*"
    done = (
        *("start", "restart", "deallocate", "powerOff", "reapply"),
        *("retrieveBootDiagnosticsData", "runCommand"),
    )
    actions = {("POST", f"{one}/{name.lower()}"): f"{kinds.VM}/{name}/action" for name in done}
    return actions | {
        ("GET", f"{one}/instanceview"): f"{kinds.VM}/instanceView/read",
        ("GET", f"{one}/extensions"): f"{kinds.VM}/extensions/read",
    }


def _location_actions() -> Actions:
    compute = f"{IN_SUBSCRIPTION}microsoft.compute/locations/*"
    network = f"{IN_SUBSCRIPTION}microsoft.network/locations/*"
    actions = {
        ("GET", f"{compute}/{path}"): f"{name}/read" for path, name in _LOCATION_ACTIONS.items()
    }
    for name in ("operations", "operationResults"):
        action = f"Microsoft.Network/locations/{name}/read"
        actions["GET", f"{network}/{name.lower()}/*"] = action
    return actions | _kind_actions(_PLATFORM_ACTION, f"{compute}/{_PLATFORM}")


def _gallery_actions() -> Actions:
    compute = f"{IN_SUBSCRIPTION}microsoft.compute/locations/*"
    actions: Actions = {}
    for path, kind in (
        (f"{compute}/communitygalleries/*", "Microsoft.Compute/locations/communityGalleries"),
        (f"{compute}/sharedgalleries/*", "Microsoft.Compute/locations/sharedGalleries"),
    ):
        actions["GET", f"{path}/images/*"] = f"{kind}/images/read"
        actions |= _kind_actions(f"{kind}/images/versions", f"{path}/images/*/versions")
    return actions


def _authorization_actions() -> Actions:
    """Of locks, role assignments and role definitions."""
    actions: Actions = {}
    for place in locks.PLACES:
        path = f"{place}{kinds.LOCK.lower()}"
        actions |= _kind_actions(kinds.LOCK, path, "PUT", "DELETE")
    for place in (IN_SUBSCRIPTION, IN_GROUP):
        for kind in ("roleAssignments", "roleDefinitions"):
            action = f"Microsoft.Authorization/{kind}/read"
            actions["GET", f"{place}microsoft.authorization/{kind.lower()}"] = action
    actions["GET", f"{IN_SUBSCRIPTION}microsoft.authorization/roledefinitions/*"] = (
        "Microsoft.Authorization/roleDefinitions/read"
    )
    return actions


def _subscription_actions() -> Actions:
    groups, group = "subscriptions/*/resourcegroups", f"{_SUBSCRIPTION}/resourceGroups"
    providers = f"{_SUBSCRIPTION}/providers/read"
    return {
        **{
            ("GET", f"{place}microsoft.authorization/permissions"): _PERMISSIONS
            for place in (IN_SUBSCRIPTION, IN_GROUP)
        },
        ("GET", "subscriptions"): f"{_SUBSCRIPTION}/read",
        ("GET", "tenants"): "Microsoft.Resources/tenants/read",
        ("GET", "subscriptions/*/locations"): f"{_SUBSCRIPTION}/locations/read",
        ("GET", "subscriptions/*"): f"{_SUBSCRIPTION}/read",
        ("GET", "subscriptions/*/providers"): providers,
        **{("GET", f"{IN_SUBSCRIPTION}{name.lower()}"): providers for name in PROVIDERS},
        ("GET", "subscriptions/*/operationresults/*"): f"{_SUBSCRIPTION}/operationresults/read",
        **_kind_actions(group, groups, "HEAD", "PUT", "PATCH", "DELETE"),
        ("GET", f"{groups}/*/resources"): f"{group}/resources/read",
        ("GET", "subscriptions/*/resources"): f"{_SUBSCRIPTION}/resources/read",
        ("GET", f"{IN_SUBSCRIPTION}microsoft.compute/skus"): "Microsoft.Compute/skus/read",
    }


ACTIONS: Actions = {
    **_subscription_actions(),
    GRAPH_ROUTE: GRAPH_ACTION,
    **_tracked_actions(),
    **_kind_actions(_RULE, f"{IN_GROUP}{kinds.NSG.lower()}/*/securityrules", "PUT", "DELETE"),
    **_kind_actions(linked.SUBNET, f"{IN_GROUP}{kinds.VNET.lower()}/*/subnets", "PUT", "DELETE"),
    **_vm_actions(),
    **_location_actions(),
    **_gallery_actions(),
    **_authorization_actions(),
    **{
        ("GET", f"{place}{kinds.IMAGE.lower()}"): f"{kinds.IMAGE}/read"
        for place in (IN_SUBSCRIPTION, IN_GROUP)
    },
    ("GET", f"{IN_GROUP}{kinds.NSG.lower()}/*/defaultsecurityrules"): (
        f"{kinds.NSG}/defaultSecurityRules/read"
    ),
    ("GET", f"{IN_GROUP}{kinds.VAULT.lower()}/*"): f"{kinds.VAULT}/read",
    (
        "GET",
        f"{IN_GROUP}{kinds.VAULT.lower()}/*/providers/{kinds.ROLE_ASSIGNMENT.lower()}",
    ): f"{kinds.ROLE_ASSIGNMENT}/read",
    ("GET", f"{IN_SUBSCRIPTION}{kinds.ROLE_DEFINITION.lower()}/*"): f"{kinds.ROLE_DEFINITION}/read",
}


def check(call: ArmCall, route: tuple[str, str]) -> None:
    """Refuse what the principal may not do. This comes before any lookup."""
    world = call.world
    if _granted_actions(world, "") is None and world.settings.value("foreign_principal") is None:
        return
    action, scope = ACTIONS[route], resource_scope(call.request.path)
    if not is_allowed(world, action, scope):
        raise _authorization_refusal(action, scope)
    missing = [
        one for one in linked.linked_actions(call) if not is_allowed(world, one.action, one.scope)
    ]
    if missing:
        raise _linked_authorization_refusal(action, scope, missing)


def _granted_actions(world: World, scope: str) -> list[str] | None:
    """The actions granted in the scope's subscription; None for all."""
    home = f"/subscriptions/{world.home}".lower()
    other = scope.lower().startswith("/subscriptions/") and not f"{scope.lower()}/".startswith(
        f"{home}/"
    )
    granted: list[str] | None = world.settings.value("foreign_principal" if other else "principal")
    return granted


def is_allowed(world: World, action: str, scope: str) -> bool:
    """Whether the principal may perform an action in a scope."""
    granted = _granted_actions(world, scope)
    return granted is None or bool(granted and _compile_grants(tuple(granted)).fullmatch(action))


@lru_cache(maxsize=64)
def _compile_grants(granted: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern that matches every granted action. `*` matches any text; case is ignored."""
    each = (".*".join(re.escape(part) for part in one.split("*")) for one in granted)
    return re.compile("|".join(each), re.IGNORECASE)


def resource_scope(path: str) -> str:
    """The resource in a path, without the name of a list or an action at its end."""
    parts = path.strip("/").split("/")
    return "/" + "/".join(parts[: len(parts) // 2 * 2])


_CALLER = f"The client '{CALLER_NAME}' with object id '{CALLER_OBJECT_ID}'"


def _authorization_refusal(action: str, scope: str) -> Refused:
    return Refused(
        403,
        "AuthorizationFailed",
        f"{_CALLER} does not have authorization to perform action '{action}' over scope '{scope}' "
        "or the scope is invalid. If access was recently granted, please refresh your credentials.",
        headers=GATEWAY,
    )


def _linked_authorization_refusal(
    action: str, scope: str, missing: Sequence[linked.LinkedAction]
) -> Refused:
    actions = ",".join(one.action for one in missing)
    scopes = ",".join(one.scope for one in missing)
    return Refused(
        403,
        "LinkedAuthorizationFailed",
        f"{_CALLER} has permission to perform action '{action}' on scope '{scope}'; however, it "
        f"does not have permission to perform action(s) '{actions}' on the linked scope(s) "
        f"'{scopes}' (respectively) or the linked scope(s) are invalid.",
        headers=GATEWAY,
    )
