"""Resolves packages: which ones an image needs, by apt, in folders of its own.

What is installed on this machine plays no part: apt is told that nothing is.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ccgpu.domain import apt_sources
from ccgpu.domain.apt_sources import AptSource, control_fields
from ccgpu.errors import ImageNotBuilt, InvalidFile, Problem
from ccgpu.imaging.programs import run_program
from ccgpu.store import atomic

_MACHINE = Path("/etc/apt")


@dataclass(frozen=True, slots=True)
class FoundPackage:
    """A package that apt has chosen: where it is, its size and SHA-256."""

    url: str
    size: int
    sha256: str


def machine_sources(suite: str, folder: Path = _MACHINE) -> tuple[AptSource, ...]:
    """This machine's sources for a release.

    Raises:
        InvalidFile: it has none.
    """
    lists = [folder / "sources.list", *sorted(folder.glob("sources.list.d/*.list"))]
    stanzas = sorted(folder.glob("sources.list.d/*.sources"))
    found = apt_sources.of_release(suite, _texts(lists), _texts(stanzas))
    if not found:
        message = f"has no source for {suite}: name sources in the recipe (distribution.sources)"
        raise InvalidFile(str(folder), [Problem("", message)])
    return found


def _texts(files: Sequence[Path]) -> list[str]:
    return [file.read_text("utf-8", "replace") for file in files if file.is_file()]


class PrivateApt:
    """apt with folders of its own below `folder`, and these sources."""

    def __init__(self, folder: Path, sources: Sequence[AptSource]) -> None:
        for part in ("lists/partial", "cache/archives/partial", "state"):
            (folder / part).mkdir(parents=True)
        lines = "".join(f"{source.line}\n" for source in sources)
        atomic.create(folder / "sources.list", lines.encode())
        atomic.create(folder / "status", b"")
        self._options = [
            *("-o", f"Dir::Etc::sourcelist={folder}/sources.list"),
            *("-o", "Dir::Etc::sourceparts=/dev/null"),
            *(
                "-o",
                "Dir::Etc::preferences=/dev/null",
                "-o",
                "Dir::Etc::preferencesparts=/dev/null",
            ),
            *("-o", f"Dir::State={folder}/state", "-o", f"Dir::State::lists={folder}/lists"),
            *("-o", f"Dir::State::status={folder}/status", "-o", f"Dir::Cache={folder}/cache"),
            *("-o", "APT::Install-Recommends=false", "-o", "APT::Install-Suggests=false"),
            *("-o", "APT::Sandbox::User=root", "-o", "APT::Architecture=amd64"),
            *("-o", "Acquire::Languages=none", "-o", "Acquire::ForceHash=SHA256"),
            *("-o", "APT::Get::List-Cleanup=false", "-o", "APT::Architectures=amd64"),
        ]

    def update(self) -> None:
        """Fetch the lists of the sources; their signatures are checked by apt."""
        self._run("apt-get", "update", "-qq", "-o", "APT::Update::Error-Mode=any")

    def closure(self, names: Sequence[str]) -> list[FoundPackage]:
        """The essential packages, these, and all that they depend on."""
        words = ("install", "-y", "-qq", "--print-uris", "?essential", *names)
        return list(_found(self._run("apt-get", *words)))

    def alone(self, names: Sequence[str]) -> list[FoundPackage]:
        """These packages without what they depend on."""
        return list(_found(self._run("apt-get", "download", "-qq", "--print-uris", *names)))

    def kernel(self, name: str) -> str:
        """The package that has the kernel: `name`, or the one that it depends on."""
        images = [each for each in self._depended(name) if each.startswith("linux-image-")]
        return images[0] if images else name

    def part_modules(self, kernel: str) -> list[str]:
        """The packages with modules that a kernel's package depends on; Debian's has its own."""
        return [each for each in self._depended(kernel) if each.startswith("linux-modules-")]

    def versions(self, names: Sequence[str]) -> dict[str, list[str]]:
        """The versions that the sources have of packages, newest first; empty: none."""
        found: dict[str, list[str]] = {name: [] for name in names}
        for line in (
            self._run("apt-cache", "madison", *names).decode("utf-8", "replace").split("\n")
        ):
            name, _, rest = line.partition("|")
            if name.strip() in found:
                found[name.strip()].append(rest.partition("|")[0].strip())
        return found

    def _depended(self, name: str) -> list[str]:
        """The names of what a package depends on, the first of alternatives."""
        shown = self._run("apt-cache", "show", "--no-all-versions", name).decode("utf-8", "replace")
        depends = control_fields(shown.partition("\n\n")[0]).get("depends", "")
        return [each.strip().partition(" ")[0] for each in depends.split(",")]

    def _run(self, program: str, *words: str) -> bytes:
        return run_program(program, *self._options, *words)


def _found(output: bytes) -> Iterator[FoundPackage]:
    """The lines of `--print-uris`: 'URL' FILE SIZE SHA256:DIGEST."""
    for line in output.decode("utf-8", "replace").splitlines():
        url, _, size, digest = (*shlex.split(line), "", "", "", "")[:4]
        kind, _, sha256 = digest.partition(":")
        if kind != "SHA256" or not size.isdecimal():
            raise ImageNotBuilt(f"apt names no SHA-256 of a package: {line[:200]}")
        yield FoundPackage(url, int(size), sha256)
