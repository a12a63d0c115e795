"""Images for VMs: marketplace, community, shared and private galleries.

Each has several versions, so that "latest" must be resolved. A VM's PUT calls `find_image`; the
handlers in `catalog` let clients read images.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ccgpu.fakearm import errors
from ccgpu.fakearm.gallery.replication import is_available, region_name
from ccgpu.fakearm.settings import Settings
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import StoredResource, World


@dataclass(frozen=True, slots=True)
class Image:
    """`security` is the image's SecurityType feature, `exact` the resolved version.

    `excluded` holds versions that "latest" skips (`excludeFromLatest`). `specialized`: the image
    has its users already, so a VM of it has no `osProfile`. `generation` is the hypervisor's.
    """

    security: str
    versions: tuple[str, ...]
    exact: str = ""
    size_gib: int = 30
    os: str = "Linux"
    excluded: tuple[str, ...] = ()
    specialized: bool = False
    generation: str = "V2"

    @property
    def confidential(self) -> bool:
        return self.security.lower() in (  # documents spell the values in both ways
            "confidentialvmsupported",
            "trustedlaunchandconfidentialvmsupported",
            "confidentialvm",
        )

    def resolve(self, version: str) -> "Image | None":
        """The image in one version, or None. "latest" compares versions as numbers."""
        if version.lower() == "latest":
            eligible = [one for one in self.versions if one not in self.excluded]
            version = max(eligible, key=_version_key, default="")
        return replace(self, exact=version) if version in self.versions else None


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


DEPRECATED = "Deprecated"
_JAMMY = ("22.04.202604100", "22.04.202606120", "22.04.202608050")
_NOBLE = ("24.04.202606070", "24.04.202607310", "24.04.202609150")
# Publisher, offer, sku: Azure/az-cgpu-onboarding names the confidential ones and pins two of
# these versions; the others are the fake's own.
MARKETPLACE = {
    ("canonical", "ubuntu-24_04-lts", "cvm"): Image("ConfidentialVmSupported", _NOBLE),
    ("canonical", "ubuntu-22_04-lts", "cvm"): Image("ConfidentialVmSupported", _JAMMY),
    ("canonical", "0001-com-ubuntu-confidential-vm-jammy", "22_04-lts-cvm"): Image(
        "TrustedLaunchAndConfidentialVmSupported", _JAMMY
    ),
    ("canonical", "ubuntu-24_04-lts", "server"): Image("TrustedLaunchSupported", _NOBLE),
}
# Azure/az-cgpu-onboarding, documents on the prebuilt image.
_GALLERY = "cgpuimage-db870bae-5bcf-4120-9415-b841adef61d3"
COMMUNITY = {
    (_GALLERY, "cgpu-ncc-2204-base-image"): Image(
        "ConfidentialVmSupported", ("2204.20260714.0", "2204.20260928.0"), size_gib=100
    ),
    (_GALLERY, "cgpu-ncc-2404-base-image"): Image(
        "ConfidentialVmSupported",
        ("2404.20260714.0", "2404.20260928.0", "2404.20261105.0"),
        size_gib=100,
        excluded=("2404.20261105.0",),  # the fake's own: published, but not the latest
    ),
}
COMMUNITY_REGIONS = ("eastus2", "westeurope")

_COMMUNITY_ID = re.compile(
    r"/communitygalleries/([^/]+)/images/([^/]+)(?:/versions/([^/]+))?", re.IGNORECASE
)
_SHARED_ID = re.compile(
    r"/sharedgalleries/([^/]+)/images/([^/]+)(?:/versions/([^/]+))?", re.IGNORECASE
)
_PRIVATE_ID = re.compile(
    r"(/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.compute"
    r"/galleries/[^/]+/images/[^/]+)(?:/versions/([^/]+))?",
    re.IGNORECASE,
)


def find_image(world: World, reference: Body, region: str) -> Image:
    """The image and version that a VM references. Refuses one that does not exist."""
    if identifier := reference.get("communityGalleryImageId"):
        found = _community_image(str(identifier), region)
    elif identifier := reference.get("sharedGalleryImageId"):
        found = _shared_image(world.settings, str(identifier))
    elif identifier := reference.get("id"):
        found = _private_image_version(world, str(identifier), region)
    else:
        image = _marketplace_image(reference)
        parts = (str(reference[key]) for key in ("publisher", "offer", "sku"))
        require_supported(world.settings, *parts, image.exact)
        return image
    if found is None:
        raise errors.Refused(
            404,
            "GalleryImageNotFound",
            f"The gallery image {identifier} is not available in {region} region. Please contact "
            "image owner to replicate to this region, or change your requested region.",
            target="imageReference",
        )
    return found


def _marketplace_image(reference: Body) -> Image:
    for key in ("publisher", "offer", "sku", "version"):
        if not reference.get(key):
            raise errors.invalid_parameter(
                "imageReference", f"Required parameter 'imageReference.{key}' is missing (null)."
            )
    publisher, offer, sku = (str(reference[key]) for key in ("publisher", "offer", "sku"))
    image = MARKETPLACE.get((publisher.lower(), offer.lower(), sku.lower()))
    found = image.resolve(str(reference["version"])) if image else None
    if found is None:
        urn = f"{publisher}:{offer}:{sku}:{reference['version']}"
        raise errors.Refused(
            404,
            "PlatformImageNotFound",
            f"The platform image '{urn}' is not available. Verify that all fields in the storage "
            "profile are correct. For more details about storage profile information, please refer "
            "to https://aka.ms/storageprofile",
            target="imageReference",
        )
    return found


def image_end(settings: Settings, *parts: str) -> str | None:
    """When a marketplace image ends, or Deprecated; None if nothing is announced."""
    wanted = ":".join(parts).lower()
    ends: dict[str, str] = settings.value("image_ends")
    return next((end for urn, end in ends.items() if urn.lower() == wanted), None)


def find_end_problems(ends: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """What is wrong with the setting `image_ends`."""
    why = f"must be a time with its zone, such as 2027-06-30T00:00:00+00:00, or {DEPRECATED}"
    return [((str(urn),), why) for urn, end in ends.items() if not _is_end(end)]


def _is_end(value: Any) -> bool:
    try:
        return value == DEPRECATED or datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def require_supported(settings: Settings, *parts: str) -> None:
    """Refuse a deprecated version, as its GET and a VM's PUT do."""
    if image_end(settings, *parts) == DEPRECATED:
        publisher, offer, sku, version = parts
        raise errors.Refused(
            404,
            "ImageVersionDeprecated",
            f"VM Image from publisher: {publisher} with - Offer: {offer}, Sku: {sku}, Version: "
            f"{version} is deprecated.",
        )


