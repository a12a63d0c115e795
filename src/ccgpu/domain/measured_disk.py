"""A disk that was measured, and whether it is that of a manifest."""

from dataclasses import dataclass

from ccgpu.domain.image_manifest import ImageBytes, ImageDifference, ImageFile
from ccgpu.domain.root_lists import RootLists
from ccgpu.errors import ImageRejected

_SHOWN = 4  # differences that the error names


@dataclass(frozen=True, slots=True)
class MeasuredDisk:
    """A disk that was measured, and what it was compared with.

    `found`: None if a manifest alone is shown. `manifest`: None if none was given. `inside`: what
    the root file system lists; None if it was not looked at.
    """

    source: str
    found: ImageBytes | None
    manifest: ImageFile | None
    differences: tuple[ImageDifference, ...] = ()
    inside: RootLists | None = None

    def require_same(self) -> None:
        """Raise `ImageRejected` if the disk is not that of the manifest; it names what differs."""
        if not self.differences or self.manifest is None:
            return
        named = [
            f"{each.field}: expected {each.stated}, found {each.found}"
            for each in self.differences[:_SHOWN]
        ]
        more = len(self.differences) - _SHOWN
        rest = [f"and {more} more"] if more > 0 else []
        raise ImageRejected(
            "\n  ".join([f"{self.source} is not the image of {self.manifest.path}", *named, *rest]),
            hint="build the image again from its lock, and compare",
        )
