"""An image that was built, as text and as JSON."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.built_image import DISK, LOCK, MANIFEST, BuiltImage
from ccgpu.views.tables import Grid


def as_text(built: BuiltImage) -> RenderableType:
    """Where the image is, and the PCRs that it leads to."""
    manifest = built.manifest
    rows = Grid()
    size = manifest.disk.size >> 20
    rows.add_row("disk", Text(f"{built.path(DISK)}, {size} MiB", overflow="fold"))
    rows.add_row("manifest", Text(built.path(MANIFEST), overflow="fold"))
    rows.add_row("lock", Text(f"{built.path(LOCK)}, SHA-256 {manifest.lock_sha256}"))
    for index, value in manifest.pcrs.items():
        rows.add_row(f"PCR {index}", Text(value, overflow="fold"))
    packages = len(manifest.packages)
    head = f"{manifest.name} {manifest.version}: {packages} packages, {built.seconds:.0f} s\n"
    return Group(Text(head), rows)


def as_json(built: BuiltImage) -> dict[str, Any]:
    """The JSON document."""
    manifest = built.manifest
    return {
        "schema": "ccgpu.image-built/1",
        "name": manifest.name,
        "version": manifest.version,
        "disk": built.path(DISK),
        "manifest": built.path(MANIFEST),
        "lock": built.path(LOCK),
        "lock_sha256": manifest.lock_sha256,
        "vhd_sha256": manifest.disk.vhd_sha256,
        "packages": len(manifest.packages),
        "pcrs": dict(manifest.pcrs),
        "seconds": round(built.seconds, 1),
    }
