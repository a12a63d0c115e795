"""Reads of images for VMs: of the Marketplace, and of community galleries."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ccgpu.azure.arm import Arm
from ccgpu.azure.reader import quoted
from ccgpu.domain.catalog import API_VERSIONS, Kind

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


def _properties(body: dict[str, Any]) -> dict[str, Any]:
    properties = body.get("properties")
    return {} if properties is None else {**properties}
