"""Reads disks and manifests of measured images."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.errors import InvalidFile, Problem
from ccgpu.store import documents, model_files
from ccgpu.store.input_files import (
    input_name,
    is_stdin,
    read_head,
    recorded_name,
    require_file,
)
from ccgpu.store.mistaken_files import mistaken_text

if TYPE_CHECKING:
    from ccgpu.domain.given_image import GivenImage
    from ccgpu.domain.image_manifest import ImageFile

BESIDE = "image.json"
_HINT = "`ccgpu image build` writes a manifest, image.json"
_LIKE_JSON = b"{"


@dataclass(frozen=True, slots=True)
class DiskFile:
    """The bytes of an open file. A read that fails or ends early is `InvalidFile`."""

    path: Path
    descriptor: int
    size: int

    def changed_at(self) -> tuple[int, int]:
        """When its bytes were last changed, in nanoseconds, and its size then."""
        state = os.fstat(self.descriptor)
        return state.st_mtime_ns, state.st_size

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`."""
        parts = []
        while size > 0:
            try:
                part = os.pread(self.descriptor, size, offset)
            except OSError as err:
                raise _refusal(self.path, documents.reason(err)) from err
            if not part:
                raise _refusal(self.path, f"it ends before byte {offset + size}")
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return b"".join(parts)


@contextmanager
def open_disk(path: Path) -> Iterator[DiskFile]:
    """A disk, raw or VHD, to read from. `InvalidFile` if it cannot be opened."""
    require_file(path, "a disk is read at many places, which a stream cannot be")
    try:
        stream = path.open("rb", buffering=0)
    except (OSError, ValueError) as err:
        raise _refusal(path, documents.reason(err)) from err
    with stream:
        try:
            size = stream.seek(0, os.SEEK_END)
        except OSError as err:
            raise _refusal(path, documents.reason(err)) from err
        yield DiskFile(path, stream.fileno(), size)


def is_manifest(path: Path) -> bool:
    """Whether a file is a manifest, not a disk: a JSON text begins with `{`."""
    if is_stdin(path):  # a disk is refused when it is opened
        return read_head(path, 64).lstrip().startswith(_LIKE_JSON)
    with open_disk(path) as disk:
        return disk.read(0, min(disk.size, 64)).lstrip().startswith(_LIKE_JSON)


def load_manifest(path: Path) -> "ImageFile":
    """The manifest in a file: JSON, strictly read, of a bounded size.

    Raises:
        InvalidFile: The file is not a valid manifest, or its PCRs do not follow from the rest.
    """
    from ccgpu.domain.image_manifest import ImageFile, ImageManifest

    try:
        raw = read_head(path, documents.MAX_BYTES + 1)
    except (OSError, ValueError) as err:
        raise _refusal(path, documents.reason(err)) from err
    try:
        document = documents.parse(raw, input_name(path), json=True)
    except InvalidFile as err:
        err.hint = mistaken_text("output image", path)
        raise
    manifest: ImageManifest = model_files.validate(
        document, ImageManifest.model_validate, "output image", _HINT
    )
    return ImageFile(recorded_name(path), hashlib.sha256(raw).hexdigest(), manifest)


def load_given(image: Path | None, config: Path | None) -> "GivenImage | None":
    """The measured image that a VM is held to; None if none is given.

    Raises:
        InvalidFile: The manifest is not valid, or the config cannot be one.
    """
    if image is None:
        return None
    from ccgpu.domain.given_image import GivenConfig, GivenImage

    given = None
    if config is not None:
        sha256 = hashlib.sha256(read_config(config)).hexdigest()
        given = GivenConfig(recorded_name(config), sha256)
    return GivenImage(load_manifest(image), given)


def manifest_beside(disk: Path) -> Path | None:
    """The manifest that `image build` wrote beside a disk; None if there is none."""
    path = disk.parent / BESIDE
    return path if path.is_file() else None


def read_config(path: Path) -> bytes:
    """The config of a measured image, byte for byte as the guest measures it.

    Raises:
        InvalidFile: It cannot be read, is empty or too large, or is what stands for no config.
    """
    from ccgpu.domain.guest_config import CONFIG_LIMIT
    from ccgpu.domain.image_pcrs import NO_CONFIG

    try:
        data = read_head(path, CONFIG_LIMIT + 1)
    except (OSError, ValueError) as err:
        raise _refusal(path, documents.reason(err)) from err
    if len(data) > CONFIG_LIMIT:
        raise _refusal(path, f"it has more than {CONFIG_LIMIT} bytes, which user data cannot hold")
    if data in (b"", NO_CONFIG):
        raise _refusal(path, "it is what a guest measures if it is given no config: leave it out")
    return data


def _refusal(path: Path, message: str) -> InvalidFile:
    return InvalidFile(input_name(path), [Problem("", f"cannot be read: {message}")])
