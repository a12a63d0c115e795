"""Reads of images for VMs: of the Marketplace, of community galleries, and of private ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ccgpu.azure.arm import Arm
from ccgpu.azure.errors import translating_errors
from ccgpu.azure.reader import quoted
from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.resource import Body

# What the pinned azure-mgmt-compute sends for galleries.
_GALLERIES_API = "2026-03-03"


@dataclass(frozen=True, slots=True)
class ImageReader:
    """The images of one region of the session's subscription, as ARM's JSON."""

    arm: Arm
    region: str

    def marketplace_versions(self, publisher: str, offer: str, sku: str) -> list[str]:
        """The names of the versions."""
        path = self._marketplace(publisher, offer, sku)
        return [str(one["name"]) for one in self.arm.reader.get(path, API_VERSIONS[Kind.VM])]

    def marketplace(self, publisher: str, offer: str, sku: str, version: str) -> dict[str, Any]:
        """The properties of one version."""
        path = self._marketplace(publisher, offer, sku) + quoted(version)
        return _properties(self.arm.reader.get(path, API_VERSIONS[Kind.VM]))

    def community_versions(self, gallery: str, image: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The name and the properties of each version."""
        for one in self.arm.reader.pages(self._community(gallery, image), _GALLERIES_API):
            yield str(one["name"]), _properties(one)

    def community(self, gallery: str, image: str, version: str) -> dict[str, Any]:
        """The properties of one version."""
        path = self._community(gallery, image) + quoted(version)
        return _properties(self.arm.reader.get(path, _GALLERIES_API))

    def _marketplace(self, publisher: str, offer: str, sku: str) -> str:
        names = ("publishers", publisher, "artifacttypes", "vmimage", "offers", offer, "skus", sku)
        return f"{self._place}{quoted(*names)}/versions"

    def _community(self, gallery: str, image: str) -> str:
        return f"{self._place}{quoted('communityGalleries', gallery, 'images', image)}/versions"

    @property
    def _place(self) -> str:
        compute = f"/subscriptions/{self.arm.subscription}/providers/Microsoft.Compute"
        return f"{compute}{quoted('locations', self.region)}"


@dataclass(frozen=True, slots=True)
class GalleryReader:
    """Images and versions of galleries that the caller may read, by their ARM ids."""

    arm: Arm

    def image(self, id_: str) -> Body:
        """The definition of an image, or one version; raises `NotFound` if there is none."""
        with translating_errors(f"reading {id_}"):
            return _with_id(id_, self.arm.reader.get(quote(id_), _GALLERIES_API))

    def versions(self, id_: str) -> list[Body]:
        """The versions of an image."""
        with translating_errors(f"listing the versions of {id_}"):
            path = f"{quote(id_)}/versions"
            return [
                _with_id(f"{id_}/versions/{one['name']}", one)
                for one in self.arm.reader.pages(path, _GALLERIES_API)
            ]


def _with_id(id_: str, answer: dict[str, Any]) -> Body:
    return {**answer, "id": id_}


def _properties(body: dict[str, Any]) -> dict[str, Any]:
    properties = body.get("properties")
    return {} if properties is None else {**properties}
