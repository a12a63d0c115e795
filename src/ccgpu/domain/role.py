"""The least-privilege custom role of a spec: the actions that our own requests need, and where.

One table a purpose; what is put is taken from `desired`, so that a resource that is no longer made
asks for no action. Action names: Microsoft Learn, "Azure permissions" (the providers' operations).
Deliberately absent: role assignments, Run Command, extensions, keys, registering of providers.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names, Placement, RunTags, desired_resources
from ccgpu.domain.image import Community, Gallery, Marketplace
from ccgpu.domain.references import DISK_ENCRYPTION_SET, USER_IDENTITY
from ccgpu.domain.resource import group_of, subscription_of

if TYPE_CHECKING:
    from ccgpu.domain.spec.vm import VmSpec

PROVIDERS_READ = "Microsoft.Resources/subscriptions/providers/read"
_GROUP = "Microsoft.Resources/subscriptions/resourceGroups"
_ANYWHERE = "Microsoft.Compute/locations"

# Looked at before every create, delete, show and gc: the names a deployment may have, whether this
# spec has them or not, and what hangs on the VM.
_LOOKED_AT = (Kind.VM, Kind.VNET, Kind.NSG, Kind.NAT, Kind.PUBLIC_IP, Kind.NIC, Kind.DISK)
# `start`, `stop`, `restart`.
_VERBS = ("start", "deallocate", "restart")
# Where an accepted write is asked after: without it a command follows the resource itself to its
# end, and then fails, for it could not have said why a write failed. It needs rights at the level
# of the group, and none above it (Microsoft Learn, "Track asynchronous Azure operations").
_POLLS = (
    f"{_ANYWHERE}/operations/read",
    f"{_ANYWHERE}/diskOperations/read",
    "Microsoft.Network/locations/operations/read",
)
# What is read of the subscription: sizes and quota before a create; the groups and resources that
# carry our tags, for `list`, `gc`, and every command that is given no group.
_SEARCHES = (
    "Microsoft.Compute/skus/read",
    f"{_ANYWHERE}/usages/read",
    f"{_GROUP}/read",
    "Microsoft.Resources/subscriptions/resources/read",
    # Which providers are registered, and where there are VMs. It is asked before a create; without
    # this right the answer to the first PUT says it.
    PROVIDERS_READ,
)
# A group that is made for the deployment, and deleted when nothing else is in it.
_OWN_GROUP = (
    f"{_GROUP}/write",
    f"{_GROUP}/delete",
    f"{_GROUP}/resources/read",
    "Microsoft.Resources/subscriptions/operationresults/read",
)
_MARKETPLACE = f"{_ANYWHERE}/publishers/artifacttypes/offers/skus/versions/read"
_COMMUNITY = f"{_ANYWHERE}/communityGalleries/images/versions/read"


class PermissionNeed(NamedTuple):
    """An action, and the scope (an id) that it is needed at."""

    action: str
    scope: str


def permission_needs(spec: "VmSpec", subscription: str) -> tuple[PermissionNeed, ...]:
    """All that plan, create, list, show, start, stop, restart, extend, delete and gc need."""
    names = Names(subscription, spec.group, spec.name)
    top, group = f"/subscriptions/{subscription}", names.of(Kind.GROUP)
    made = _created_needs(spec, subscription)
    found = [PermissionNeed(action, top) for action in (*_SEARCHES, *_image_searches(spec))]
    found += [PermissionNeed(action, group) for action in (*_group_needs(spec, made), *_POLLS)]
    if spec.resource_group is None:  # the deployment's own: there is no group yet to assign it at
        found += [PermissionNeed(action, top) for action in _OWN_GROUP]
    return tuple(dict.fromkeys([*found, *_reference_needs(spec)]))


def _created_needs(spec: "VmSpec", subscription: str) -> set[Kind]:
    """The kinds that are put, or made by what is put; a group is looked at by itself."""
    wanted = desired_resources(spec, subscription, Placement("", None, {}), RunTags("", ""))
    public = set() if spec.private else {Kind.PUBLIC_IP}
    return {one.kind for one in wanted.values()} - {Kind.GROUP} | {Kind.NIC, Kind.DISK} | public


def _group_needs(spec: "VmSpec", made: set[Kind]) -> Iterator[str]:
    yield f"{_GROUP}/read"
    yield from (f"{kind}/read" for kind in _LOOKED_AT)
    for kind in sorted(made):
        yield from (f"{kind}/write", f"{kind}/delete")
    yield from (f"{Kind.VM}/{verb}/action" for verb in _VERBS)
    # What a body refers to must be joinable; without it: `LinkedAuthorizationFailed`.
    referred = made & {Kind.NSG, Kind.PUBLIC_IP, Kind.NAT, Kind.NIC}
    yield from (f"{kind}/join/action" for kind in sorted(referred))
    if spec.subnet is None:
        yield f"{Kind.VNET}/subnets/join/action"


def _image_searches(spec: "VmSpec") -> Iterator[str]:
    image = spec.image_reference
    if isinstance(image, Marketplace):
        yield _MARKETPLACE
    if isinstance(image, Community):
        yield _COMMUNITY


def _reference_needs(spec: "VmSpec") -> Iterator[PermissionNeed]:
    """What is somebody else's: it is read or joined where it is, and never written."""
    if spec.subnet:
        at = _group_scope(spec.subnet)
        yield PermissionNeed(f"{Kind.VNET}/read", at)
        yield PermissionNeed(f"{Kind.VNET}/subnets/join/action", at)
    if spec.os_disk.encryption_set:
        yield PermissionNeed(
            f"{DISK_ENCRYPTION_SET}/read", _group_scope(spec.os_disk.encryption_set)
        )
    for one in spec.identities:
        if one != "system":
            yield PermissionNeed(f"{USER_IDENTITY}/read", _group_scope(one))
            yield PermissionNeed(f"{USER_IDENTITY}/assign/action", _group_scope(one))
    if isinstance(image := spec.image_reference, Gallery):
        kind = "galleries/images/versions" if "/versions/" in image.id else "galleries/images"
        yield PermissionNeed(f"Microsoft.Compute/{kind}/read", _group_scope(image.id))