def _community_image(identifier: str, region: str) -> Image | None:
    parts = _COMMUNITY_ID.fullmatch(identifier)
    if not parts or region not in COMMUNITY_REGIONS:
        return None
    image = COMMUNITY.get((parts[1].lower(), parts[2].lower()))
    return image.resolve(parts[3] or "latest") if image else None


def _shared_image(settings: Settings, identifier: str) -> Image | None:
    parts = _SHARED_ID.fullmatch(identifier)
    image = configured_image(settings, "shared_galleries", parts[1], parts[2]) if parts else None
    return image.resolve(parts[3] or "latest") if image and parts else None


def _private_image_version(world: World, identifier: str, region: str) -> Image | None:
    parts = _PRIVATE_ID.fullmatch(identifier)
    image = private_image(world, parts[1], region) if parts else None
    found = image.resolve(parts[2] or "latest") if image and parts else None
    stored = world.find(f"{parts[1]}/versions/{found.exact}") if found and parts else None
    if found is None or stored is None:
        return found
    disk = (stored.properties.get("storageProfile") or {}).get("osDiskImage") or {}
    return replace(found, size_gib=disk.get("sizeInGB") or found.size_gib)


def private_image(world: World, definition: str, region: str | None = None) -> Image | None:
    """The private image of this id, with the versions that the region has."""
    _, _, subscription, _, group, *_, gallery, _, name = definition.split("/")
    if subscription.lower() == world.home.lower() and (
        known := configured_image(world.settings, "galleries", group, gallery, name)
    ):
        return known
    found = world.find(definition)
    if found is None:
        return None
    features = {one["name"]: one["value"] for one in found.properties.get("features") or ()}
    versions = [
        one
        for one in world.list_children(definition)
        if region is None or (region in _target_regions(one) and is_available(world, one, region))
    ]
    return Image(
        features.get("SecurityType", "Standard"),
        tuple(one.name for one in versions),
        os=found.properties.get("osType", "Linux"),
        excluded=tuple(one.name for one in versions if _is_excluded(one, region)),
        specialized=found.properties.get("osState") == "Specialized",
        generation=found.properties.get("hyperVGeneration", "V2"),
    )


def _is_excluded(version: StoredResource, region: str | None) -> bool:
    """Whether "latest" skips the version, everywhere or in this region."""
    profile = _publishing_profile(version)
    there = [
        one
        for one in profile.get("targetRegions") or ()
        if region_name(one["name"]) == region and one.get("excludeFromLatest")
    ]
    return bool(profile.get("excludeFromLatest") or there)


def _publishing_profile(version: StoredResource) -> Body:
    profile: Body = version.properties.get("publishingProfile") or {}
    return profile


def _target_regions(version: StoredResource) -> list[str]:
    named = _publishing_profile(version).get("targetRegions") or ()
    return [region_name(one["name"]) for one in named] or [version.location]


def configured_image(settings: Settings, where: str, *names: str) -> Image | None:
    wanted = "/".join(names).lower()
    for key, one in settings.value(where).items():
        if key.lower() == wanted:
            excluded = tuple(one.get("excludeFromLatest", ()))
            return Image(one["security"], tuple(one["versions"]), excluded=excluded)
    return None
