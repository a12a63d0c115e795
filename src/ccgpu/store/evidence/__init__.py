"""Evidence from disk, in the formats that people have: known by content, never by trust in a name.

What is in no known format is an `InvalidFile` (exit 3): not looked at is not rejected. The same
holds for what is beyond a bound.
"""

from dataclasses import replace
from pathlib import Path

from ccgpu.domain.evidence import Evidence
from ccgpu.store.evidence import bounds, folder, single, thim
from ccgpu.store.evidence.limits import refused

__all__ = ["read", "with_collateral"]


def read(path: Path, format_: str | None = None) -> Evidence:
    """The evidence at `path`, a file or a folder; `format_` refuses every other format."""
    found = folder.read(path) if path.is_dir() else single.read(path)
    if format_ not in (None, found.format):
        raise refused(path, f"is in the format {found.format}, not {format_}")
    bounds.check(path, found)
    return found if found.cpu is None else replace(found, cpu=thim.completed(found.cpu))


def with_collateral(found: Evidence, path: Path) -> Evidence:
    """`found`, given what lies in a folder of collateral; it comes before the evidence's own."""
    return bounds.check(path, folder.add(found, path))
