"""What `ccgpu` asks Azure before and besides the resources of a deployment.

Answers leave as values of `domain`. Lists are filtered at the service, because the whole SKU list
takes half a minute, and listing is a costly request.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ccgpu.azure.arm import Arm, raw_body
from ccgpu.azure.errors import translating_errors
from ccgpu.domain.capacity import Offer, SizeRegions, Usage
from ccgpu.domain.image import LATEST, Community, Gallery, Image, Marketplace
from ccgpu.domain.providers import Provider
from ccgpu.domain.resource import Body, ResourceId, group_of, location, name_of, subscription_of
from ccgpu.errors import AzureRefused, NotFound

# The pinned SDK packages have no client of this provider: its newest stable version.
_IDENTITY_API = "2024-11-30"


class Queries:
    """Questions to one subscription."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._compute = arm.compute
        self._resources = arm.resources

    def offer(self, region: str, size: str) -> Offer | None:
        """The size as the region offers it, or None."""
        with translating_errors(f"reading the sizes of {region}"):
            skus = self._compute.resource_skus.list(filter=f"location eq '{region}'")
            for sku in skus:
                if str(sku.name).casefold() == size.casefold() and _is_vm(sku):
                    return _parse_offer(region, sku)
        return None

    def sizes_everywhere(self, size: str) -> SizeRegions:
        """Where the size is offered at all. The whole list takes half a minute: for errors only."""
        known: set[str] = set()
        offered: set[str] = set()
        with translating_errors(f"looking where {size} is offered"):
            for sku in self._compute.resource_skus.list():
                regions = {location(str(one)) for one in sku.locations or ()}
                known |= regions
                if str(sku.name).casefold() == size.casefold() and _is_vm(sku):
                    offered |= regions
        return SizeRegions(frozenset(known), frozenset(offered))

    def provider(self, namespace: str) -> Provider:
        """A resource provider as the subscription has it."""
        with translating_errors(f"reading whether {namespace} is registered"):
            found = self._resources.providers.get(namespace)
            regions = {
                location(str(one))
                for kind in found.resource_types or ()
                if str(kind.resource_type).casefold() == "virtualmachines"
                for one in kind.locations or ()
            }
            return Provider(namespace, str(found.registration_state), frozenset(regions))

    def usages(self, region: str) -> tuple[Usage, ...]:
        """The compute quota of a region."""
        with translating_errors(f"reading the quota of {region}"):
            return tuple(_parse_usage(line) for line in self._compute.usage.list(region))

    def image(self, region: str, image: Image) -> Mapping[str, str]:
        """The image with its exact version, as `imageReference` takes it.

        Raises `NotFound` where the region has no such image, `AzureRefused` (code
        `NotConfidential`) where it has, and says that it cannot start a confidential VM.
        """
        with translating_errors(f"looking up the image {image} in {region}"):
            match image:
                case Marketplace():
                    return self._marketplace(region, image)
                case Community():
                    return self._community(region, image)
                case Gallery():
                    return {"id": image.id}

    def tagged_groups(self, name: str, value: str | None = None) -> tuple[Body, ...]:
        """Every resource group of the subscription with a tag, whole."""
        with translating_errors(f"listing what carries the tag {name}"):
            found = self._resources.resource_groups.list(filter=_by_tag(name, value))
            return tuple(one.as_dict() for one in found)

    def tagged_resources(
        self, name: str, value: str | None = None, group: str | None = None
    ) -> tuple[Body, ...]:
        """Id, type and tags of each resource with a tag, of the subscription or of one group.

        A list that is filtered by a tag may leave the tags out (azure-mgmt-resource,
        `resources.list`), and it may lag behind: what is in it may be gone, what is not may exist.
        """
        doing, query = f"listing what carries the tag {name}", _by_tag(name, value)
        if group is not None:
            return self._in_group(group, doing, filter=query) or ()
        with translating_errors(doing):
            return tuple(
                _plain_resource(one) for one in self._resources.resources.list(filter=query)
            )

    def virtual_machines(self, *, status_only: bool = False) -> tuple[Body, ...]:
        """Every VM of the subscription, without instance views; or these, and little besides.

        The second list has neither tags nor the hardware profile (`statusOnly`).
        """
        more = {"status_only": "true"} if status_only else {}
        with translating_errors("listing virtual machines"):
            return tuple(one.as_dict() for one in self._compute.virtual_machines.list_all(**more))

    def inside(self, group: str) -> tuple[ResourceId, ...] | None:
        """The ids of all that a list names in a resource group; None if there is no such group."""
        found = self._in_group(group, f"listing what is in {group}")
        return None if found is None else tuple(ResourceId(one["id"]) for one in found)

    def _in_group(self, group: str, doing: str, **more: Any) -> tuple[Body, ...] | None:
        try:
            with translating_errors(doing):
                found = self._resources.resources.list_by_resource_group(group, **more)
                return tuple(_plain_resource(one) for one in found)
        except NotFound as err:
            if err.code != "ResourceGroupNotFound":
                raise
            return None

    def encryption_set(self, id_: ResourceId) -> Body:
        """A disk encryption set of any subscription; `NotFound` where there is none."""
        with translating_errors(f"reading {id_}"):
            sets = self._arm.clients(subscription_of(id_)).compute.disk_encryption_sets
            return _body_of(sets.get(group_of(id_), name_of(id_), cls=raw_body))

    def identity(self, id_: ResourceId) -> Body:
        """A user-assigned identity of any subscription; `NotFound` where there is none."""
        with translating_errors(f"reading {id_}"):
            resources = self._arm.clients(subscription_of(id_)).resources.resources
            return _body_of(resources.get_by_id(id_, api_version=_IDENTITY_API, cls=raw_body))

    def _marketplace(self, region: str, image: Marketplace) -> Mapping[str, str]:
        names = (image.publisher, image.offer, image.sku)
        images = self._compute.virtual_machine_images
        version = image.version
        if version == LATEST:
            version = _newest_version((v.name for v in images.list(region, *names)), image, region)
        found = images.get(region, *names, version)
        features = {str(one.name): str(one.value) for one in found.features or ()}
        _require_confidential(features.get("SecurityType"), image)
        return {
            "publisher": image.publisher,
            "offer": image.offer,
            "sku": image.sku,
            "version": version,
        }

    def _community(self, region: str, image: Community) -> Mapping[str, str]:
        names = (region, image.gallery, image.image)
        version = image.version
        if version == LATEST:
            versions = self._compute.community_gallery_image_versions.list(*names)
            eligible = (v.name for v in versions if not _is_left_out(v))
            version = _newest_version(eligible, image, region)
        else:
            self._compute.community_gallery_image_versions.get(*names, version)
        return {"communityGalleryImageId": str(Community(image.gallery, image.image, version))}


def _newest_version(versions: Iterable[str | None], image: Image, region: str) -> str:
    """The highest version, compared number by number."""
    known = [v for v in versions if v and all(part.isdecimal() for part in v.split("."))]
    if not known:
        raise NotFound(f"{region} has no version of the image {image}", code="ImageNotFound")
    return max(known, key=lambda v: tuple(int(part) for part in v.split(".")))


def _is_left_out(version: Any) -> bool:
    """Whether `latest` never means this version (`excludeFromLatest`)."""
    properties = version.properties  # the model's own short form looks in the wrong place
    return bool(properties is not None and properties.exclude_from_latest)


def _require_confidential(security: str | None, image: Image) -> None:
    """Refuse an image whose features say that it cannot be a confidential VM; say nothing, pass."""
    if security is not None and "confidentialvm" not in security.casefold():
        raise AzureRefused(
            f"the image {image} cannot start a confidential VM: its SecurityType is {security}",
            code="NotConfidential",
        )


def _body_of(answer: Any) -> Body:
    found: Body = {**answer}  # whatever is no object is not ARM's: `translated`
    return found


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
    """The wire's word for an enumeration that the SDK may or may not know."""
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
