"""An image that was built: its manifest, and where its files are."""

from dataclasses import dataclass

from ccgpu.domain.image_manifest import ImageManifest

DISK, MANIFEST, LOCK = "disk.vhd", "image.json", "image.lock"


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """The image in a folder; seconds: that the build took."""

    manifest: ImageManifest
    folder: str
    seconds: float

    def path(self, name: str) -> str:
        """The path of one of its files."""
        return f"{self.folder}/{name}"
