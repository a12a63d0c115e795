"""Builds the sdist and the wheel, reproducibly: the same files give the same bytes anywhere.

Each build has a copy of the files that git knows, in a folder of its own.
"""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from commands import ROOT, fail, say
from environment import BIN

COMMIT_FILE = "src/ccgpu/commit.txt"
# What must not matter: where, when, by whom and under which settings it is built.
_DIFFERENT: Mapping[str, str] = {"TZ": "Pacific/Chatham", "LC_ALL": "C", "PYTHONHASHSEED": "7"}


class Artefacts(NamedTuple):
    """What was built."""

    sdist: Path
    wheel: Path


def build_twice(folder: Path, commit: str | None, epoch: int) -> Artefacts:
    """Build twice, elsewhere and otherwise, and end unless the bytes are the same.

    Then build a wheel from the sdist, as its users do: it must be the same wheel.

    Args:
        folder: For copies and artefacts.
        commit: What the wheel names as its commit; None if it is none.
        epoch: The time of the files in the archives, in Unix seconds.
    """
    one = _build(folder / "one", commit, epoch, {}, 0o022)
    two = _build(folder / "other" / "folder" / "two", commit, epoch, _DIFFERENT, 0o077)
    for first, second in zip(one, two, strict=True):
        require_same(first, second)
    with tarfile.open(one.sdist) as archive:
        # Debian 12's Python, 3.11.2, has no filters (PEP 706).
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        archive.extractall(folder / "sdist")
    (source,) = (folder / "sdist").iterdir()
    _hatch(source, folder / "from-sdist", epoch, {}, 0o022, "--target", "wheel")
    require_same(one.wheel, folder / "from-sdist" / one.wheel.name)
    sizes = ", ".join(f"{each.name}: {each.stat().st_size // 1024} KiB" for each in one)
    say(f"{sizes}; built twice, byte for byte the same")
    return one


def _build(
    folder: Path, commit: str | None, epoch: int, environ: Mapping[str, str], umask: int
) -> Artefacts:
    source = folder / "source"
    copy_sources(ROOT, source)
    if commit is not None:
        (source / COMMIT_FILE).write_text(f"{commit}\n", "ascii")
    _hatch(source, folder / "dist", epoch, environ, umask)
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    (wheel,) = (folder / "dist").glob("*.whl")
    return Artefacts(sdist, wheel)


def _hatch(
    source: Path, out: Path, epoch: int, environ: Mapping[str, str], umask: int, *words: str
) -> None:
    own = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), **environ}
    command = [str(BIN / "python"), "-m", "hatchling", "build", "-d", str(out), *words]
    done = subprocess.run(
        command, cwd=source, env=own, umask=umask, stdout=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        fail(f"hatchling ended with {done.returncode}", "its messages are above")


def copy_sources(root: Path, to: Path) -> None:
    """Copy the files that git knows, and new ones that it does not ignore; links stay links."""
    for name in _files(root):
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, target, follow_symlinks=False)


def _files(root: Path) -> Iterator[str]:
    listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in listed.split("\0"):
        if name and os.path.lexists(root / name):
            yield name


def require_same(first: Path, second: Path) -> None:
    """End if two files differ."""
    if first.read_bytes() != second.read_bytes():
        fail(
            f"two builds of {first.name} differ",
            f"compare {first} with {second}, for example with diffoscope",
        )


def git(root: Path, *words: str) -> str:
    """What git answers; end if it cannot."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(root), *words]
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    except OSError as err:
        fail(f"git cannot be run: {err}", "install git, and use a clone")
    if done.returncode:
        fail(f"`git {' '.join(words)}` ended with {done.returncode}", done.stderr.strip())
    return done.stdout


def commit_time(root: Path = ROOT) -> int:
    """When the last commit was made, in Unix seconds."""
    return int(git(root, "log", "-1", "--format=%ct"))
