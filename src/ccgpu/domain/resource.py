"""ARM resources as values: their ids, and what is wanted of them.

ARM ids compare without case; `same` and `key` are the only way ids are compared here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NewType

from ccgpu.domain.catalog import API_VERSIONS, Kind

Body = dict[str, Any]
ResourceId = NewType("ResourceId", str)

# Tags that say whose a resource is. Stable: they are part of what is wanted.
DEPLOYMENT = "ccgpu-deployment"
BODY_HASH = "ccgpu-body"
# On a group that ccgpu made and whose deployment is gone, while others live in it: for which one it
# was made. With the last of them it goes.
MADE_FOR = "ccgpu-made-for"
# Tags that say when and by which run it was made. They are set once and never compared.
RUN = "ccgpu-run"
CREATED = "ccgpu-created"
EXPIRES = "ccgpu-expires"
VOLATILE_TAGS = frozenset({RUN, CREATED, EXPIRES})


@dataclass(frozen=True, slots=True)
class Resource:
    """One ARM resource as it is wanted: the exact `body` of its PUT.

    depends_on: the ids it refers to, which must exist before its PUT.
    implicitly_created: what its PUT creates besides itself, under names we choose: a VM's disks.
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
        """The API version its PUT is sent with."""
        return API_VERSIONS[self.kind]


def group_id(subscription: str, group: str) -> ResourceId:
    """The id of a resource group."""
    return ResourceId(f"/subscriptions/{subscription}/resourceGroups/{group}")


def resource_id(subscription: str, group: str, kind: Kind, name: str) -> ResourceId:
    """The id of a resource in a group; of the group itself for `Kind.GROUP`."""
    if kind is Kind.GROUP:
        return group_id(subscription, group)
    return ResourceId(f"{group_id(subscription, group)}/providers/{kind}/{name}")


def key(id_: str) -> ResourceId:
    """The form of an id that is equal for equal resources."""
    return ResourceId(id_.casefold().rstrip("/"))


def is_same_id(one: str, other: str) -> bool:
    """Whether two ids name the same resource."""
    return key(one) == key(other)


def name_of(id_: str) -> str:
    """The last segment of an id."""
    return id_.rstrip("/").rsplit("/", 1)[-1]


# Of a deployment: the letters that the names of a VM, its network and its host may all have.
NAME_PATTERN = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"


def is_deployment_name(text: str) -> bool:
    """Whether it is a name that a deployment can have."""
    return re.fullmatch(NAME_PATTERN, text, re.ASCII) is not None


def own_group(name: str) -> str:
    """The resource group of a deployment that was given none."""
    return f"ccgpu-{name}"


def group_of(id_: str) -> str:
    """The resource group in an id; raises ValueError where there is none."""
    parts = id_.split("/")
    for at, part in enumerate(parts[:-1]):
        if part.casefold() == "resourcegroups":
            return parts[at + 1]
    raise ValueError(f"no resource group in {id_!r}")


def holder_of(id_: str) -> ResourceId:
    """The resource that a child resource is part of (`…/virtualMachines/x/extensions/y`), or it."""
    at = id_.casefold().rfind("/providers/")
    if at < 0:
        return ResourceId(id_)
    start = at + len("/providers/")
    return ResourceId(id_[:start] + "/".join(id_[start:].split("/")[:3]))


def subscription_of(id_: str) -> str:
    """The subscription in an id; raises ValueError where there is none."""
    parts = id_.split("/")
    if len(parts) < 3 or parts[1].casefold() != "subscriptions":  # "", "subscriptions", S
        raise ValueError(f"no subscription in {id_!r}")
    return parts[2]


def kind_of(id_: str) -> Kind | None:
    """The kind an id names, or None for a kind that `ccgpu` does not handle."""
    if "/providers/" not in id_.casefold():
        return Kind.GROUP if "/resourcegroups/" in id_.casefold() else None
    provider = id_[id_.casefold().rindex("/providers/") + len("/providers/") :].split("/")
    named = "/".join(provider[:2]).casefold()
    found = [kind for kind in Kind if kind.casefold() == named]
    return found[0] if found and len(provider) == 3 else None  # namespace, type, name


def tags_of(body: Body | None) -> dict[str, str]:
    """A resource's tags; ARM leaves the field out, or null, where there are none."""
    return (body or {}).get("tags") or {}


def tag(body: Body | None, name: str) -> str | None:
    """One tag; tag names compare without case (ARM, tag-resources)."""
    for key_, value in tags_of(body).items():
        if key_.casefold() == name:
            return value
    return None


def location(text: str) -> str:
    """A location in the form that compares: "East US 2" is "eastus2"."""
    return text.replace(" ", "").lower()


def state_of(body: Body) -> str:
    """`provisioningState`; where it is missing the resource is done (RPC v1.0, Addendum)."""
    state: str = (body.get("properties") or {}).get("provisioningState") or "Succeeded"
    return state
