"""An image that was published, as text and as JSON."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.plain_text import one_line
from ccgpu.domain.publication_outcome import PublishOutcome
from ccgpu.domain.publication_state import RegionCopy
from ccgpu.views.tables import Grid

_HEADLINES = {
    "published": "is published",
    "extended": "was published already; regions are added",
    "updated": "was published already; its copies are changed",
    "unchanged": "is published already: nothing to do",
}


def as_text(done: PublishOutcome) -> RenderableType:
    """The version, its regions, its digests, and what it costs."""
    wanted = done.wanted
    rows = Grid()
    rows.add_row("version", Text(wanted.version_id, overflow="fold"))
    for copy in done.copies:
        rows.add_row("region", Text(_copy_text(copy)))
    for name, digest in wanted.digests.items():
        rows.add_row(name, Text(digest, overflow="fold"))
    head = Text(f"{wanted.name} {wanted.version} {_HEADLINES[done.action]}\n")
    return Group(head, rows, Text(f"\n{_cost(done)}"))


def _copy_text(copy: RegionCopy) -> str:
    details = f": {one_line(copy.details)}" if copy.details else ""
    number = f", {copy.replicas} copies" if copy.replicas > 1 else ""
    return f"{one_line(copy.region)}, {one_line(copy.state).lower()}{number}{details}"


def _cost(done: PublishOutcome) -> str:
    size = done.wanted.vhd_size >> 20
    copies = max(1, sum(copy.replicas for copy in done.copies))
    word = "copy" if copies == 1 else "copies"
    return (
        f"billed: storage of {copies} {word}, up to {size} MiB each; gallery and "
        "definition are free"
    )


def as_json(done: PublishOutcome) -> dict[str, Any]:
    """The JSON document."""
    wanted = done.wanted
    manifest = wanted.image.manifest
    return {
        "schema": "ccgpu.image-publication/1",
        "action": done.action,
        "gallery": wanted.gallery.id,
        "definition": wanted.definition_id,
        "version": wanted.version_id,
        "name": manifest.name,
        "image_version": manifest.version,
        "manifest": wanted.image.path,
        "manifest_sha256": wanted.image.sha256,
        "vhd_sha256": manifest.disk.vhd_sha256,
        "vhd_size": wanted.vhd_size,
        "sent_bytes": done.sent,
        "replicas": done.copies[0].replicas if done.copies else wanted.replicas or 1,
        "regions": [
            {
                "region": copy.region,
                "state": copy.state,
                "progress": copy.progress,
                "details": copy.details,
                "replicas": copy.replicas,
            }
            for copy in done.copies
        ],
    }
