"""The one writer of files: a file is written whole and durably, or it is not touched.

The bytes go to a temporary file beside the target (O_EXCL, never through a link), fsync, rename,
fsync of the folder. Whatever fails on the way, also a disk that fills up in the middle, is an
`OSError`, the temporary file is gone, and the target is as it was. A target that is a symbolic
link, or no regular file at all, is refused.

Two kinds of file are not written here: lock files, which stay empty, and the simulated
subscription's, which SQLite writes.
"""

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PRIVATE = 0o600  # journals, keys, caches: for their owner alone
OUTPUT = 0o666  # what a user asked for by name: the umask decides

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SUFFIX = ".new"
# File systems that cannot sync a folder say so with one of these; there is nothing else to do.
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
# File systems without hard links (FAT, some network and FUSE ones).
_CANNOT_LINK = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


@dataclass(frozen=True, slots=True)
class SystemCalls:
    """The calls that a full or broken disk can fail; tests hand in failing ones."""

    write: Callable[[int, memoryview], int] = os.write
    fsync: Callable[[int], None] = os.fsync
    close: Callable[[int], None] = os.close
    rename: Callable[[Path, Path], None] = os.rename
    link: Callable[[Path, Path], None] = os.link


_SYSTEM = SystemCalls()


def replace(path: Path, data: bytes, *, mode: int = PRIVATE, system: SystemCalls = _SYSTEM) -> None:
    """Make `data` the content of `path`, whether or not there is a file.

    A new file gets `mode` less the umask. With `OUTPUT` an existing file keeps its permissions.

    Raises:
        OSError: it could not be written, or `path` is a link or no regular file.
    """
    present = _regular(path)
    kept = stat.S_IMODE(present.st_mode) if present and mode == OUTPUT else None
    new = _temporary(path)
    try:
        _write(new, data, mode, kept, system)
        system.rename(new, path)
    except BaseException:
        _discard(new)
        raise
    _sync_folder(path.parent, system)


def create(path: Path, data: bytes, *, mode: int = PRIVATE, system: SystemCalls = _SYSTEM) -> None:
    """Write a new file.

    Raises:
        FileExistsError: something is there, also if it came while this was writing.
        OSError: it could not be written.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    new = _temporary(path)
    try:
        _write(new, data, mode, None, system)
        _publish(new, path, system)
    finally:
        _discard(new)
    _sync_folder(path.parent, system)


def remove(path: Path, *, system: SystemCalls = _SYSTEM) -> None:
    """Remove a file, durably; one that is not there is removed already."""
    path.unlink(missing_ok=True)
    _sync_folder(path.parent, system)


def discard_leftovers(path: Path) -> None:
    """Remove temporary files of `path` that a killed process left.

    Only for a caller that holds a lock on `path`: another writer's file would go too.
    """
    with suppress(OSError):
        for left in path.parent.iterdir():
            if left.name.startswith(_prefix(path)) and left.name.endswith(_SUFFIX):
                _discard(left)


def _regular(path: Path) -> os.stat_result | None:
    """The regular file at `path`, None if there is nothing; anything else is refused."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, "is a symbolic link, which is not written through", str(path))
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    return found


def _temporary(path: Path) -> Path:
    """A name beside `path` that nobody can guess."""
    return path.with_name(f"{_prefix(path)}{secrets.token_hex(8)}{_SUFFIX}")


def _prefix(path: Path) -> str:
    """What the names of its temporary files begin with: a name has 255 bytes at most."""
    return f".{os.fsdecode(os.fsencode(path.name)[:200])}."


def _write(new: Path, data: bytes, mode: int, kept: int | None, system: SystemCalls) -> None:
    """Write a new file, and sync it."""
    file = os.open(new, _NEW, mode)
    try:
        if kept is not None:
            os.fchmod(file, kept)
        _write_all(file, data, system)
        system.fsync(file)
    except BaseException:
        with suppress(OSError):
            os.close(file)
        raise
    system.close(file)  # network file systems report a full disk only here


def _write_all(file: int, data: bytes, system: SystemCalls) -> None:
    """Write to the last byte: `write` may take fewer than it was given."""
    left = memoryview(data)
    while left:
        count = system.write(file, left)
        if count <= 0:
            raise OSError(errno.EIO, "nothing was written")
        left = left[count:]


def _publish(new: Path, path: Path, system: SystemCalls) -> None:
    """Give the file its name, unless that name is taken."""
    try:
        system.link(new, path)
    except OSError as err:
        if err.errno not in _CANNOT_LINK:
            raise
        os.close(os.open(path, _NEW, PRIVATE))  # takes the name, or says that it is taken
        try:
            system.rename(new, path)
        except BaseException:
            _discard(path)
            raise


def _sync_folder(folder: Path, system: SystemCalls) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        system.fsync(handle)
    except OSError as err:
        if err.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(handle)


def _discard(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
