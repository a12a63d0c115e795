"""The least-privilege custom role of a spec: the actions that ccgpu needs, and their scopes.

Each table below serves one purpose. The kinds that are PUT come from `desired`. Action names:
Microsoft Learn, "Azure permissions" (the providers' operations). Deliberately absent: role
assignments, extensions, keys, the registration of providers, and Run Command, unless it is asked
for.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names, Placement, RunTags, desired_resources
from ccgpu.domain.image import Community, Gallery, Marketplace, is_versioned
from ccgpu.domain.references import DISK_ENCRYPTION_SET, USER_IDENTITY
from ccgpu.domain.resource import group_id, group_of, subscription_of

if TYPE_CHECKING:
    from ccgpu.domain.spec.vm import VmSpec

PROVIDERS_READ = "Microsoft.Resources/subscriptions/providers/read"
GRAPH_READ = "Microsoft.ResourceGraph/resources/read"
# Reads without which every command works, and what is lost.
DISPENSABLE = {
    PROVIDERS_READ: "an unregistered provider shows only at a create",
    GRAPH_READ: "`list` sends more requests where there are more than 50 VMs",
}
_GROUP = "Microsoft.Resources/subscriptions/resourceGroups"
_COMPUTE_LOCATIONS = "Microsoft.Compute/locations"

# Kinds that every create, delete, show and gc reads: all that a deployment may have, even if this
# spec does not use them, and the VM's interface and disks.
_KINDS_READ = (Kind.VM, Kind.VNET, Kind.NSG, Kind.NAT, Kind.PUBLIC_IP, Kind.NIC, Kind.DISK)
# `start`, `stop`, `restart`; the serial log, which has the VM's SSH host key.
_VM_ACTIONS = ("start", "deallocate", "restart", "retrieveBootDiagnosticsData")
# Status URLs of asynchronous operations. Without them a command polls the resource itself, and then
# fails, because it cannot learn why a write failed. Rights on the group are enough (Microsoft
# Learn, "Track asynchronous Azure operations").
_OPERATION_READS = (
    f"{_COMPUTE_LOCATIONS}/operations/read",
    f"{_COMPUTE_LOCATIONS}/diskOperations/read",
    "Microsoft.Network/locations/operations/read",
)
# Reads at the subscription: sizes and quota before a create; groups and resources with ccgpu's
# tags for `list`, `gc` and every command without `--resource-group`.
_SUBSCRIPTION_READS = (
    "Microsoft.Compute/skus/read",
    f"{_COMPUTE_LOCATIONS}/usages/read",
    f"{_GROUP}/read",
    "Microsoft.Resources/subscriptions/resources/read",
    # Registered providers, and the regions that have VMs. A create reads them. Without this right,
    # ARM's response to the first PUT names an unregistered provider.
    PROVIDERS_READ,
    # The VMs behind the first page of Azure's list, for `list`.
    GRAPH_READ,
)
_OPERATION_RESULTS = "Microsoft.Resources/subscriptions/operationresults/read"
# Actions on a resource group that ccgpu creates, and deletes once it is empty.
_OWN_GROUP_ACTIONS = (
    f"{_GROUP}/write",
    f"{_GROUP}/delete",
    f"{_GROUP}/resources/read",
    _OPERATION_RESULTS,
)
# Root in every VM of the scope, so only for who asks for it.
_RUN_COMMAND = f"{Kind.VM}/runCommand/action"
_MARKETPLACE = f"{_COMPUTE_LOCATIONS}/publishers/artifacttypes/offers/skus/versions/read"
_GALLERY_IMAGES = "Microsoft.Compute/galleries/images"
_COMMUNITY = f"{_COMPUTE_LOCATIONS}/communityGalleries/images/versions/read"


# `image publish` in the group of a gallery: what it makes, what it deletes again, and the disk that
# it writes. A version of a disk needs the right to read the disk's bytes (`beginGetAccess`), too.
_PUBLISH = (
    f"{_GROUP}/read",
    *(
        f"{kind}/{verb}"
        for kind in (Kind.GALLERY, Kind.GALLERY_IMAGE, Kind.GALLERY_VERSION, Kind.DISK)
        for verb in ("read", "write")
    ),
    f"{Kind.GALLERY_VERSION}/delete",
    f"{Kind.DISK}/delete",
    f"{Kind.DISK}/beginGetAccess/action",
    f"{Kind.DISK}/endGetAccess/action",
    f"{_COMPUTE_LOCATIONS}/capsOperations/read",
    f"{_COMPUTE_LOCATIONS}/diskOperations/read",
)
# A deployment of an ARM template: it is validated, written, polled, read (Microsoft Learn, "Azure
# permissions", Microsoft.Resources). `deployments/*` would also delete and export others.
_DEPLOYMENT = tuple(
    f"Microsoft.Resources/deployments/{verb}"
    for verb in (
        *("read", "write", "validate/action", "whatIf/action"),
        *("operations/read", "operationstatuses/read"),
    )
)


class Rendered(StrEnum):
    """What `render` prints, and takes rights that ccgpu's own commands do not need."""

    ARM = "arm"
    AZ = "az"