def _group_scope(id_: str) -> str:
    return f"/subscriptions/{subscription_of(id_)}/resourceGroups/{group_of(id_)}"


def role_definition(
    needed: Iterable[PermissionNeed], name: str, scopes: Iterable[str]
) -> dict[str, Any]:
    """The role as Azure takes it (`az role definition create --role-definition`)."""
    return {
        "Name": name,
        "IsCustom": True,
        "Description": "What ccgpu needs for one spec, and nothing besides.",
        "Actions": sorted({one.action for one in needed}, key=str.casefold),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": list(dict.fromkeys(scopes)),
    }


def subscription_role(spec: "VmSpec", subscription: str) -> dict[str, Any]:
    """One role for everything, to be assigned at the subscription."""
    needed = permission_needs(spec, subscription)
    others = sorted({f"/subscriptions/{one.scope.split('/')[2]}" for one in needed})
    own = f"/subscriptions/{subscription}"
    return role_definition(needed, f"ccgpu {spec.name}", [own, *others])


def group_role(
    spec: "VmSpec", subscription: str
) -> tuple[dict[str, Any], tuple[PermissionNeed, ...]]:
    """The part that can be assigned at the deployment's group alone, and the rest."""
    group = Names(subscription, spec.group, spec.name).of(Kind.GROUP)
    needed = permission_needs(spec, subscription)
    inside = [one for one in needed if one.scope == group]
    rest = tuple(one for one in needed if one.scope != group)
    return role_definition(inside, f"ccgpu {spec.name} in {spec.group}", [group]), rest
