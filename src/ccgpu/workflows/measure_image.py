"""`image measure`, `image show`: what a disk is, and whether it is that of a manifest."""

from dataclasses import replace
from pathlib import Path

from ccgpu.domain.image_manifest import ImageFile, differences
from ccgpu.domain.measured_disk import MeasuredDisk
from ccgpu.domain.root_lists import list_differences
from ccgpu.errors import ImageRejected
from ccgpu.image.malformed import MalformedImage
from ccgpu.image.measure import measure
from ccgpu.imaging import root_reading
from ccgpu.store import image_files
from ccgpu.store.image_files import DiskFile
from ccgpu.store.mistaken_files import require_disk


def measure_disk(disk: Path, manifest: Path | None) -> MeasuredDisk:
    """Measure a disk, and compare it with a manifest if one is given.

    Raises:
        InvalidFile: A file cannot be read, or the manifest is not valid.
        ImageRejected: The disk is not laid out as a measured image, or its root is damaged.
    """
    stated = None if manifest is None else image_files.load_manifest(manifest)
    with image_files.open_disk(disk) as blocks:
        return measure_file(blocks, stated)


def measure_file(disk: DiskFile, stated: ImageFile | None) -> MeasuredDisk:
    """Measure an open disk, and compare it with a manifest if one is given.

    Raises:
        InvalidFile: It is no disk, but another file that ccgpu reads.
        ImageRejected: The disk is not laid out as a measured image, or its root is damaged.
    """
    try:
        found = measure(disk)
    except MalformedImage as err:
        require_disk(disk.path)
        raise ImageRejected(f"{disk.path} is not a sound measured image: {err}") from err
    compared = () if stated is None else differences(stated.manifest, found)
    return MeasuredDisk(str(disk.path), found, stated, compared)


def look_inside(path: Path) -> MeasuredDisk:
    """What is inside of an image: a manifest, or a disk with the manifest beside it.

    Raises:
        InvalidFile: As `measure_disk`.
        ProgramMissing: It is a disk, and its file system cannot be read on this machine.
        ImageRejected: As `measure_disk`; or the disk, or what its root file system lists, is not
            that of the manifest beside it.
    """
    if image_files.is_manifest(path):
        return MeasuredDisk(str(path), None, image_files.load_manifest(path))
    root_reading.require_reader()
    measured = measure_disk(path, image_files.manifest_beside(path))
    measured.require_same()
    with image_files.open_disk(path) as blocks:
        inside = root_reading.read_lists(blocks, str(path))
    stated = measured.manifest
    compared = () if stated is None else list_differences(stated.manifest, inside)
    looked_at = replace(measured, inside=inside, differences=compared)
    looked_at.require_same()
    return looked_at
