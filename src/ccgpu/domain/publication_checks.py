"""What `image publish` refuses before it sends anything: names, versions, sizes, definitions."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ccgpu.domain.catalog import Kind
from ccgpu.domain.image_manifest import ImageFile
from ccgpu.domain.publication import DEFAULT_GROUP, GalleryPlace
from ccgpu.domain.references import canonical_id
from ccgpu.domain.resource import Body, group_of, key, location, name_of, subscription_of
from ccgpu.errors import InvalidFile, Problem, UsageProblem

# Microsoft Learn, "Naming rules and restrictions for Azure resources" (Microsoft.Compute).
_GALLERY_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.]{0,78}[A-Za-z0-9])?")
_DEFINITION_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9])?")
# The same page: an image version is three 32-bit integers.
_VERSION = re.compile(r"(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})")
_MOST = 2**31 - 1
# azure-mgmt-compute, GalleryImageFeature `SecurityType`: what starts confidential VMs without
# bringing a guest state of its own. Compared without case.
_FITTING_SECURITY = ("confidentialvmsupported", "trustedlaunchandconfidentialvmsupported")
# Bytes of a disk that can be uploaded: azure-mgmt-compute, CreationData.upload_size_bytes.
LEAST_DISK, MOST_DISK = 20 * 2**20, 32 * 2**40


def parse_gallery(text: str, subscription: str, group: str | None) -> GalleryPlace:
    """The gallery that the user names: by its ARM id, or by its name.

    Raises:
        UsageProblem: It is neither, or the id is in another group or subscription than was given.
    """
    if not text.startswith("/"):
        if not _GALLERY_NAME.fullmatch(text):
            raise UsageProblem(
                f"--gallery: {text!r} is no name of a gallery: it has up to 80 letters, digits, "
                "'.' and '_', and begins and ends with a letter or a digit"
            )
        return GalleryPlace(subscription, group or DEFAULT_GROUP, text)
    try:
        id_ = canonical_id(text, Kind.GALLERY)
    except ValueError as err:
        raise UsageProblem(f"--gallery: {text!r} {err}") from err
    if group is not None and key(group) != key(group_of(id_)):
        raise UsageProblem(
            f"--gallery is in the group {group_of(id_)}, --resource-group says {group}",
            hint="leave out `--resource-group`",
        )
    if key(subscription_of(id_)) != key(subscription):
        raise UsageProblem(
            f"--gallery is in the subscription {subscription_of(id_)}, this command in "
            f"{subscription}",
            hint=f"give `--subscription {subscription_of(id_)}`",
        )
    return GalleryPlace(subscription, group_of(id_), name_of(id_))


def require_version(image: ImageFile) -> None:
    """Raise `InvalidFile` unless the manifest's version can be a gallery's."""
    match = _VERSION.fullmatch(image.manifest.version)
    if match is None or any(int(part) > _MOST for part in match.groups()):
        message = (
            f"is {image.manifest.version!r}; a gallery takes three whole numbers up to {_MOST}, "
            "such as 1.0.0"
        )
        hint = "build the image again with such a version"
        raise InvalidFile(image.path, [Problem("version", message)], hint=hint)


def require_size(image: ImageFile) -> None:
    """Raise `InvalidFile` if Azure takes no disk of the image's size."""
    size = image.manifest.disk.size
    if not LEAST_DISK <= size <= MOST_DISK:
        message = (
            f"is {size >> 20} MiB; Azure takes disks of {LEAST_DISK >> 20} MiB to "
            f"{MOST_DISK >> 40} TiB"
        )
        raise InvalidFile(image.path, [Problem("disk.size", message)])


def definition_name(image: ImageFile, given: str | None) -> str:
    """The name of the definition: the given one, else the image's.

    Raises:
        UsageProblem: Azure takes no such name.
    """
    name = given or image.manifest.name
    if not _DEFINITION_NAME.fullmatch(name):
        what = f"--name: {given!r}" if given else f"the image's name {name!r}"
        raise UsageProblem(
            f"{what} is no name of an image definition: it has up to 80 letters, digits, '.', '_' "
            "and '-', and begins and ends with a letter or a digit",
            hint="name the definition: `--name DEFINITION`",
        )
    return name


def distinct_regions(regions: Sequence[str]) -> tuple[str, ...]:
    """The regions as ARM names them, each once, in order."""
    return tuple(dict.fromkeys(location(region) for region in regions))


def definition_problems(body: Body) -> tuple[str, ...]:
    """Why an existing definition cannot hold a measured image; empty if it can."""
    properties: Mapping[str, Any] = body.get("properties") or {}
    wanted = {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V2",
        "architecture": "x64",
    }
    # A definition that does not say has the service's default (GalleryImageProperties).
    usual = {"hyperVGeneration": "V1", "architecture": "x64"}
    found = {name: str(properties.get(name) or usual.get(name)) for name in wanted}
    problems = [
        f"{name} is {found[name]}, needed is {value}"
        for name, value in wanted.items()
        if found[name].casefold() != value.casefold()
    ]
    features = {
        str(one.get("name")).casefold(): str(one.get("value"))
        for one in properties.get("features") or ()
    }
    security = features.get("securitytype", "Standard")
    if security.casefold() not in _FITTING_SECURITY:
        problems.append(f"SecurityType is {security}, needed is ConfidentialVmSupported")
    return tuple(problems)
