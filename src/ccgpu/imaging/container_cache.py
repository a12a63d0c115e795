"""Container images by their digests: a cache of blobs, filled from a registry or from a folder.

skopeo asks the registry. Whatever it says, a blob counts only if its bytes have its digest.
"""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from ccgpu.domain.image_lock import LockedContainer
from ccgpu.domain.image_recipe import RecipeContainer
from ccgpu.errors import ImageNotBuilt
from ccgpu.image import oci
from ccgpu.image.malformed import MalformedImage
from ccgpu.imaging.programs import run_program
from ccgpu.store import atomic

_SKOPEO = ("skopeo", "--override-os", "linux", "--override-arch", "amd64")


@dataclass(frozen=True, slots=True)
class ContainerCache:
    """Blobs in `folder`, each named by its digest, which is checked at each use."""

    folder: Path

    def blob(self, digest: str) -> Path | None:
        """The file of a blob, if it is there and whole."""
        file = self._file(digest)
        return file if _has_digest(file, digest) else None

    def fetch(self, wanted: RecipeContainer, beside: Path, work: Path) -> LockedContainer:
        """Have every blob of an image. beside: the folder of the recipe. work: a new folder.

        Raises:
            ImageNotBuilt: a blob is not to be had, or is another one.
        """
        reference = wanted.reference
        layout = beside / wanted.layout if wanted.layout else None
        try:
            top = self._manifest(reference.repository, reference.digest, layout)
            chosen = oci.platform_manifest(top, reference.digest) or reference.digest
            blobs = oci.blobs_of(self._manifest(reference.repository, chosen, layout), chosen)
        except MalformedImage as err:
            raise ImageNotBuilt(f"the container image {wanted.image}: {err}") from err
        if layout is not None:
            self._take(layout, blobs)
        elif any(self.blob(each) is None for each in blobs):
            self._pull(f"{reference.repository}@{chosen}", blobs, work)
        missing = [each for each in blobs if self.blob(each) is None]
        if missing:
            raise ImageNotBuilt(f"the container image {wanted.image} lacks {missing[0]}")
        return LockedContainer(
            repository=reference.repository, digest=reference.digest, manifest=chosen
        )

    def lay_out(self, container: LockedContainer, folder: Path) -> None:
        """An image as skopeo reads it from a folder (its transport `dir`)."""
        folder.mkdir(parents=True)
        (folder / "version").write_bytes(b"Directory Transport Version: 1.1\n")
        (folder / "manifest.json").write_bytes(self._required(container.digest).read_bytes())
        manifest = self._required(container.manifest)
        if container.manifest != container.digest:
            name = f"{container.manifest.removeprefix('sha256:')}.manifest.json"
            (folder / name).write_bytes(manifest.read_bytes())
        for digest in oci.blobs_of(manifest.read_bytes(), container.manifest):
            (folder / digest.removeprefix("sha256:")).symlink_to(self._required(digest))

    def size(self, containers: Iterable[LockedContainer]) -> int:
        """How many bytes the blobs have, compressed as they are."""
        return sum(
            self._required(digest).stat().st_size
            for each in containers
            for digest in oci.blobs_of(self._required(each.manifest).read_bytes(), each.manifest)
        )

    def _manifest(self, repository: str, digest: str, layout: Path | None) -> bytes:
        if layout is not None:
            self._take(layout, [digest])
        elif self.blob(digest) is None:
            words = ("inspect", "--raw", f"docker://{repository}@{digest}")
            self._keep(digest, run_program(*_SKOPEO, *words))
        return self._required(digest).read_bytes()

    def _pull(self, name: str, blobs: Iterable[str], work: Path) -> None:
        run_program(*_SKOPEO, "copy", "-q", "--preserve-digests", f"docker://{name}", f"dir:{work}")
        self._take_files((work / each.removeprefix("sha256:"), each) for each in blobs)
        shutil.rmtree(work)

    def _take(self, layout: Path, blobs: Iterable[str]) -> None:
        folder = layout / "blobs" / "sha256"
        self._take_files((folder / each.removeprefix("sha256:"), each) for each in blobs)

    def _take_files(self, files: Iterable[tuple[Path, str]]) -> None:
        for file, digest in files:
            if self.blob(digest) is not None:
                continue
            if not _has_digest(file, digest):
                raise ImageNotBuilt(f"{file} has not the digest {digest}, or is not there")
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = self.folder / f".{file.name}.{os.getpid()}"
            shutil.copyfile(file, partial)
            partial.replace(self._file(digest))

    def _keep(self, digest: str, data: bytes) -> None:
        if oci.digest_of(data) != digest:
            raise ImageNotBuilt(f"a registry answers with other bytes than {digest}")
        self.folder.mkdir(parents=True, exist_ok=True)
        atomic.replace(self._file(digest), data)

    def _required(self, digest: str) -> Path:
        file = self.blob(digest)
        if file is None:
            raise ImageNotBuilt(f"{digest} is gone from {self.folder}")
        return file

    def _file(self, digest: str) -> Path:
        return self.folder / digest.removeprefix("sha256:")


def _has_digest(file: Path, digest: str) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return f"sha256:{file_digest(stream, 'sha256').hexdigest()}" == digest
