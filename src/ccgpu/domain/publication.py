"""What `image publish` puts at Azure: the ids, the bodies, and the names that Azure takes.

Everything follows from the manifest, the gallery and the regions, so that the same command finds
what an interrupted one has left.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ccgpu.domain.catalog import Kind
from ccgpu.domain.image_manifest import ImageFile
from ccgpu.domain.published_image import MANIFEST_TAG, VHD_TAG
from ccgpu.domain.resource import (
    CREATED,
    EXPIRES,
    RUN,
    Body,
    Resource,
    ResourceId,
    group_id,
    key,
    resource_id,
    tags_of,
)

# Tag of a group and a gallery that `image publish` created. Both stay.
CREATED_FOR_IMAGES = "ccgpu-images"
DEFAULT_GROUP = "ccgpu-images"
FOOTER = 512  # bytes after the disk in a fixed VHD

# A gallery's definition is named by publisher, offer and sku (GalleryImageIdentifier).
_PUBLISHER, _OFFER, _LONGEST_SKU = "ccgpu", "measured", 64


@dataclass(frozen=True, slots=True)
class GalleryPlace:
    """A gallery, which may not exist yet."""

    subscription: str
    group: str
    name: str

    @property
    def id(self) -> ResourceId:
        """Its ARM id."""
        return resource_id(self.subscription, self.group, Kind.GALLERY, self.name)


@dataclass(frozen=True, slots=True)
class PublicationStamp:
    """What changes from run to run: the run's id, its time, and when its disk is garbage."""

    run: str
    created: str
    expires: str


@dataclass(frozen=True, slots=True)
class Publication:
    """An image that is to be published.

    regions: at least one; the disk is made in the first, and the version copied to the others.
    name: of the definition in the gallery. replicas: copies of the version in each of `named`, the
    regions that the user names, or in every one if none is. None: as they are, and one in a new
    region.
    """

    image: ImageFile
    gallery: GalleryPlace
    name: str
    regions: tuple[str, ...]
    replicas: int | None = None
    named: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Its version, three numbers."""
        return self.image.manifest.version

    @property
    def vhd_size(self) -> int:
        """The bytes of the VHD with its footer."""
        return self.image.manifest.disk.size + FOOTER

    @property
    def digests(self) -> Mapping[str, str]:
        """The tags that say which image it is."""
        return {MANIFEST_TAG: self.image.sha256, VHD_TAG: self.image.manifest.disk.vhd_sha256}

    @property
    def group(self) -> ResourceId:
        """The id of the gallery's group, in which the disk is, too."""
        return group_id(self.gallery.subscription, self.gallery.group)

    @property
    def definition_id(self) -> ResourceId:
        """The id of the definition."""
        names = (self.gallery.name, self.name)
        return self._id(Kind.GALLERY_IMAGE, *names)

    @property
    def version_id(self) -> ResourceId:
        """The id of the version, which stays."""
        return self._id(Kind.GALLERY_VERSION, self.gallery.name, self.name, self.version)

    @property
    def disk_id(self) -> ResourceId:
        """The id of the disk, which exists while the image is uploaded and copied."""
        return self._id(Kind.DISK, f"ccgpu-upload-{self._digest}")

    @property
    def journal_name(self) -> str:
        """The name of its journal."""
        return f"image-{self._digest}"

    @property
    def _sku(self) -> str:
        return self.name[:_LONGEST_SKU].rstrip(".")

    @property
    def _digest(self) -> str:
        return hashlib.sha256(key(self.version_id).encode()).hexdigest()[:16]

    def _id(self, kind: Kind, *names: str) -> ResourceId:
        return resource_id(self.gallery.subscription, self.gallery.group, kind, *names)

    def group_resource(self) -> Resource:
        """The group, if there is none."""
        body = {"location": self.regions[0], "tags": {CREATED_FOR_IMAGES: self.gallery.name}}
        return Resource(Kind.GROUP, self.group, body)

    def gallery_resource(self) -> Resource:
        """The gallery, if there is none."""
        about = "Measured images, published by ccgpu"
        body = {
            "location": self.regions[0],
            "tags": {CREATED_FOR_IMAGES: self.gallery.name},
            "properties": {"description": about},
        }
        return Resource(Kind.GALLERY, self.gallery.id, body)

    def definition(self) -> Resource:
        """The definition of the image.

        Generalized: an image without an agent needs `osProfile` with `provisionVMAgent: false`,
        and a VM of a specialized image takes no `osProfile` (docs/decisions.md).
        """
        properties = {
            "osType": "Linux",
            "osState": "Generalized",
            "hyperVGeneration": "V2",
            "architecture": "x64",
            "identifier": {"publisher": _PUBLISHER, "offer": _OFFER, "sku": self._sku},
            "features": [{"name": "SecurityType", "value": "ConfidentialVmSupported"}],
        }
        body = {"location": self.regions[0], "properties": properties}
        return Resource(Kind.GALLERY_IMAGE, self.definition_id, body)

    def disk(self, stamp: PublicationStamp) -> Resource:
        """The empty disk to upload to (Microsoft Learn, "Upload a VHD to a managed disk")."""
        body = {
            "location": self.regions[0],
            "tags": self._tags(stamp) | {EXPIRES: stamp.expires},
            "sku": {"name": "Standard_LRS"},
            "properties": {
                "osType": "Linux",
                "hyperVGeneration": "V2",
                "creationData": {"createOption": "Upload", "uploadSizeBytes": self.vhd_size},
            },
        }
        return Resource(Kind.DISK, self.disk_id, body)

    def version_resource(self, stamp: PublicationStamp, regions: Sequence[str]) -> Resource:
        """The version, out of the uploaded disk, in these regions."""
        body = {
            "location": self.regions[0],
            "tags": self._tags(stamp),
            "properties": {
                "publishingProfile": self.publishing_profile(regions),
                "storageProfile": {
                    "osDiskImage": {"hostCaching": "ReadOnly", "source": {"id": self.disk_id}}
                },
                # Without it a version cannot be deleted for half a year (API version 2026-03-03).
                "safetyProfile": {
                    "allowDeletionOfReplicatedLocations": True,
                    "blockDeletionBeforeEndOfLife": False,
                },
            },
        }
        needs = frozenset((self.disk_id, self.definition_id))
        return Resource(Kind.GALLERY_VERSION, self.version_id, body, needs)

    def publishing_profile(self, regions: Sequence[str]) -> Body:
        """Where the version is copied to."""
        replicas = self.replicas or 1
        return {
            "replicaCount": replicas,
            "targetRegions": [
                {"name": region, "regionalReplicaCount": replicas} for region in regions
            ],
        }

    def _tags(self, stamp: PublicationStamp) -> dict[str, str]:
        return {**self.digests, RUN: stamp.run, CREATED: stamp.created}

    def matches(self, body: Body) -> bool:
        """Whether the tags of a disk or a version say that it is of this image."""
        tags = tags_of(body)
        return all(tags.get(name) == value for name, value in self.digests.items())


def is_of_an_image(body: Body) -> bool:
    """Whether `image publish` made a disk or a version, of whichever image."""
    return {MANIFEST_TAG, VHD_TAG} <= tags_of(body).keys()
