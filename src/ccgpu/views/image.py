"""A measured image, as text and as JSON."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.image_manifest import ImageBytes, ImageManifest
from ccgpu.domain.measured_disk import MeasuredDisk
from ccgpu.domain.plain_text import one_line
from ccgpu.domain.root_lists import RootLists
from ccgpu.views.tables import Grid

_BY_STATUS = (
    "The root file system lists the same: packages by dpkg's status file, units, containers."
)
_NO_MANIFEST = "No manifest is beside the disk. What its root file system lists:"


def measured_as_text(measured: MeasuredDisk) -> RenderableType:
    """What the bytes are, and whether they are those of the manifest."""
    parts: list[RenderableType] = [_table(measured.found)] if measured.found else []
    stated = measured.manifest
    if stated is not None:
        same = not measured.differences
        word = "the same as" if same else "NOT the same as"
        named = f"{stated.manifest.name} {stated.manifest.version}"
        parts.append(Text(f"\n{word} {one_line(stated.path)}: {named}, SHA-256 {stated.sha256}"))
    for each in measured.differences:
        parts.append(Text(f"  {each.field}: expected {one_line(each.stated)}"))
        parts.append(Text(f"  {' ' * len(each.field)}  found    {one_line(each.found)}"))
    return Group(*parts)


def inside_as_text(shown: MeasuredDisk) -> RenderableType:
    """What is inside: name, boot, packages, units, containers."""
    stated = None if shown.manifest is None else shown.manifest.manifest
    parts: list[RenderableType] = []
    if stated is not None and shown.manifest is not None:
        parts.append(Text(f"{stated.name} {stated.version}, SHA-256 {shown.manifest.sha256}\n"))
    known = shown.found or stated
    parts += [] if known is None else [_table(known)]
    lists = stated or shown.inside
    if stated is not None:
        parts.append(Text(f"\nlock: SHA-256 {stated.lock_sha256}"))
    if shown.inside is not None:
        parts.append(Text(f"\n{_NO_MANIFEST if stated is None else _BY_STATUS}"))
    return Group(*parts, *map(Text, () if lists is None else _contents(lists)))


def _table(image: ImageBytes) -> Grid:
    table = Grid()
    for name, value in _rows(image):
        table.add_row(Text(name), Text(value, overflow="fold"))
    return table


def _rows(image: ImageBytes) -> Iterator[tuple[str, str]]:
    yield "disk", f"{image.disk.size >> 20} MiB, SHA-256 {image.disk.sha256}"
    yield "VHD", f"SHA-256 {image.disk.vhd_sha256}"
    yield "UKI", f"Authenticode {image.uki.authenticode}, systemd-stub {image.uki.stub}"
    yield "kernel", f"Authenticode {image.uki.kernel_authenticode}"
    for section in image.uki.sections:
        yield section.name, f"{section.size} bytes, SHA-256 {section.sha256}"
    yield "command line", image.uki.command_line
    root = image.root
    yield "root", f"{root.data_blocks * root.block_size} bytes, dm-verity {root.hash}"
    yield "secure boot", image.secure_boot
    for index, value in image.pcrs.items():
        yield f"PCR {index}", value


def _contents(manifest: ImageManifest | RootLists) -> Iterator[str]:
    """The lists, each with its number."""
    for title, entries in (
        ("packages", [f"{p.name} {p.version} {p.architecture}" for p in manifest.packages]),
        ("units", list(manifest.units)),
        ("containers", [f"{c.reference} {c.digest}" for c in manifest.containers]),
    ):
        yield f"\n{title}: {len(entries) or 'none'}"
        yield from (f"  {entry}" for entry in entries)


def measured_as_json(measured: MeasuredDisk) -> dict[str, Any]:
    """The JSON document of `image measure`."""
    return {
        "schema": "ccgpu.image-measured/1",
        "source": measured.source,
        "same": None if measured.manifest is None else not measured.differences,
        "manifest": _file(measured),
        "measured": None if measured.found is None else measured.found.model_dump(mode="json"),
        "differences": [
            {"field": each.field, "expected": each.stated, "found": each.found}
            for each in measured.differences
        ],
    }


def inside_as_json(shown: MeasuredDisk) -> dict[str, Any]:
    """The JSON document of `image show`: the image, as a manifest has it as far as it is known."""
    stated = None if shown.manifest is None else shown.manifest.manifest
    image = stated or shown.found
    return {
        "schema": "ccgpu.image-shown/1",
        "source": shown.source,
        "manifest": _file(shown),
        "image": None if image is None else image.model_dump(mode="json", by_alias=True),
        "inside": None if shown.inside is None else _lists(shown.inside),
    }


def _lists(inside: RootLists) -> dict[str, Any]:
    return {
        "packages": [each.model_dump(mode="json") for each in inside.packages],
        "units": list(inside.units),
        "containers": [each.model_dump(mode="json") for each in inside.containers],
    }


def _file(measured: MeasuredDisk) -> dict[str, str] | None:
    if measured.manifest is None:
        return None
    stated = measured.manifest
    return {
        "path": stated.path,
        "sha256": stated.sha256,
        "name": stated.manifest.name,
        "version": stated.manifest.version,
    }
