"""The `imageReference` of an image, with its exact version, by what its region has."""

from collections.abc import Iterable, Mapping

from ccgpu.azure.arm import Arm
from ccgpu.azure.images import ImageReader
from ccgpu.domain.image import LATEST, Community, Gallery, Image, Marketplace
from ccgpu.errors import AzureRefused, NotFound


def image_reference(arm: Arm, region: str, image: Image) -> Mapping[str, str]:
    """The reference of an image in a region.

    Raises:
        NotFound: The region has no such image.
        AzureRefused: The image cannot start a confidential VM (code `NotConfidential`).
    """
    images = ImageReader(arm, region)
    match image:
        case Marketplace():
            return _marketplace_reference(images, image)
        case Community():
            return _community_reference(images, image)
        case Gallery():
            return {"id": image.id}


def _marketplace_reference(images: ImageReader, image: Marketplace) -> Mapping[str, str]:
    """The reference of a Marketplace image, with the newest version for `latest`."""
    names = (image.publisher, image.offer, image.sku)
    version = image.version
    if version == LATEST:
        version = _newest_version(images.marketplace_versions(*names), image, images.region)
    details = images.marketplace(*names, version)
    features = {str(one["name"]): str(one["value"]) for one in details.get("features") or ()}
    _require_confidential(features.get("SecurityType"), image)
    return {
        "publisher": image.publisher,
        "offer": image.offer,
        "sku": image.sku,
        "version": version,
    }


def _community_reference(images: ImageReader, image: Community) -> Mapping[str, str]:
    """The reference of a community gallery's image, with the newest version for `latest`."""
    version = image.version
    if version == LATEST:
        versions = images.community_versions(image.gallery, image.image)
        eligible = [name for name, one in versions if not one.get("excludeFromLatest")]
        version = _newest_version(eligible, image, images.region)
    else:
        images.community(image.gallery, image.image, version)
    return {"communityGalleryImageId": str(Community(image.gallery, image.image, version))}


def _newest_version(versions: Iterable[str], image: Image, region: str) -> str:
    """The highest version, compared numerically; raises `NotFound` if there is none."""
    known = [v for v in versions if all(part.isdecimal() for part in v.split("."))]
    if not known:
        raise NotFound(f"{region} has no version of the image {image}", code="ImageNotFound")
    return max(known, key=lambda v: tuple(int(part) for part in v.split(".")))


def _require_confidential(security: str | None, image: Image) -> None:
    """Raise `AzureRefused` if an image's SecurityType excludes confidential VMs; None passes."""
    if security is not None and "confidentialvm" not in security.casefold():
        raise AzureRefused(
            f"the image {image} cannot start a confidential VM: its SecurityType is {security}",
            code="NotConfidential",
        )
