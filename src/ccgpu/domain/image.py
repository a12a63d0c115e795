"""Image references: a marketplace URN, a community gallery path, or a gallery image's ARM id.

Only images of Linux confidential VMs are accepted. A marketplace image is judged by its name. For a
gallery image the capacity search reads the security type from Azure. A measured image is a gallery
image with the manifest that says what is in it.
"""

import re
from dataclasses import dataclass

from ccgpu.domain import references

LATEST = "latest"
_FORMS = (
    "write publisher:offer:sku:version, /CommunityGalleries/GALLERY/Images/IMAGE/Versions/VERSION "
    "or the ARM id of a gallery image"
)
_WORD = r"[A-Za-z0-9][\w.-]*"
_VERSION = r"latest|\d+\.\d+\.\d+"
_URN = re.compile(rf"({_WORD}):({_WORD}):({_WORD}):({_VERSION})", re.ASCII)
_COMMUNITY = re.compile(
    rf"/CommunityGalleries/({_WORD})/Images/({_WORD})(?:/Versions/({_VERSION}))?/?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Marketplace:
    """An image that a publisher offers in the Azure Marketplace."""

    publisher: str
    offer: str
    sku: str
    version: str

    def __str__(self) -> str:
        return f"{self.publisher}:{self.offer}:{self.sku}:{self.version}"


@dataclass(frozen=True, slots=True)
class Community:
    """An image of a community gallery, which its owner shares publicly."""

    gallery: str
    image: str
    version: str

    def __str__(self) -> str:
        return f"/CommunityGalleries/{self.gallery}/Images/{self.image}/Versions/{self.version}"


@dataclass(frozen=True, slots=True)
class Gallery:
    """An image, or one version of it, of a gallery that the user can read."""

    id: str

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class MeasuredImage:
    """A measured image: the file with its manifest, and the gallery image that should hold it.

    Its text, `measured:FILE@ID`, is what a spec's mapping `{measured: FILE, gallery: ID}` becomes.
    """

    manifest: str
    gallery: Gallery

    def __str__(self) -> str:
        return f"{MEASURED}{self.manifest}@{self.gallery}"


Image = Marketplace | Community | Gallery

MEASURED = "measured:"
_MEASURED = re.compile(rf"{MEASURED}(.+)@(/subscriptions/.+)", re.IGNORECASE | re.DOTALL)


# Canonical's confidential-VM images that ccgpu sets up. Offers: `ubuntu-24_04-lts`, and
# `0001-com-ubuntu-confidential-vm-jammy` with the sku `22_04-lts-cvm`.
_UBUNTU_RELEASES = {"22_04": "22.04", "jammy": "22.04", "24_04": "24.04", "noble": "24.04"}


def ubuntu_release(image: Image) -> str | None:
    """The Ubuntu release of an image that ccgpu sets up: `22.04` or `24.04`; else None."""
    if not isinstance(image, Marketplace) or image.publisher.lower() != "canonical":
        return None
    named = f"{image.offer}:{image.sku}".lower()
    return next((release for word, release in _UBUNTU_RELEASES.items() if word in named), None)


def parse(text: str) -> Image:
    """Read an image reference.

    Raises:
        ValueError: why it cannot be used.
    """
    lowered = text.lower()
    if lowered.startswith("/communitygalleries/"):
        return _parse_community(text)
    if lowered.startswith("/subscriptions/"):
        return _parse_gallery(text)
    return _parse_marketplace(text)


def is_measured(image: object) -> bool:
    """Whether a value of the field `image` of a spec is a measured image."""
    return isinstance(image, str) and image.lower().startswith(MEASURED)


def parse_measured(text: str) -> MeasuredImage | None:
    """Read `measured:FILE@ID`; None if the text is another image reference.

    Raises:
        ValueError: why it cannot be used.
    """
    if not is_measured(text):
        return None
    match = _MEASURED.fullmatch(text)
    if match is None:
        raise ValueError(
            "is not a measured image: write measured:FILE@ID, or the mapping "
            "{measured: FILE, gallery: ID}, with the ARM id of a gallery image"
        )
    return MeasuredImage(match[1], _parse_gallery(match[2]))


def _parse_community(text: str) -> Community:
    match = _COMMUNITY.fullmatch(text)
    if match is None:
        raise ValueError(
            "is not a community gallery image, "
            "write /CommunityGalleries/GALLERY/Images/IMAGE/Versions/VERSION"
        )
    gallery, image, version = match.groups()
    return Community(gallery, image, (version or LATEST).lower())


def _parse_gallery(text: str) -> Gallery:
    # Confidential VMs do not start from managed images: TEE-Crafter, docs/azure_setup.md.
    if re.search(r"/Microsoft\.Compute/images/", text, re.IGNORECASE):
        raise ValueError(
            "is a managed image, and those cannot be confidential: use a gallery image whose "
            "definition has the security type ConfidentialVmSupported"
        )
    kind = references.GALLERY_IMAGE_VERSION if is_versioned(text) else references.GALLERY_IMAGE
    return Gallery(references.canonical_id(text, kind))


def is_versioned(gallery_image: str) -> bool:
    """Whether an ARM id is that of a version, not of the image as a whole."""
    return re.search(r"/versions/", gallery_image, re.IGNORECASE) is not None


def _parse_marketplace(text: str) -> Marketplace:
    match = _URN.fullmatch(text)
    if match is None:
        raise ValueError(f"is not an image that can be used: {_FORMS}")
    image = Marketplace(*match.groups())
    if image.publisher.lower().startswith("microsoftwindows"):
        raise ValueError("is a Windows image: only Linux images can be set up here")
    named = f"{image.offer}:{image.sku}".lower()
    if "cvm" not in named and "confidential" not in named:
        raise ValueError(
            "is not made for confidential VMs (neither offer nor sku says cvm or confidential): "
            "use an image such as Canonical:ubuntu-24_04-lts:cvm:latest"
        )
    return image
