"""ARM resources as values: their ids, and their wanted bodies.

ARM compares ids without case. Compare them only with `is_same_id` and `key`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NewType

from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.published_image import MANIFEST_TAG

Body = dict[str, Any]
ResourceId = NewType("ResourceId", str)

# Tags of a resource's owner. They never change and are compared.
DEPLOYMENT = "ccgpu-deployment"
BODY_HASH = "ccgpu-body"
# Tags of a VM, written when it is created and never changed: its section `guest`, and the SHA-256
# (hex) of its customData. Both count at the first boot only, and no GET returns customData.
GUEST = "ccgpu-guest"
CUSTOM_DATA = "ccgpu-custom-data"
# Of a VM with a measured image, in their place: the SHA-256 (hex) of the manifest and of userData.
GUEST_CONFIG = "ccgpu-guest-config"
FIRST_BOOT_TAGS = frozenset({GUEST, CUSTOM_DATA, MANIFEST_TAG, GUEST_CONFIG})
# Tag of a resource group that ccgpu created: the deployment for which it was created. It is set
# when that deployment is deleted while others remain in the group. Deleting the last one deletes
# the group.
MADE_FOR = "ccgpu-made-for"
# Tags with the run, the creation time and the end of the lease. They are never compared.
RUN = "ccgpu-run"
CREATED = "ccgpu-created"
EXPIRES = "ccgpu-expires"
VOLATILE_TAGS = frozenset({RUN, CREATED, EXPIRES})


@dataclass(frozen=True, slots=True)
class Resource:
    """A wanted ARM resource with the exact `body` of its PUT.

    depends_on: The ids of the resources that must exist before its PUT.
    implicitly_created: Other resources that its PUT creates, such as a VM's disks.
    """

    kind: Kind
    id: ResourceId
    body: Body
    depends_on: frozenset[ResourceId] = frozenset()
    implicitly_created: Mapping[ResourceId, Kind] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last segment of the id."""
        return name_of(self.id)

    @property
    def api_version(self) -> str:
        """The API version of its PUT."""
        return API_VERSIONS[self.kind]


def group_id(subscription: str, group: str) -> ResourceId:
    """The id of a resource group."""
    return ResourceId(f"/subscriptions/{subscription}/resourceGroups/{group}")


def resource_id(subscription: str, group: str, kind: Kind, *names: str) -> ResourceId:
    """The id of a resource in a group; of the group itself for `Kind.GROUP`.

    `names`: its own, and before it those of the resources that it is in.
    """
    if kind is Kind.GROUP:
        return group_id(subscription, group)
    provider, *types = kind.split("/")
    path = "".join(f"/{type_}/{name}" for type_, name in zip(types, names, strict=True))
    return ResourceId(f"{group_id(subscription, group)}/providers/{provider}{path}")


def key(id_: str) -> ResourceId:
    """An id in lower case without a final slash: equal for equal resources."""
    return ResourceId(id_.casefold().rstrip("/"))


def is_same_id(one: str, other: str) -> bool:
    """Whether two ids name the same resource."""
    return key(one) == key(other)


def name_of(id_: str) -> str:
    """The last segment of an id."""
    return id_.rstrip("/").rsplit("/", 1)[-1]


def names_in(id_: str) -> tuple[str, ...]:
    """The names in the last provider's part of an id: of the resource, its parents before it."""
    return tuple(id_[id_.casefold().rindex("/providers/") :].split("/")[4::2])


# A deployment's name: valid as the name of a VM, of its network resources and as a host name.
NAME_PATTERN = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"


def is_deployment_name(text: str) -> bool:
    """Whether `text` is a valid name of a deployment."""
    return re.fullmatch(NAME_PATTERN, text, re.ASCII) is not None


GROUP_PATTERN = r"[A-Za-z0-9_.()-]{0,89}[A-Za-z0-9_()-]"  # Learn, "Naming rules and restrictions"


def is_group_name(text: str) -> bool:
    """Whether `text` is a valid name of a resource group."""
    return re.fullmatch(GROUP_PATTERN, text) is not None


def own_group(name: str) -> str:
    """The default resource group of a deployment."""
    return f"ccgpu-{name}"


def group_of(id_: str) -> str:
    """The resource group in an id; ValueError if there is none."""
    parts = id_.split("/")
    for at, part in enumerate(parts[:-1]):
        if part.casefold() == "resourcegroups":
            return parts[at + 1]
    raise ValueError(f"no resource group in {id_!r}")


def holder_of(id_: str) -> ResourceId:
    """The parent of a child resource (`…/virtualMachines/x/extensions/y`), else the id itself."""
    at = id_.casefold().rfind("/providers/")
    if at < 0:
        return ResourceId(id_)
    start = at + len("/providers/")
    return ResourceId(id_[:start] + "/".join(id_[start:].split("/")[:3]))


def subscription_of(id_: str) -> str:
    """The subscription in an id; ValueError if there is none."""
    parts = id_.split("/")
    if len(parts) < 3 or parts[1].casefold() != "subscriptions":  # "", "subscriptions", S
        raise ValueError(f"no subscription in {id_!r}")
    return parts[2]


_KINDS = {kind.casefold(): kind for kind in Kind}


def kind_of(id_: str) -> Kind | None:
    """The kind of the resource with this id, or None if ccgpu does not handle its type."""
    if "/providers/" not in id_.casefold():
        return Kind.GROUP if "/resourcegroups/" in id_.casefold() else None
    namespace, *parts = id_[id_.casefold().rindex("/providers/") + len("/providers/") :].split("/")
    named = "/".join([namespace, *parts[::2]]).casefold()  # types and names alternate
    return _KINDS.get(named) if len(parts) % 2 == 0 else None


# Azure names a subscription by a GUID (Microsoft Learn, "Azure Resource Manager overview").
SUBSCRIPTION_PATTERN = r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"


def is_subscription_id(text: str) -> bool:
    """Whether `text` is the id of a subscription."""
    return re.fullmatch(SUBSCRIPTION_PATTERN, text) is not None


def tags_of(body: Body | None) -> dict[str, str]:
    """A resource's tags; empty if the field is missing or null."""
    return (body or {}).get("tags") or {}


def tag(body: Body | None, name: str) -> str | None:
    """One tag; tag names compare without case (ARM, tag-resources)."""
    for key_, value in tags_of(body).items():
        if key_.casefold() == name:
            return value
    return None


def location(text: str) -> str:
    """A location in the form for comparisons: "East US 2" is "eastus2"."""
    return text.replace(" ", "").lower()


def state_of(body: Body) -> str:
    """`provisioningState`; `Succeeded` if it is missing (RPC v1.0, Addendum)."""
    state: str = (body.get("properties") or {}).get("provisioningState") or "Succeeded"
    return state
