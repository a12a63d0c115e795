"""Queries to Azure besides the resources of a deployment: sizes, quota, images, lists.

The results are values of `domain`. Lists are filtered by the service, because listing is a costly
request; the whole SKU list takes half a minute.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ccgpu.azure.arm import Arm, raw_body
from ccgpu.azure.errors import translating_errors
from ccgpu.domain.capacity import Offer, SizeOffers, Usage
from ccgpu.domain.image import LATEST, Community, Gallery, Image, Marketplace
from ccgpu.domain.providers import Provider
from ccgpu.domain.resource import Body, ResourceId, group_of, location, name_of, subscription_of
from ccgpu.errors import AzureRefused, NotFound

# The newest stable version of a provider for which the pinned SDK packages have no client.
_IDENTITY_API = "2024-11-30"


class Queries:
    """Queries in one subscription."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._compute = arm.compute
        self._resources = arm.resources

    def offers(self, size: str, region: str | None = None) -> SizeOffers:
        """The offers of a VM size, in one region or in all.

        The list of one region is filtered by the service. That of all takes half a minute.
        """
        known: set[str] = set()
        found: dict[str, Offer] = {}
        where = "" if region is None else f" in {region}"
        query = {} if region is None else {"filter": f"location eq '{region}'"}
        with translating_errors(f"looking where {size} is offered{where}"):
            for sku in self._compute.resource_skus.list(**query):
                if not _is_vm(sku):
                    continue
                listed = [location(str(one)) for one in sku.locations or ()]
                regions = listed if region is None else [region]
                known |= set(regions)
                if str(sku.name).casefold() == size.casefold():
                    found |= {one: _parse_offer(one, sku) for one in regions}
        return SizeOffers(frozenset(known), found)

    def provider(self, namespace: str) -> Provider:
        """A resource provider: whether it is registered, and its regions with VMs."""
        with translating_errors(f"reading whether {namespace} is registered"):
            provider = self._resources.providers.get(namespace)
            regions = {
                location(str(one))
                for kind in provider.resource_types or ()
                if str(kind.resource_type).casefold() == "virtualmachines"
                for one in kind.locations or ()
            }
            return Provider(namespace, str(provider.registration_state), frozenset(regions))

    def usages(self, region: str) -> tuple[Usage, ...]:
        """The compute quota of a region."""
        with translating_errors(f"reading the quota of {region}"):
            return tuple(_parse_usage(line) for line in self._compute.usage.list(region))

    def image(self, region: str, image: Image) -> Mapping[str, str]:
        """The `imageReference` of an image, with its exact version.

        Raises:
            NotFound: The region has no such image.
            AzureRefused: The image cannot start a confidential VM (code `NotConfidential`).
        """
        with translating_errors(f"looking up the image {image} in {region}"):
            match image:
                case Marketplace():
                    return self._marketplace_reference(region, image)
                case Community():
                    return self._community_reference(region, image)
                case Gallery():
                    return {"id": image.id}

    def tagged_groups(self, name: str, value: str | None = None) -> tuple[Body, ...]:
        """The bodies of the subscription's resource groups with a tag."""
        with translating_errors(f"listing what carries the tag {name}"):
            groups = self._resources.resource_groups.list(filter=_by_tag(name, value))
            return tuple(one.as_dict() for one in groups)

    def tagged_resources(
        self, name: str, value: str | None = None, group: str | None = None
    ) -> tuple[Body, ...]:
        """Id, type and tags of each resource with a tag, in the subscription or in one group.

        A list that is filtered by a tag may omit the tags (azure-mgmt-resource, `resources.list`).
        It may lag behind: a listed resource may be gone, and an existing one may be missing.
        """
        doing, query = f"listing what carries the tag {name}", _by_tag(name, value)
        if group is not None:
            return self._list_group(group, doing, filter=query) or ()
        with translating_errors(doing):
            return tuple(
                _plain_resource(one) for one in self._resources.resources.list(filter=query)
            )

    def all_resources(self) -> tuple[Body, ...]:
        """Id, type and tags of each resource of the subscription. The list may lag behind."""
        with translating_errors("listing all resources"):
            return tuple(_plain_resource(one) for one in self._resources.resources.list())

    def virtual_machines(self, *, status_only: bool = False) -> tuple[Body, ...]:
        """Every VM of the subscription, without instance views.

        With `status_only`, each VM has its instance view, but neither tags nor hardware profile.
        """
        query = {"status_only": "true"} if status_only else {}
        with translating_errors("listing virtual machines"):
            return tuple(one.as_dict() for one in self._compute.virtual_machines.list_all(**query))

    def inside(self, group: str) -> tuple[ResourceId, ...] | None:
        """The ids of the listed resources of a group; None if there is no such group."""
        bodies = self.bodies_inside(group)
        return None if bodies is None else tuple(ResourceId(one["id"]) for one in bodies)

    def bodies_inside(self, group: str) -> tuple[Body, ...] | None:
        """Id, type and tags of each listed resource of a group; None if there is no such group.

        The list is not filtered, so it has the tags. It may lag behind.
        """
        return self._list_group(group, f"listing what is in {group}")

    def _list_group(self, group: str, doing: str, **query: Any) -> tuple[Body, ...] | None:
        try:
            with translating_errors(doing):
                resources = self._resources.resources.list_by_resource_group(group, **query)
                return tuple(_plain_resource(one) for one in resources)
        except NotFound as err:
            if err.code != "ResourceGroupNotFound":
                raise
            return None

    def encryption_set(self, id_: ResourceId) -> Body:
        """A disk encryption set of any subscription; raises `NotFound` if there is none."""
        with translating_errors(f"reading {id_}"):
            sets = self._arm.clients(subscription_of(id_)).compute.disk_encryption_sets
            return _as_body(sets.get(group_of(id_), name_of(id_), cls=raw_body))

    def identity(self, id_: ResourceId) -> Body:
        """A user-assigned identity of any subscription; raises `NotFound` if there is none."""
        with translating_errors(f"reading {id_}"):
            resources = self._arm.clients(subscription_of(id_)).resources.resources
            return _as_body(resources.get_by_id(id_, api_version=_IDENTITY_API, cls=raw_body))

    def _marketplace_reference(self, region: str, image: Marketplace) -> Mapping[str, str]:
        """The reference of a Marketplace image, with the newest version for `latest`."""
        names = (image.publisher, image.offer, image.sku)
        images = self._compute.virtual_machine_images
        version = image.version
        if version == LATEST:
            version = _newest_version((v.name for v in images.list(region, *names)), image, region)
        details = images.get(region, *names, version)
        features = {str(one.name): str(one.value) for one in details.features or ()}
        _require_confidential(features.get("SecurityType"), image)
        return {
            "publisher": image.publisher,
            "offer": image.offer,
            "sku": image.sku,
            "version": version,
        }

    def _community_reference(self, region: str, image: Community) -> Mapping[str, str]:
        """The reference of a community gallery's image, with the newest version for `latest`."""
        names = (region, image.gallery, image.image)
        version = image.version
        if version == LATEST:
            versions = self._compute.community_gallery_image_versions.list(*names)
            eligible = (v.name for v in versions if not _is_excluded_from_latest(v))
            version = _newest_version(eligible, image, region)
        else:
            self._compute.community_gallery_image_versions.get(*names, version)
        return {"communityGalleryImageId": str(Community(image.gallery, image.image, version))}


