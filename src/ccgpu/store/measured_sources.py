"""The measured image of a spec: its mapping made a text, its file placed, read and checked.

A spec names a manifest by its path, relative to the spec file. Like every file that a spec names
it is read before anything is sent.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccgpu.domain.image import MeasuredImage, is_measured, is_versioned, parse_measured
from ccgpu.domain.references import GALLERY_IMAGE, GALLERY_IMAGE_VERSION, canonical_id
from ccgpu.errors import InvalidFile
from ccgpu.store import image_files
from ccgpu.store.documents import FieldPath
from ccgpu.store.layers import Layer
from ccgpu.store.named_files import absolute

if TYPE_CHECKING:
    from ccgpu.domain.spec.vm import VmSpec

_IMAGE: FieldPath = ("image",)
_MANIFEST, _GALLERY = "measured", "gallery"
_FORM = "write {measured: FILE, gallery: ID}, with the ARM id of a gallery image or version"
_GIB = 2**30


def place_measured(layer: Layer, file: Path | None) -> Layer:
    """The layer with the measured image as a text, its path absolute.

    A mapping that does not have the two texts stays, and `measured_problems` names what is wrong.
    """
    image = layer.values.get("image")
    if isinstance(image, Mapping):
        named, gallery = image.get(_MANIFEST), image.get(_GALLERY)
        if image.keys() != {_MANIFEST, _GALLERY} or not (_is_text(named) and _is_text(gallery)):
            return layer
        placed = f"measured:{absolute(str(named), _folder(layer, file))}@{gallery}"
    else:
        try:
            measured = parse_measured(image) if isinstance(image, str) else None
        except ValueError:
            return layer
        if measured is None:
            return layer
        path = absolute(measured.manifest, _folder(layer, file))
        placed = str(MeasuredImage(path, measured.gallery))
    return Layer({**layer.values, "image": placed}, layer.places)


def measured_problems(values: dict[str, Any]) -> dict[FieldPath, str]:
    """What is wrong with the measured image of a spec, and with its manifest.

    A mapping that is wrong is taken out of `values`: what is left can be checked besides.
    """
    image = values.get("image")
    if isinstance(image, Mapping):
        del values["image"]
        return dict(_mapping_problems(image))
    if not is_measured(image):
        return {}
    _, separator, gallery = str(image).rpartition("@")
    if not separator:
        return {}  # the model says what the text should be
    if problem := _gallery_problem(gallery):
        del values["image"]
        return {(*_IMAGE, _GALLERY): problem}
    measured = parse_measured(str(image))
    return {} if measured is None else _manifest_problems(measured)


def room_problems(spec: "VmSpec") -> dict[FieldPath, str]:
    """Whether the image of a valid spec fits on its disk."""
    measured = spec.measured_image
    if measured is None:
        return {}
    size = image_files.load_manifest(Path(measured.manifest)).manifest.disk.size
    if size <= spec.os_disk.size_gib * _GIB:
        return {}
    return {("os_disk", "size_gib"): f"is too small: the image needs {-(-size // _GIB)} GiB"}


def _mapping_problems(image: Mapping[Any, Any]) -> Iterator[tuple[FieldPath, str]]:
    for name in image.keys() - {_MANIFEST, _GALLERY}:
        yield (*_IMAGE, str(name)), f"is not a field here: {_FORM}"
    for name in (_MANIFEST, _GALLERY):
        if name not in image:
            yield (*_IMAGE, name), f"is missing: {_FORM}"
        elif not _is_text(image[name]):
            yield (*_IMAGE, name), "must be text, put it in quotes"
    if _is_text(image.get(_GALLERY)) and (problem := _gallery_problem(image[_GALLERY])):
        yield (*_IMAGE, _GALLERY), problem


def _gallery_problem(gallery: str) -> str | None:
    kind = GALLERY_IMAGE_VERSION if is_versioned(gallery) else GALLERY_IMAGE
    try:
        canonical_id(gallery, kind)
    except ValueError as err:
        return str(err)
    return None


def _manifest_problems(measured: MeasuredImage) -> dict[FieldPath, str]:
    """Why the file is no manifest."""
    try:
        image_files.load_manifest(Path(measured.manifest))
    except InvalidFile as err:
        told = "; ".join(f"{one.path}: {one.message}".removeprefix(": ") for one in err.problems)
        return {(*_IMAGE, _MANIFEST): f"is no manifest of an image: {measured.manifest}: {told}"}
    return {}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _folder(layer: Layer, file: Path | None) -> Path:
    """What the path is relative to: the spec file's folder, else the current one."""
    place = layer.place((*_IMAGE, _MANIFEST))
    from_file = file is not None and place is not None and place.source == str(file)
    return file.parent if file is not None and from_file else Path()
