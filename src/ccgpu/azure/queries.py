"""Queries to Azure besides the resources of a deployment: sizes, quota, images, lists.

The results are values of `domain`. Lists are filtered by the service, because listing is a costly
request; the whole SKU list takes half a minute.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ccgpu.azure.arm import Arm
from ccgpu.azure.errors import translating_errors
from ccgpu.azure.offers import parse_offers, parse_usage
from ccgpu.azure.reader import quoted
from ccgpu.azure.resource_graph import read_indexed_vms
from ccgpu.domain.capacity import SizeOffers, Usage
from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.providers import Provider
from ccgpu.domain.resource import Body, ResourceId, location
from ccgpu.errors import NotFound

if TYPE_CHECKING:  # only a create asks for one
    from ccgpu.domain.image import Image

# What the pinned SDK sends; a test compares all requests with its own.
_SKUS_API = "2021-07-01"
_COMPUTE_API, _DISKS_API = API_VERSIONS[Kind.VM], API_VERSIONS[Kind.DISK]
_RESOURCES_API = API_VERSIONS[Kind.GROUP]
# The newest stable version of a provider for which the pinned SDK packages have no client.
_IDENTITY_API = "2024-11-30"


class Queries:
    """Queries in one subscription."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._reader = arm.reader
        self._subscription = f"/subscriptions/{arm.subscription}"
        self._compute = f"{self._subscription}/providers/Microsoft.Compute"

    def offers(self, size: str, region: str | None = None) -> SizeOffers:
        """The offers of a VM size, in one region or in all.

        The list of one region is filtered by the service. That of all takes half a minute.
        """
        where = "" if region is None else f" in {region}"
        query = {} if region is None else {"$filter": f"location eq '{region}'"}
        with translating_errors(f"looking where {size} is offered{where}"):
            listed = self._reader.pages(f"{self._compute}/skus", _SKUS_API, query)
            return parse_offers(listed, size, region)

    def provider(self, namespace: str) -> Provider:
        """A resource provider: whether it is registered, and its regions with VMs."""
        with translating_errors(f"reading whether {namespace} is registered"):
            path = f"{self._subscription}/providers{quoted(namespace)}"
            provider = self._reader.get(path, _RESOURCES_API)
            regions = {
                location(str(one))
                for kind in provider.get("resourceTypes") or ()
                if str(kind["resourceType"]).casefold() == "virtualmachines"
                for one in kind.get("locations") or ()
            }
            return Provider(namespace, str(provider["registrationState"]), frozenset(regions))

    def usages(self, region: str) -> tuple[Usage, ...]:
        """The compute quota of a region."""
        with translating_errors(f"reading the quota of {region}"):
            path = f"{self._compute}/locations{quoted(region)}/usages"
            return tuple(parse_usage(line) for line in self._reader.pages(path, _COMPUTE_API))

    def image(self, region: str, image: "Image") -> Mapping[str, str]:
        """The `imageReference` of an image, with its exact version.

        Raises:
            NotFound: The region has no such image.
            AzureRefused: The image cannot start a confidential VM (code `NotConfidential`).
        """
        from ccgpu.azure.image_references import image_reference

        with translating_errors(f"looking up the image {image} in {region}"):
            return image_reference(self._arm, region, image)

    def tagged_groups(self, name: str, value: str | None = None) -> tuple[Body, ...]:
        """The bodies of the subscription's resource groups with a tag."""
        with translating_errors(f"listing what carries the tag {name}"):
            path = f"{self._subscription}/resourcegroups"
            groups = self._reader.pages(path, _RESOURCES_API, _by_tag(name, value))
            return tuple(_as_body(one) for one in groups)

    def tagged_resources(
        self, name: str, value: str | None = None, group: str | None = None
    ) -> tuple[Body, ...]:
        """Id, type and tags of each resource with a tag, in the subscription or in one group.

        A list that is filtered by a tag may omit the tags (azure-mgmt-resource, `resources.list`).
        It may lag behind: a listed resource may be gone, and an existing one may be missing.
        """
        doing, query = f"listing what carries the tag {name}", _by_tag(name, value)
        if group is not None:
            return self._list_group(group, doing, query) or ()
        with translating_errors(doing):
            listed = self._reader.pages(f"{self._subscription}/resources", _RESOURCES_API, query)
            return tuple(_plain_resource(one) for one in listed)

    def all_resources(self) -> tuple[Body, ...]:
        """Id, type and tags of each resource of the subscription. The list may lag behind."""
        with translating_errors("listing all resources"):
            listed = self._reader.pages(f"{self._subscription}/resources", _RESOURCES_API)
            return tuple(_plain_resource(one) for one in listed)

    def virtual_machines(self, *, status_only: bool = False) -> tuple[Body, ...]:
        """Every VM of the subscription, without instance views.

        With `status_only`, each VM has its instance view, but neither tags nor hardware profile.
        """
        query = {"statusOnly": "true"} if status_only else {}
        with translating_errors("listing virtual machines"):
            path = f"{self._compute}/virtualMachines"
            return tuple(_as_body(one) for one in self._reader.pages(path, _COMPUTE_API, query))

    def first_virtual_machines(self) -> tuple[tuple[Body, ...], str | None]:
        """The first page of `virtual_machines`, and the link to the next one if there is one."""
        with translating_errors("listing virtual machines"):
            path = f"{self._compute}/virtualMachines"
            first, link = self._reader.first_page(path, _COMPUTE_API)
            return tuple(_as_body(one) for one in first), link

    def further_virtual_machines(self, link: str) -> tuple[Body, ...]:
        """The VMs of `virtual_machines` from the page of this link on."""
        with translating_errors("listing virtual machines"):
            return tuple(_as_body(one) for one in self._reader.pages_from(link))

    def indexed_virtual_machines(self) -> tuple[Body, ...]:
        """The VMs of the subscription in Azure Resource Graph, as its index knows them.

        What has just been created, changed or deleted may be missing, old, or still there.
        """
        with translating_errors("querying Azure Resource Graph"):
            return read_indexed_vms(self._reader, self._arm.subscription)

    def inside(self, group: str) -> tuple[ResourceId, ...] | None:
        """The ids of the listed resources of a group; None if there is no such group."""
        bodies = self.bodies_inside(group)
        return None if bodies is None else tuple(ResourceId(one["id"]) for one in bodies)

    def bodies_inside(self, group: str) -> tuple[Body, ...] | None:
        """Id, type and tags of each listed resource of a group; None if there is no such group.

        The list is not filtered, so it has the tags. It may lag behind.
        """
        return self._list_group(group, f"listing what is in {group}", {})

    def _list_group(
        self, group: str, doing: str, query: Mapping[str, str]
    ) -> tuple[Body, ...] | None:
        try:
            with translating_errors(doing):
                path = f"{self._subscription}/resourcegroups{quoted(group)}/resources"
                listed = self._reader.pages(path, _RESOURCES_API, query)
                return tuple(_plain_resource(one) for one in listed)
        except NotFound as err:
            if err.code != "ResourceGroupNotFound":
                raise
            return None

    def encryption_set(self, id_: ResourceId) -> Body:
        """A disk encryption set of any subscription; raises `NotFound` if there is none."""
        with translating_errors(f"reading {id_}"):
            return _as_body(self._reader.get(quote(id_), _DISKS_API))

    def identity(self, id_: ResourceId) -> Body:
        """A user-assigned identity of any subscription; raises `NotFound` if there is none."""
        with translating_errors(f"reading {id_}"):
            return _as_body(self._reader.get(quote(id_), _IDENTITY_API))


def _as_body(answer: Any) -> Body:
    body: Body = {**answer}  # TypeError unless it is a mapping: `translating_errors` reports it
    return body


def _by_tag(name: str, value: str | None) -> dict[str, str]:
    with_value = f" and tagValue eq '{value}'" if value is not None else ""
    return {"$filter": f"tagName eq '{name}'{with_value}"}


def _plain_resource(resource: Mapping[str, Any]) -> Body:
    return {
        "id": str(resource["id"]),
        "type": resource.get("type"),
        "location": resource.get("location"),
        "tags": dict(resource.get("tags") or {}),
    }
