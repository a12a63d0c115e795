"""The recipe of a measured image, IMAGE.yaml: what a distribution's packages become an image of.

A message starts with a verb, for it follows the path of the field, and ends with what to write.
"""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ccgpu.domain.apt_sources import parse_line
from ccgpu.domain.container_reference import ContainerReference, parse_reference

_MOST_PACKAGES, _MOST_FILES, _MOST_UNITS, _MOST_CONTAINERS = 512, 256, 64, 64
_FILE_LIMIT = 64 * 1024 * 1024

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
# A gallery's version: three whole numbers (azure-compute-docs, shared-image-galleries).
_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){2}")
_SUITE = re.compile(r"[a-z][a-z0-9.+-]{1,40}")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,99}")  # Debian Policy, §5.6.7
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,200}\.(service|socket|timer|target|path|mount)")
_WORD = re.compile(r"[!#-&(-~]+")  # printable, without space and quotes
_DRIVER = re.compile(r"[0-9]{3}(\.[0-9]{1,3}){0,2}")
# The builder's own words, and those that would start something else than the measured root.
_OWN_WORDS = ("roothash", "init", "rdinit", "root", "initrd")
_MODE = re.compile(r"0?[0-7]{3}")
# They hold what the kernel or the boot makes: what the image has there would be covered.
_COVERED = ("/dev", "/proc", "/run", "/sys", "/tmp")  # noqa: S108  # not written to


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("must be 1 to 63 of a-z, 0-9, '.' and '-', and start with one of a-z, 0-9")
    return value


def _version(value: str) -> str:
    if not _VERSION.fullmatch(value):
        raise ValueError("must be three whole numbers with dots, as galleries take them: 1.0.0")
    return value


def _suite(value: str) -> str:
    if not _SUITE.fullmatch(value):
        raise ValueError("must be a release's name, write one such as bookworm")
    return value


def _source(value: str) -> str:
    try:
        parse_line(value)
    except ValueError as err:
        raise ValueError(f"{err}; write `deb [signed-by=KEYRING] URL SUITE COMPONENT...`") from err
    return value


def _package(value: str) -> str:
    if not _PACKAGE.fullmatch(value):
        raise ValueError("must be the name of a package alone; its version comes from the lock")
    return value


def _unit(value: str) -> str:
    if not _UNIT.fullmatch(value):
        raise ValueError("must be the name of a unit with its ending, write one such as x.service")
    return value


def _command_line(value: str) -> str:
    words = value.split(" ") if value else []
    if any(not _WORD.fullmatch(word) for word in words):
        raise ValueError("must be printable words with one space between them, without quotes")
    own = [word for word in words if word.partition("=")[0] in _OWN_WORDS]
    if own:
        raise ValueError(f"must not have {own[0].partition('=')[0]}, which the builder decides")
    return value


def _path(value: str) -> str:
    parts = value.split("/")
    if not value.startswith("/") or {"", ".", ".."} & {*parts[1:]} or not value.isprintable():
        raise ValueError("must be an absolute path without '..', write one such as /etc/motd")
    if f"{value}/".startswith(tuple(f"{each}/" for each in _COVERED)):
        raise ValueError("is below a folder that the boot makes: nothing of it would be seen")
    return value


def _mode(value: str) -> str:
    if not _MODE.fullmatch(value):
        raise ValueError("must be three octal digits, write one such as 0644")
    return value


def _driver(value: str) -> str:
    if not _DRIVER.fullmatch(value):
        raise ValueError("must be a driver branch such as 595, or a version such as 595.71.05")
    return value


def _driver_text(value: Any) -> Any:
    """A branch as text: YAML without quotes has it as a number."""
    return str(value) if type(value) is int else value


def _image(value: str) -> str:
    parse_reference(value)
    return value


ImageName = Annotated[str, AfterValidator(_name)]
ImageVersion = Annotated[str, AfterValidator(_version)]
Package = Annotated[str, AfterValidator(_package)]


class RecipeDistribution(_Part):
    """The distribution. Without sources, those of this machine for the same release are used."""

    suite: Annotated[str, AfterValidator(_suite)]
    sources: Annotated[
        tuple[Annotated[str, AfterValidator(_source)], ...], Field(max_length=16)
    ] = ()


class RecipeFile(_Part):
    """A file of the image: its path there, and its text, or the file whose bytes it has."""

    path: Annotated[str, AfterValidator(_path)]
    text: Annotated[str | None, Field(max_length=_FILE_LIMIT)] = None
    source: Annotated[str | None, Field(min_length=1, max_length=4096)] = None
    mode: Annotated[str, AfterValidator(_mode)] = "0644"

    @model_validator(mode="after")
    def _has_one_content(self) -> Self:
        if (self.text is None) == (self.source is None):
            raise ValueError("must have either text or source: what the file holds")
        return self


class RecipeContainer(_Part):
    """A container image in the image: its name with its digest.

    layout: a folder that has it (OCI image layout), beside the recipe; without it, the registry
    that the name begins with is asked.
    """

    image: Annotated[str, AfterValidator(_image)]
    layout: Annotated[str | None, Field(min_length=1, max_length=4096)] = None

    @property
    def reference(self) -> ContainerReference:
        """The name, in its parts."""
        return parse_reference(self.image)


class ImageRecipe(_Part):
    """What an image is made of.

    kernel: the package of the kernel, or one that depends on it. units: are enabled; the image
    must have them. command_line: further words of the kernel's command line. driver: a branch or a
    version of NVIDIA's driver, by the table of drivers. containers: images that workloads use
    without a registry.
    """

    name: ImageName
    version: ImageVersion
    distribution: RecipeDistribution
    kernel: Package = "linux-image-cloud-amd64"
    packages: Annotated[tuple[Package, ...], Field(max_length=_MOST_PACKAGES)] = ()
    files: Annotated[tuple[RecipeFile, ...], Field(max_length=_MOST_FILES)] = ()
    units: Annotated[
        tuple[Annotated[str, AfterValidator(_unit)], ...], Field(max_length=_MOST_UNITS)
    ] = ()
    command_line: Annotated[str, Field(max_length=1024), AfterValidator(_command_line)] = (
        "console=ttyS0"
    )
    driver: Annotated[
        Annotated[str, AfterValidator(_driver)] | None, BeforeValidator(_driver_text)
    ] = None
    containers: Annotated[tuple[RecipeContainer, ...], Field(max_length=_MOST_CONTAINERS)] = ()

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        paths = [file.path for file in self.files]
        images = [each.reference.by_digest for each in self.containers]
        lists = (
            *(("files", paths), ("packages", self.packages)),
            *(("units", self.units), ("containers", images)),
        )
        for field, values in lists:
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"names {twice[0]} twice in {field}: leave one out")
        return self