class PermissionNeed(NamedTuple):
    """An action, and the scope (an ARM id) at which it is needed."""

    action: str
    scope: str


class RoleExtras(NamedTuple):
    """What a role allows besides, if it is asked for.

    run_command: `exec --via run-command`. gallery_group: `image publish` to galleries of this
    group; with makes_gallery_group it may make that group, too. rendered: deploying these.
    """

    run_command: bool = False
    gallery_group: str | None = None
    makes_gallery_group: bool = False
    rendered: tuple[Rendered, ...] = ()


NO_EXTRAS = RoleExtras()


def permission_needs(
    spec: "VmSpec", subscription: str, extras: RoleExtras = NO_EXTRAS
) -> tuple[PermissionNeed, ...]:
    """The permissions of every command, and of what is asked for besides."""
    names = Names(subscription, spec.group, spec.name)
    top, group = f"/subscriptions/{subscription}", names.of(Kind.GROUP)
    created = _created_kinds(spec, subscription)
    needs = [PermissionNeed(action, top) for action in (*_SUBSCRIPTION_READS, *_image_reads(spec))]
    needs += [
        PermissionNeed(action, group)
        for action in (*_group_actions(spec, created), *_OPERATION_READS)
    ]
    if extras.run_command:
        needs.append(PermissionNeed(_RUN_COMMAND, group))
    if extras.gallery_group is not None:
        there = group_id(subscription, extras.gallery_group)
        needs += [PermissionNeed(action, there) for action in _PUBLISH]
    if extras.makes_gallery_group:  # no role can be assigned at a group that is not there
        needs.append(PermissionNeed(f"{_GROUP}/write", top))
    needs += _rendered_needs(spec, extras.rendered, top, group)
    if spec.resource_group is None:  # ccgpu creates the group, so no role can be assigned there yet
        needs += [PermissionNeed(action, top) for action in _OWN_GROUP_ACTIONS]
    return tuple(dict.fromkeys([*needs, *_reference_needs(spec)]))


def _rendered_needs(
    spec: "VmSpec", rendered: Iterable[Rendered], top: str, group: str
) -> Iterator[PermissionNeed]:
    """Permissions of the tools that deploy what `render` prints for this spec."""
    theirs = spec.resource_group is not None  # else the template is one of the subscription
    if Rendered.ARM in rendered:
        for action in _DEPLOYMENT:
            yield PermissionNeed(action, group if theirs else top)
        yield PermissionNeed(_OPERATION_RESULTS, top)  # of what-if
    if Rendered.AZ in rendered and theirs:  # the script lists the group, to overwrite nothing
        yield PermissionNeed(f"{_GROUP}/resources/read", group)


def _created_kinds(spec: "VmSpec", subscription: str) -> set[Kind]:
    """The kinds that ccgpu or, with the VM, Azure creates. Groups are handled separately."""
    wanted = desired_resources(spec, subscription, Placement("", None, {}), RunTags("", ""))
    public = set() if spec.private else {Kind.PUBLIC_IP}
    return (
        {resource.kind for resource in wanted.values()} - {Kind.GROUP}
        | {Kind.NIC, Kind.DISK}
        | public
    )