def _newest_version(versions: Iterable[str | None], image: Image, region: str) -> str:
    """The highest version, compared numerically; raises `NotFound` if there is none."""
    known = [v for v in versions if v and all(part.isdecimal() for part in v.split("."))]
    if not known:
        raise NotFound(f"{region} has no version of the image {image}", code="ImageNotFound")
    return max(known, key=lambda v: tuple(int(part) for part in v.split(".")))


def _is_excluded_from_latest(version: Any) -> bool:
    """Whether `latest` excludes this version (`excludeFromLatest`)."""
    properties = version.properties  # the model's flattened attribute reads the wrong field
    return bool(properties is not None and properties.exclude_from_latest)


def _require_confidential(security: str | None, image: Image) -> None:
    """Raise `AzureRefused` if an image's SecurityType excludes confidential VMs; None passes."""
    if security is not None and "confidentialvm" not in security.casefold():
        raise AzureRefused(
            f"the image {image} cannot start a confidential VM: its SecurityType is {security}",
            code="NotConfidential",
        )


def _as_body(answer: Any) -> Body:
    body: Body = {**answer}  # TypeError unless it is a mapping: `translating_errors` reports it
    return body


def _is_vm(sku: Any) -> bool:
    return str(sku.resource_type).casefold() == "virtualmachines"


def _parse_usage(line: Any) -> Usage:
    return Usage(
        name=str(line.name.value).strip(),
        shown=str(line.name.localized_value or line.name.value).strip(),
        used=int(line.current_value),
        limit=int(line.limit),
    )


def _parse_offer(region: str, sku: Any) -> Offer:
    """A SKU's zones, capabilities and restrictions in one region."""
    capabilities = {str(c.name): str(c.value) for c in sku.capabilities or ()}
    here = [i for i in sku.location_info or () if location(str(i.location)) == region]
    zones = tuple(sorted(str(z) for info in here for z in info.zones or ()))
    barred: str | None = None
    barred_zones: dict[str, str] = {}
    for restriction in sku.restrictions or ():
        reason = _wire_word(restriction.reason_code) or "restricted"
        if _wire_word(restriction.type).casefold() == "location":
            barred = reason
        else:
            info = restriction.restriction_info
            barred_zones |= {str(z): reason for z in (info.zones if info else None) or ()}
    return Offer(
        region=region,
        zones=zones,
        family=str(sku.family),
        vcpus=int(capabilities.get("vCPUs", "0")),
        capabilities=capabilities,
        barred=barred,
        barred_zones=barred_zones,
    )


def _wire_word(value: Any) -> str:
    """An enumeration's value in the JSON, whether the SDK knows the value or not."""
    return str(getattr(value, "value", value) or "")


def _by_tag(name: str, value: str | None) -> str:
    with_value = f" and tagValue eq '{value}'" if value is not None else ""
    return f"tagName eq '{name}'{with_value}"


def _plain_resource(resource: Any) -> Body:
    return {
        "id": str(resource.id),
        "type": resource.type,
        "location": resource.location,
        "tags": dict(resource.tags or {}),
    }
