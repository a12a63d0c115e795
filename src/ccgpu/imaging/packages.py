"""The packages' files: a cache by SHA-256, and a folder of them that apt can install from."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from ccgpu.domain.apt_sources import AptSource, control_fields
from ccgpu.domain.image_lock import LockedPackage
from ccgpu.errors import ImageNotBuilt
from ccgpu.imaging.programs import run_program
from ccgpu.imaging.resolve import FoundPackage
from ccgpu.store import atomic

_HELPER = "/usr/lib/apt/apt-helper"  # of the package apt
_CHUNK = 1024 * 1024


class PackageCache:
    """Files of packages in `folder`, each named by its SHA-256, which is checked at each use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, sha256: str) -> Path | None:
        """The file with this digest, if it is there and whole."""
        file = self._folder / f"{sha256}.deb"
        return file if file.is_file() and _digest(file) == sha256 else None

    def fetch(self, wanted: Sequence[tuple[str, str]], work: Path) -> None:
        """Fetch files by their URL and SHA-256, which apt checks, unless they are there."""
        missing = {sha256: url for url, sha256 in wanted if self.file(sha256) is None}
        if not missing:
            return
        work.mkdir(parents=True)
        words = [
            word
            for sha256, url in missing.items()
            for word in (url, str(work / f"{sha256}.deb"), f"SHA256:{sha256}")
        ]
        run_program(_HELPER, "download-file", "-qq", "-o", "APT::Sandbox::User=root", *words)
        self._folder.mkdir(parents=True, exist_ok=True)
        for sha256 in missing:
            self._keep(work / f"{sha256}.deb", sha256)

    def _keep(self, file: Path, sha256: str) -> None:
        if not file.is_file() or _digest(file) != sha256:
            raise ImageNotBuilt(f"a package was fetched that has not the SHA-256 {sha256}")
        atomic.replace(self._folder / file.name, file.read_bytes())

    def lock(
        self, found: FoundPackage, sources: Sequence[AptSource], use: Literal["root", "boot"]
    ) -> LockedPackage:
        """What the lock says of a package that was fetched."""
        file = self.file(found.sha256)
        base = next((each.uri for each in sources if found.url.startswith(f"{each.uri}/")), None)
        if file is None or base is None:
            raise ImageNotBuilt(f"a package is of no source of the recipe: {found.url[:200]}")
        fields = control_fields(_control(file))
        return LockedPackage(
            name=fields["package"],
            version=fields["version"],
            architecture="all" if fields["architecture"] == "all" else "amd64",
            path=found.url.removeprefix(f"{base}/"),
            size=found.size,
            sha256=found.sha256,
            use=use,
        )

    def fetch_locked(
        self, packages: Sequence[LockedPackage], sources: Sequence[AptSource], work: Path
    ) -> None:
        """Fetch what a lock names, from the first source that has it.

        Raises:
            ImageNotBuilt: no source has one of them any more.
        """
        bases = list(dict.fromkeys(source.uri for source in sources))
        missing = [each for each in packages if self.file(each.sha256) is None]
        for number, base in enumerate(bases):
            wanted = [(f"{base}/{each.path}", each.sha256) for each in missing]
            for one in wanted:
                self._try(one, work / f"{number}-{one[1]}")
            missing = [each for each in missing if self.file(each.sha256) is None]
        if missing:
            first = missing[0]
            raise ImageNotBuilt(
                f"{len(missing)} locked packages are with no source any more, such as {first.name} "
                f"{first.version}",
                hint="name a source that keeps old versions, or resolve anew without --lock",
            )

    def _try(self, wanted: tuple[str, str], work: Path) -> None:
        try:
            self.fetch([wanted], work)
        except ImageNotBuilt:
            shutil.rmtree(work, ignore_errors=True)

    def require(self, package: LockedPackage) -> Path:
        """The file of a package that was fetched."""
        file = self.file(package.sha256)
        if file is None:
            raise ImageNotBuilt(f"the file of {package.name} is gone from {self._folder}")
        return file


def make_archive(folder: Path, packages: Iterable[LockedPackage], cache: PackageCache) -> None:
    """A folder that apt takes for a source: the packages' files, and a list of them."""
    folder.mkdir()
    stanzas = []
    for package in packages:
        name = Path(unquote(package.path)).name.replace(":", "%3a")
        file = cache.require(package)
        _link(file, folder / name)
        control = _control(file).rstrip()
        facts = f"Filename: ./{name}\nSize: {package.size}\nSHA256: {package.sha256}"
        stanzas.append(f"{control}\n{facts}\n")
    atomic.create(folder / "Packages", "\n".join(stanzas).encode(), mode=0o644)


def installed_size(packages: Iterable[LockedPackage], cache: PackageCache) -> int:
    """How many bytes the packages take when they are installed, as they say."""
    controls = (control_fields(_control(cache.require(each))) for each in packages)
    return sum(int(each.get("installed-size", "0")) for each in controls) * 1024


def _link(file: Path, name: Path) -> None:
    """A second name of a file; a copy where the folder is of another file system."""
    try:
        os.link(file, name)
    except OSError:
        shutil.copyfile(file, name)
    name.chmod(0o644)  # apt reads it as a user without rights


def _control(file: Path) -> str:
    return run_program("dpkg-deb", "-f", file).decode("utf-8", "replace")


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
