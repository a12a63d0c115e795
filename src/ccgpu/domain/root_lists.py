"""What a root file system lists of itself: packages, units, container images.

The lists follow from the bytes that the root hash pins: dpkg's status file, the links that start
units, the list of the container store. A builder that lies can write a false status file into the
root; it cannot let the manifest say something else than that file.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ccgpu.domain.apt_sources import control_fields
from ccgpu.domain.image_manifest import (
    ImageContainer,
    ImageDifference,
    ImageManifest,
    ImagePackage,
)

_NOTHING = "nothing"
_INSTALLED = "installed"  # the last word of a package's status: dpkg(1), PACKAGE STATES


@dataclass(frozen=True, slots=True)
class RootLists:
    """What the root file system lists, each list in order."""

    packages: tuple[ImagePackage, ...]
    units: tuple[str, ...]
    containers: tuple[ImageContainer, ...]


def installed_packages(status: str) -> tuple[ImagePackage, ...]:
    """The packages that a status file of dpkg calls installed.

    Raises:
        ValueError: an entry has a field that no package has.
    """
    fields = (control_fields(stanza) for stanza in status.split("\n\n") if stanza.strip())
    found = (
        ImagePackage(
            name=each.get("package", ""),
            version=each.get("version", ""),
            architecture=each.get("architecture", ""),
        )
        for each in fields
        if each.get("status", "").split()[-1:] == [_INSTALLED]
    )
    return tuple(sorted(found, key=lambda each: each.name))


def status_text(packages: Iterable[ImagePackage]) -> str:
    """Packages as `installed_packages` reads them."""
    return "\n".join(
        f"Package: {each.name}\nStatus: install ok {_INSTALLED}\n"
        f"Architecture: {each.architecture}\nVersion: {each.version}\n"
        for each in packages
    )


def list_differences(stated: ImageManifest, found: RootLists) -> tuple[ImageDifference, ...]:
    """Every entry of the manifest's lists that the root has not, or has otherwise, and back."""
    return (
        *_differing("packages", _packages(stated.packages), _packages(found.packages)),
        *_differing("units", _units(stated.units), _units(found.units)),
        *_differing("containers", _containers(stated.containers), _containers(found.containers)),
    )


def _packages(packages: Iterable[ImagePackage]) -> dict[str, str]:
    return {each.name: f"{each.version} {each.architecture}" for each in packages}


def _units(units: Iterable[str]) -> dict[str, str]:
    return dict.fromkeys(units, "started at boot")


def _containers(containers: Iterable[ImageContainer]) -> dict[str, str]:
    return dict.fromkeys((f"{each.reference}@{each.digest}" for each in containers), "in the store")


def _differing(
    kind: str, stated: Mapping[str, str], found: Mapping[str, str]
) -> Iterator[ImageDifference]:
    for name in sorted({*stated, *found}):
        sides = stated.get(name, _NOTHING), found.get(name, _NOTHING)
        if sides[0] != sides[1]:
            yield ImageDifference(f"{kind}.{name}", *sides)
