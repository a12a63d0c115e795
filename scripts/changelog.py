"""The sections of CHANGELOG.md, in the form of Keep a Changelog. Standard library only."""

import re
from pathlib import Path
from typing import NamedTuple

from commands import ROOT

CHANGELOG = ROOT / "CHANGELOG.md"
UNRELEASED = "Unreleased"
_HEADING = re.compile(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", re.MULTILINE)
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)


class VersionChanges(NamedTuple):
    """What changed in a version. date: of its release, empty for what is not released."""

    version: str
    date: str
    text: str


def sections(text: str) -> dict[str, VersionChanges]:
    """The sections by version, in their order. `ValueError` for two of one version."""
    headings = list(_HEADING.finditer(text))
    ends = [one.start() for one in headings[1:]] + [len(text)]
    found: dict[str, VersionChanges] = {}
    for heading, end in zip(headings, ends, strict=True):
        version, date = heading[1], heading[2] or ""
        if version in found:
            raise ValueError(f"two sections of {version}")
        found[version] = VersionChanges(version, date, text[heading.end() : end].strip())
    return found


def package_version(root: Path = ROOT) -> str:
    """The version in the source."""
    match = _VERSION.search((root / "src" / "ccgpu" / "__init__.py").read_text("utf-8"))
    if match is None:
        raise ValueError("src/ccgpu/__init__.py has no __version__")
    return match[1]


def released(root: Path = ROOT) -> VersionChanges:
    """The section of the package's version. `LookupError` if there is none with a date."""
    version = package_version(root)
    section = sections((root / CHANGELOG.name).read_text("utf-8")).get(version)
    if section is None or not section.date:
        raise LookupError(f"CHANGELOG.md has no section `## [{version}] - YYYY-MM-DD`")
    return section
