"""The image that a spec names, as a region has it; a measured one is compared with its manifest.

The gallery's tags are no proof: they are as trustworthy as who may write to the gallery. They save
a VM, and its price, that no verdict would accept. All is read before the first write.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.azure.images import GalleryReader
from ccgpu.azure.run import Run
from ccgpu.domain.image import MeasuredImage, is_versioned
from ccgpu.domain.published_image import MANIFEST_TAG, VHD_TAG
from ccgpu.domain.resource import Body, location, name_of, tag
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.domain.vm_view import properties
from ccgpu.errors import InvalidFile, NotFound, Problem
from ccgpu.store import image_files

if TYPE_CHECKING:
    from ccgpu.domain.image_manifest import ImageFile

_FIELD = "image.gallery"
_PUBLISH = "`ccgpu image publish` puts an image with its tags into a gallery"
_STATE = (
    "is {}, and a measured image is Generalized: without an agent Azure needs a name of a user, "
    "which Specialized images have none of"
)

ImageLookup = Callable[[str], Mapping[str, str]]


def measured_file(spec: VmSpec) -> "ImageFile | None":
    """The manifest of a spec's measured image, read anew; None if it has another image.

    Raises:
        InvalidFile: It cannot be read, or is no manifest.
    """
    measured = spec.measured_image
    return None if measured is None else image_files.load_manifest(Path(measured.manifest))


def image_lookup(run: Run, spec: VmSpec) -> ImageLookup:
    """What gives the `imageReference` of the spec's image in a region, with its exact version.

    The lookup raises as `Queries.image`; of a measured image also `InvalidFile`, if the gallery has
    another one.
    """
    measured, file = spec.measured_image, measured_file(spec)
    if measured is None or file is None:
        image, query = spec.image_reference, run.cloud.queries.image
        return lambda region: query(region, image)
    return partial(_MeasuredSource(GalleryReader(run.cloud.arm), measured, file).find)


@dataclass(frozen=True, slots=True)
class _MeasuredSource:
    """A gallery's image that should be the one of a manifest."""

    gallery: GalleryReader
    image: MeasuredImage
    file: "ImageFile"

    def find(self, region: str) -> Mapping[str, str]:
        """The exact version that holds the image in this region."""
        id_ = self.image.gallery.id
        self._require_usable(id_)
        if is_versioned(id_):
            versions = [self.gallery.image(id_)]
        else:
            versions = sorted(self.gallery.versions(id_), key=_by_number, reverse=True)
        if not versions:
            raise NotFound(f"{id_} has no version", code="ImageNotFound", hint=_PUBLISH)
        same = [one for one in versions if not self._differences(one)]
        if not same:
            problems = [Problem(_FIELD, each) for each in self._differences(versions[0])]
            raise InvalidFile("spec", problems, hint=_PUBLISH)
        here = [one for one in same if _is_in(one, region)]
        if not here:
            named = ", ".join(_regions(same[0]))
            raise NotFound(
                f"{same[0]['id']} is not in {region}: it is in {named}", code="ImageNotFound"
            )
        return {"id": str(here[0]["id"])}

    def _require_usable(self, id_: str) -> None:
        """Refuse an image definition that no measured VM can be made from."""
        definition = properties(self.gallery.image(id_.rpartition("/versions/")[0] or id_))
        state = definition.get("osState")
        features = {one.get("name"): one.get("value") for one in definition.get("features") or ()}
        security = str(features.get("SecurityType") or "Standard")
        problems = []
        if state != "Generalized":
            problems.append(Problem(_FIELD, _STATE.format(state)))
        if "confidentialvm" not in security.casefold():
            text = f"cannot start a confidential VM: its SecurityType is {security}"
            problems.append(Problem(_FIELD, text))
        if problems:
            raise InvalidFile("spec", problems, hint=_PUBLISH)

    def _differences(self, version: Body) -> Iterable[str]:
        """In which tags a version differs from the manifest, with both values."""
        wanted = {
            MANIFEST_TAG: (self.file.sha256, "has SHA-256"),
            VHD_TAG: (self.file.manifest.disk.vhd_sha256, "names the VHD"),
        }
        return [
            f"holds another image: the tag {name} of {version['id']} is {found or 'absent'}, and "
            f"{self.file.path} {what} {value}"
            for name, (value, what) in wanted.items()
            if (found := tag(version, name)) != value
        ]


def _regions(version: Body) -> list[str]:
    published = properties(version).get("publishingProfile") or {}
    return [location(str(one["name"])) for one in published.get("targetRegions") or ()]


def _is_in(version: Body, region: str) -> bool:
    """Whether a version is replicated to a region; one that names none is where it was made."""
    return region in (_regions(version) or [location(str(version.get("location", region)))])


def _by_number(version: Body) -> tuple[int, ...]:
    parts = name_of(str(version["id"])).split(".")
    return tuple(int(part) if part.isdecimal() else -1 for part in parts)
