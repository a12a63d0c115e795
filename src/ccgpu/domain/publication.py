"""What `image publish` puts at Azure: the ids, the bodies, and the names that Azure takes.

Everything follows from the manifest, the gallery and the regions, so that the same command finds
what an interrupted one has left.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ccgpu.domain.catalog import Kind
from ccgpu.domain.image_manifest import ImageFile
from ccgpu.domain.published_image import MANIFEST_TAG, VHD_TAG
from ccgpu.domain.references import canonical_id
from ccgpu.domain.resource import (
    CREATED,
    EXPIRES,
    RUN,
    Body,
    Resource,
    ResourceId,
    group_id,
    group_of,
    key,
    location,
    name_of,
    resource_id,
    subscription_of,
    tags_of,
)
from ccgpu.errors import InvalidFile, Problem, UsageProblem

# Tag of a group and a gallery that `image publish` created. Both stay.
CREATED_FOR_IMAGES = "ccgpu-images"
DEFAULT_GROUP = "ccgpu-images"
FOOTER = 512  # bytes after the disk in a fixed VHD
# Bytes of a disk that can be uploaded: azure-mgmt-compute, CreationData.upload_size_bytes.
LEAST_DISK, MOST_DISK = 20 * 2**20, 32 * 2**40

# Microsoft Learn, "Naming rules and restrictions for Azure resources" (Microsoft.Compute).
_GALLERY_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.]{0,78}[A-Za-z0-9])?")
_DEFINITION_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9])?")
# The same page: an image version is three 32-bit integers.
_VERSION = re.compile(r"(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})")
_MOST = 2**31 - 1
# azure-mgmt-compute, GalleryImageFeature `SecurityType`: what starts confidential VMs without
# bringing a guest state of its own. Compared without case.
_FITTING_SECURITY = ("confidentialvmsupported", "trustedlaunchandconfidentialvmsupported")
# A gallery's definition is named by publisher, offer and sku (GalleryImageIdentifier).
_PUBLISHER, _OFFER, _LONGEST_SKU = "ccgpu", "measured", 64
MOST_REPLICAS = 100  # azure-compute-docs, "Azure Compute Gallery: limits", per region


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
    replicas: copies of the version in each region. name: of the definition in the gallery.
    """

    image: ImageFile
    gallery: GalleryPlace
    name: str
    regions: tuple[str, ...]
    replicas: int = 1

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
        return {
            "replicaCount": self.replicas,
            "targetRegions": [
                {"name": region, "regionalReplicaCount": self.replicas} for region in regions
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


def parse_gallery(text: str, subscription: str, group: str | None) -> GalleryPlace:
    """The gallery that the user names: by its ARM id, or by its name.

    Raises:
        UsageProblem: It is neither, or the id is in another group or subscription than was given.
    """
    if not text.startswith("/"):
        if not _GALLERY_NAME.fullmatch(text):
            raise UsageProblem(
                f"--gallery: {text!r} is no name of a gallery: it has up to 80 letters, digits, "
                "'.' and '_', and begins and ends with a letter or a digit"
            )
        return GalleryPlace(subscription, group or DEFAULT_GROUP, text)
    try:
        id_ = canonical_id(text, Kind.GALLERY)
    except ValueError as err:
        raise UsageProblem(f"--gallery: {text!r} {err}") from err
    if group is not None and key(group) != key(group_of(id_)):
        raise UsageProblem(
            f"--gallery is in the group {group_of(id_)}, --resource-group says {group}",
            hint="leave out `--resource-group`",
        )
    if key(subscription_of(id_)) != key(subscription):
        raise UsageProblem(
            f"--gallery is in the subscription {subscription_of(id_)}, this command in "
            f"{subscription}",
            hint=f"give `--subscription {subscription_of(id_)}`",
        )
    return GalleryPlace(subscription, group_of(id_), name_of(id_))


def require_version(image: ImageFile) -> None:
    """Raise `InvalidFile` unless the manifest's version can be a gallery's."""
    match = _VERSION.fullmatch(image.manifest.version)
    if match is None or any(int(part) > _MOST for part in match.groups()):
        message = (
            f"is {image.manifest.version!r}; a gallery takes three whole numbers up to {_MOST}, "
            "such as 1.0.0"
        )
        hint = "build the image again with such a version"
        raise InvalidFile(image.path, [Problem("version", message)], hint=hint)


def require_size(image: ImageFile) -> None:
    """Raise `InvalidFile` if Azure takes no disk of the image's size."""
    size = image.manifest.disk.size
    if not LEAST_DISK <= size <= MOST_DISK:
        message = (
            f"is {size >> 20} MiB; Azure takes disks of {LEAST_DISK >> 20} MiB to "
            f"{MOST_DISK >> 40} TiB"
        )
        raise InvalidFile(image.path, [Problem("disk.size", message)])


def definition_name(image: ImageFile, given: str | None) -> str:
    """The name of the definition: the given one, else the image's.

    Raises:
        UsageProblem: Azure takes no such name.
    """
    name = given or image.manifest.name
    if not _DEFINITION_NAME.fullmatch(name):
        what = f"--name: {given!r}" if given else f"the image's name {name!r}"
        raise UsageProblem(
            f"{what} is no name of an image definition: it has up to 80 letters, digits, '.', '_' "
            "and '-', and begins and ends with a letter or a digit",
            hint="name the definition: `--name DEFINITION`",
        )
    return name


def distinct_regions(regions: Sequence[str]) -> tuple[str, ...]:
    """The regions as ARM names them, each once, in order."""
    return tuple(dict.fromkeys(location(region) for region in regions))


def definition_problems(body: Body) -> tuple[str, ...]:
    """Why an existing definition cannot hold a measured image; empty if it can."""
    properties: Mapping[str, Any] = body.get("properties") or {}
    wanted = {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V2",
        "architecture": "x64",
    }
    # A definition that does not say has the service's default (GalleryImageProperties).
    usual = {"hyperVGeneration": "V1", "architecture": "x64"}
    found = {name: str(properties.get(name) or usual.get(name)) for name in wanted}
    problems = [
        f"{name} is {found[name]}, needed is {value}"
        for name, value in wanted.items()
        if found[name].casefold() != value.casefold()
    ]
    features = {
        str(one.get("name")).casefold(): str(one.get("value"))
        for one in properties.get("features") or ()
    }
    security = features.get("securitytype", "Standard")
    if security.casefold() not in _FITTING_SECURITY:
        problems.append(f"SecurityType is {security}, needed is ConfidentialVmSupported")
    return tuple(problems)
