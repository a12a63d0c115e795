"""The files of a folder and of its folders: no link is followed out of it, and there is an end."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ccgpu.store.documents import reason
from ccgpu.store.evidence.limits import MAX_ENTRIES, MAX_FILES, invalid_evidence


@dataclass(frozen=True, slots=True)
class Listing:
    """`files`: the name in the folder, and where to read. `links`: names that lead out of it."""

    files: tuple[tuple[str, Path], ...]
    links: tuple[str, ...]


def list_files(folder: Path) -> Listing:
    """What lies in a folder, in order. `InvalidFile` if it is too much, or cannot be listed."""
    try:
        root = folder.resolve(strict=True)
        found = list(islice(_entries(root), MAX_ENTRIES + 1))
        if len(found) > MAX_ENTRIES:
            raise invalid_evidence(folder, f"holds more than {MAX_ENTRIES} entries")
        files, links = _sort_entries(root, found)
    except OSError as err:
        raise invalid_evidence(folder, f"cannot be listed: {reason(err)}") from err
    if len(files) > MAX_FILES:
        raise invalid_evidence(folder, f"holds more than {MAX_FILES} files")
    return Listing(tuple(files), tuple(links))


def _entries(root: Path) -> Iterator[Path]:
    """What is in the folder, and in each of its folders."""
    for entry in root.iterdir():
        yield entry
        if (target := _target(root, entry)) is not None and target.is_dir():
            yield from entry.iterdir()


def _sort_entries(root: Path, found: list[Path]) -> tuple[list[tuple[str, Path]], list[str]]:
    files, links = [], []
    for entry in sorted(found):
        target = _target(root, entry)
        name = str(entry.relative_to(root))
        if target is None:
            links.append(name)
        elif target.is_file():
            files.append((name, target))
    return files, links


def _target(root: Path, entry: Path) -> Path | None:
    """Where an entry leads; None for a link that leads out of the folder, or nowhere."""
    if not entry.is_symlink() and not entry.parent.is_symlink():
        return entry
    try:
        target = entry.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a link to itself, before Python 3.13
        return None
    return target if target.is_relative_to(root) else None
