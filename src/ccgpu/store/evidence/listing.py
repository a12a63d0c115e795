"""Lists a folder and its direct subfolders, without following links out of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ccgpu.store.documents import reason
from ccgpu.store.evidence.limits import MAX_ENTRIES, MAX_FILES, invalid_evidence


@dataclass(frozen=True, slots=True)
class Listing:
    """`files`: name in the folder, and path to read. `links`: names of links out of the folder."""

    files: tuple[tuple[str, Path], ...]
    links: tuple[str, ...]


def list_files(folder: Path) -> Listing:
    """The files of a folder, sorted. `InvalidFile` if there are too many, or on an error."""
    try:
        root = folder.resolve(strict=True)
        entries = list(islice(_entries(root), MAX_ENTRIES + 1))
        if len(entries) > MAX_ENTRIES:
            raise invalid_evidence(folder, f"holds more than {MAX_ENTRIES} entries")
        files, links = _sort_entries(root, entries)
    except OSError as err:
        raise invalid_evidence(folder, f"cannot be listed: {reason(err)}") from err
    if len(files) > MAX_FILES:
        raise invalid_evidence(folder, f"holds more than {MAX_FILES} files")
    return Listing(tuple(files), tuple(links))


def _entries(root: Path) -> Iterator[Path]:
    """The entries of the folder, and of each folder in it."""
    for entry in root.iterdir():
        yield entry
        if (target := _target(root, entry)) is not None and target.is_dir():
            yield from entry.iterdir()


def _sort_entries(root: Path, entries: list[Path]) -> tuple[list[tuple[str, Path]], list[str]]:
    files, links = [], []
    for entry in sorted(entries):
        target = _target(root, entry)
        name = str(entry.relative_to(root))
        if target is None:
            links.append(name)
        elif target.is_file():
            files.append((name, target))
    return files, links


def _target(root: Path, entry: Path) -> Path | None:
    """The target of an entry; None for a link that leads out of the folder, or nowhere."""
    if not entry.is_symlink() and not entry.parent.is_symlink():
        return entry
    try:
        target = entry.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a link to itself, before Python 3.13
        return None
    return target if target.is_relative_to(root) else None
