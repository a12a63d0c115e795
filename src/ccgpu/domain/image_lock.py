"""The lock of a measured image, `ccgpu.image-lock/1`: every package, by its SHA-256.

A lock is untrusted input. Who builds from it takes these packages and no others, whatever the
sources offer meanwhile.
"""

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ccgpu.domain.image_recipe import ImageRecipe, Package
from ccgpu.domain.spec.problems import message_for

SCHEMA: Literal["ccgpu.image-lock/1"] = "ccgpu.image-lock/1"
MAX_BYTES = 4 * 1024 * 1024
_MOST = 4096


class _LockPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _path(value: str) -> str:
    if {"", ".", ".."} & {*value.split("/")}:
        raise ValueError("must be a path below a source, without '..'")
    return value


class LockedPackage(_LockPart):
    """A package: what it is, where it is below a source, and its bytes.

    use: it is in the root file system, or the boot is made of it.
    """

    name: Package
    version: Annotated[str, Field(pattern=r"^[0-9][A-Za-z0-9.+:~-]{0,99}$")]
    architecture: Literal["amd64", "all"]
    path: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9%+._~/:-]{0,399}\.deb$"),
        AfterValidator(_path),
    ]
    size: Annotated[int, Field(gt=0, le=2**32)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    use: Literal["root", "boot"]


class LockedContainer(_LockPart):
    """A container image: its name, the digest of the recipe, and that of its amd64 manifest.

    Every byte of it follows from the manifest's digest.
    """

    repository: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9./:_-]{0,249}$")]
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    manifest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class ImageLock(_LockPart):
    """The packages and the container images of an image.

    asked: what the packages were resolved from. epoch: the time that files of the build get, in
    seconds since 1970. programs: the versions of the programs that the first build was made with.
    driver: the exact version of the GPU driver.
    """

    model_config = ConfigDict(populate_by_name=True)

    schema_: Annotated[Literal["ccgpu.image-lock/1"], Field(alias="schema")]
    suite: str
    asked: tuple[Package, ...]
    epoch: Annotated[int, Field(gt=0, lt=2**33)]
    programs: dict[str, str]
    packages: Annotated[tuple[LockedPackage, ...], Field(max_length=_MOST)]
    driver: Annotated[str | None, Field(pattern=r"^[0-9.]{3,16}$")] = None
    containers: Annotated[tuple[LockedContainer, ...], Field(max_length=_MOST)] = ()

    @model_validator(mode="after")
    def _has_each_once(self) -> Self:
        names = [(package.name, package.use) for package in self.packages]
        if len(set(names)) != len(names):
            raise ValueError("lists a package twice")
        return self

    def of_use(self, use: str) -> tuple[LockedPackage, ...]:
        """The packages of the root file system, or of the boot."""
        return tuple(each for each in self.packages if each.use == use)

    @property
    def sha256(self) -> str:
        """The digest of the lock's canonical text."""
        return hashlib.sha256(dump_lock(self)).hexdigest()


def locks_containers_of(lock: ImageLock, recipe: ImageRecipe) -> bool:
    """Whether a lock has the container images of a recipe, and no others."""
    wanted = [(each.reference.repository, each.reference.digest) for each in recipe.containers]
    return sorted(wanted) == sorted((each.repository, each.digest) for each in lock.containers)


def asked_packages(recipe: ImageRecipe) -> tuple[str, ...]:
    """What a recipe asks for: a lock is for these, and for no others."""
    return tuple(sorted({recipe.kernel, *recipe.packages}))


def dump_lock(lock: ImageLock) -> bytes:
    """The lock as its file has it: the same text every time."""
    return (json.dumps(lock.model_dump(by_alias=True), indent=1) + "\n").encode()


def parse_lock(raw: bytes) -> ImageLock:
    """The lock in the bytes of a file.

    Raises:
        ValueError: it is none; the message says which field is wrong.
    """
    if len(raw) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES // 1024} KiB, too much to be a lock")
    try:
        return ImageLock.model_validate_json(raw)
    except ValidationError as err:
        first = err.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        said = first["ctx"]["error"] if first["type"] == "value_error" else message_for(first)
        raise ValueError(f"{place}: {said}" if place else f"is not a lock: {said}") from None
