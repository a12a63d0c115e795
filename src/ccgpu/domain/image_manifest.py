"""The manifest of a measured image, `ccgpu.image/1`: what the image is, digest by digest.

A manifest is untrusted input. Its PCRs must follow from its digests, or it is refused. That its
packages, units and containers are those of the root file system is the builder's word: building
the image again from the same lock proves it (docs/measured-image.md).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ccgpu.domain.image_pcrs import (
    CONFIG,
    MEASURED_SECTIONS,
    SBAT_MEASURED,
    Sha256,
    UkiDigests,
    config_digest,
    expected_events,
    replay,
)

SCHEMA: Literal["ccgpu.image/1"] = "ccgpu.image/1"

# What a manifest pins: without any of them a host can change what runs (docs/measured-image.md).
PCRS = (4, 8, 9, 11, 12, 13)
_MOST_PACKAGES, _MOST_NAMED = 4096, 256

Word = Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]


class ImageDisk(BaseModel):
    """The disk: its size and digest without the VHD's footer, and the digest of the VHD."""

    model_config = CONFIG

    size: Annotated[int, Field(strict=True, gt=0, le=2**40, multiple_of=2**20)]
    sha256: Sha256
    vhd_sha256: Sha256


class ImageRoot(BaseModel):
    """The root file system, by dm-verity."""

    model_config = CONFIG

    hash: Sha256
    salt: Annotated[str, Field(pattern=r"^([0-9a-f]{2}){1,256}$")]
    uuid: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    data_blocks: Annotated[int, Field(strict=True, gt=0, le=2**32)]
    block_size: Literal[4096] = 4096
    algorithm: Literal["sha256"] = "sha256"


class ImagePackage(BaseModel):
    """A package of the distribution in the root file system."""

    model_config = CONFIG

    name: Word
    version: Word
    architecture: Word


class ImageContainer(BaseModel):
    """A container image in the root file system: how it is called there, and its digest."""

    model_config = CONFIG

    reference: Word
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class ImageFacts(BaseModel):
    """What the builder states of an image: nothing here follows from the disk's bytes."""

    model_config = CONFIG

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+~-]{0,62}$")]
    lock_sha256: Sha256
    packages: Annotated[tuple[ImagePackage, ...], Field(max_length=_MOST_PACKAGES)]
    units: Annotated[tuple[Word, ...], Field(max_length=_MOST_NAMED)]
    containers: Annotated[tuple[ImageContainer, ...], Field(max_length=_MOST_NAMED)]


class ImageBytes(BaseModel):
    """What follows from the disk's bytes."""

    model_config = CONFIG

    disk: ImageDisk
    uki: UkiDigests
    root: ImageRoot
    secure_boot: Literal["off"]
    pcrs: dict[str, Sha256]


class ImageManifest(ImageFacts, ImageBytes):
    """One image. `pcrs`: after a boot without a config, before workloads."""

    model_config = CONFIG | ConfigDict(populate_by_name=True)

    schema_: Annotated[Literal["ccgpu.image/1"], Field(alias="schema")]

    @model_validator(mode="after")
    def _says_what_follows(self) -> "ImageManifest":
        if self.uki.stub not in SBAT_MEASURED:
            known = ", ".join(map(str, SBAT_MEASURED))
            raise ValueError(f"uki.stub must be one of {known}: others measure differently")
        names = tuple(section.name for section in self.uki.sections)
        if names != MEASURED_SECTIONS:
            raise ValueError(f"uki.sections must be {', '.join(MEASURED_SECTIONS)}, in this order")
        if f"roothash={self.root.hash}" not in self.uki.command_line.split(" "):
            raise ValueError("uki.command_line must have roothash= with root.hash")
        expected = pcrs_of(self.uki, None)
        if self.pcrs.keys() != expected.keys():
            raise ValueError(f"pcrs must have {', '.join(expected)}, and no other")
        for index, value in expected.items():
            if self.pcrs[index] != value:
                raise ValueError(f"pcrs.{index} must be {value}, which follows from uki")
        return self


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A manifest with the file that has it: its absolute path and its SHA-256 (hex)."""

    path: str
    sha256: str
    manifest: ImageManifest


@dataclass(frozen=True, slots=True)
class ImageDifference:
    """A field of a manifest that differs from the disk, with both sides."""

    field: str
    stated: str
    found: str


def pcrs_of(uki: UkiDigests, config: bytes | None) -> dict[str, str]:
    """The PCRs (index to hex) that a boot of the UKI with this config leads to."""
    events = expected_events(uki, config_digest(config))
    return {str(index): replay(events[index]).hex() for index in PCRS}


def make(measured: ImageBytes, facts: ImageFacts) -> ImageManifest:
    """The manifest of an image that was measured."""
    return ImageManifest(schema_=SCHEMA, **dict(measured), **dict(facts))


def differences(stated: ImageManifest, found: ImageBytes) -> tuple[ImageDifference, ...]:
    """Every field in which a manifest differs from what a disk is."""
    wanted, actual = (dict(_leaves(each.model_dump(), "")) for each in (_bytes_of(stated), found))
    names = [*wanted, *(name for name in actual if name not in wanted)]
    return tuple(
        ImageDifference(name, wanted.get(name, "nothing"), actual.get(name, "nothing"))
        for name in names
        if wanted.get(name) != actual.get(name)
    )


def _bytes_of(manifest: ImageManifest) -> ImageBytes:
    return ImageBytes(**{name: getattr(manifest, name) for name in ImageBytes.model_fields})


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Every plain value with its dotted path; sections of the UKI by their name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _leaves(each, f"{path}{each['name']}")
    else:
        yield path, str(value)


def dump(manifest: ImageManifest) -> bytes:
    """The manifest as its file has it: the same text every time."""
    document = manifest.model_dump(by_alias=True)
    ordered: Mapping[str, object] = {key: document[key] for key in _ORDER}
    return (json.dumps(ordered, indent=2) + "\n").encode()


_ORDER = (
    *("schema", "name", "version", "disk", "uki", "root", "secure_boot", "pcrs", "lock_sha256"),
    *("packages", "units", "containers"),
)