def _group_actions(spec: "VmSpec", created: set[Kind]) -> Iterator[str]:
    yield f"{_GROUP}/read"
    yield from (f"{kind}/read" for kind in _KINDS_READ)
    for kind in sorted(created):
        yield from (f"{kind}/write", f"{kind}/delete")
    yield from (f"{Kind.VM}/{verb}/action" for verb in _VM_ACTIONS)
    # A body may refer only to resources that the caller may join (`LinkedAuthorizationFailed`).
    referred = created & {Kind.NSG, Kind.PUBLIC_IP, Kind.NAT, Kind.NIC}
    yield from (f"{kind}/join/action" for kind in sorted(referred))
    if spec.subnet is None:
        yield f"{Kind.VNET}/subnets/join/action"


def _image_reads(spec: "VmSpec") -> Iterator[str]:
    image = spec.image_reference
    if isinstance(image, Marketplace):
        yield _MARKETPLACE
    if isinstance(image, Community):
        yield _COMMUNITY


def _reference_needs(spec: "VmSpec") -> Iterator[PermissionNeed]:
    """Permissions on existing resources that the spec names: read and join, never write."""
    if spec.subnet:
        scope = _group_scope(spec.subnet)
        yield PermissionNeed(f"{Kind.VNET}/read", scope)
        yield PermissionNeed(f"{Kind.VNET}/subnets/join/action", scope)
    if spec.os_disk.encryption_set:
        yield PermissionNeed(
            f"{DISK_ENCRYPTION_SET}/read", _group_scope(spec.os_disk.encryption_set)
        )
    for identity in spec.identities:
        if identity != "system":
            yield PermissionNeed(f"{USER_IDENTITY}/read", _group_scope(identity))
            yield PermissionNeed(f"{USER_IDENTITY}/assign/action", _group_scope(identity))
    if isinstance(image := spec.image_reference, Gallery):
        scope, both = _group_scope(image.id), spec.measured_image is not None
        if both or not is_versioned(image.id):
            yield PermissionNeed(f"{_GALLERY_IMAGES}/read", scope)
        if both or is_versioned(image.id):  # the tags of a measured image are those of its version
            yield PermissionNeed(f"{_GALLERY_IMAGES}/versions/read", scope)


def _group_scope(id_: str) -> str:
    return f"/subscriptions/{subscription_of(id_)}/resourceGroups/{group_of(id_)}"


def role_definition(
    needed: Iterable[PermissionNeed], name: str, scopes: Iterable[str]
) -> dict[str, Any]:
    """The input of `az role definition create --role-definition`."""
    return {
        "Name": name,
        "IsCustom": True,
        "Description": "What ccgpu needs for one spec, and nothing besides.",
        "Actions": sorted({need.action for need in needed}, key=str.casefold),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": list(dict.fromkeys(scopes)),
    }


def subscription_role(
    spec: "VmSpec", subscription: str, extras: RoleExtras = NO_EXTRAS
) -> dict[str, Any]:
    """One role with every permission, to be assigned at the subscription."""
    needed = permission_needs(spec, subscription, extras)
    others = sorted({f"/subscriptions/{need.scope.split('/')[2]}" for need in needed})
    own = f"/subscriptions/{subscription}"
    return role_definition(needed, f"ccgpu {spec.name}", [own, *others])


def group_role(
    spec: "VmSpec", subscription: str, extras: RoleExtras = NO_EXTRAS
) -> tuple[dict[str, Any], tuple[PermissionNeed, ...]]:
    """The role that can be assigned at the deployment's group, and the remaining permissions."""
    group = Names(subscription, spec.group, spec.name).of(Kind.GROUP)
    needed = permission_needs(spec, subscription, extras)
    inside = [need for need in needed if need.scope == group]
    rest = tuple(need for need in needed if need.scope != group)
    return role_definition(inside, f"ccgpu {spec.name} in {spec.group}", [group]), rest
