"""Atomic and durable writes: a file is written completely, or it is not changed.

The data is written to a temporary file in the same folder (O_EXCL, O_NOFOLLOW), which is synced and
then renamed; then the folder is synced. If a step fails, for example because the disk is full, the
function raises `OSError`, the temporary file is removed, and the target is unchanged. A target that
is a symbolic link, or not a regular file, is refused.

Only three kinds of file are written elsewhere: lock files, which stay empty, the simulated
subscription's file, which SQLite writes, and a log of requests (`line_log`).
"""

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PRIVATE = 0o600  # journals, keys, caches: readable by their owner only
OUTPUT = 0o666  # files that the user named: the umask decides

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SUFFIX = ".new"
# Errors of file systems that cannot sync a folder. They are ignored.
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
# Errors of file systems without hard links (FAT, some network and FUSE ones).
_CANNOT_LINK = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


@dataclass(frozen=True, slots=True)
class SystemCalls:
    """The system calls that fail on a full or broken disk; tests replace them."""

    write: Callable[[int, memoryview], int] = os.write
    fsync: Callable[[int], None] = os.fsync
    close: Callable[[int], None] = os.close
    rename: Callable[[Path, Path], None] = os.rename
    link: Callable[[Path, Path], None] = os.link


_SYSTEM = SystemCalls()


def replace(path: Path, data: bytes, *, mode: int = PRIVATE, system: SystemCalls = _SYSTEM) -> None:
    """Write `data` to `path`, whether or not the file exists.

    A new file gets `mode` less the umask. With `OUTPUT` an existing file keeps its permissions.

    Raises:
        OSError: it could not be written, or `path` is a link or no regular file.
    """
    present = _stat_regular(path)
    kept = stat.S_IMODE(present.st_mode) if present and mode == OUTPUT else None
    new = _temporary(path)
    try:
        _write_new(new, data, mode, kept, system)
        system.rename(new, path)
    except BaseException:
        _discard(new)
        raise
    _sync_folder(path.parent, system)


def create(path: Path, data: bytes, *, mode: int = PRIVATE, system: SystemCalls = _SYSTEM) -> None:
    """Write a new file.

    Raises:
        FileExistsError: `path` exists, or was created meanwhile.
        OSError: it could not be written.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    new = _temporary(path)
    try:
        _write_new(new, data, mode, None, system)
        _publish(new, path, system)
    finally:
        _discard(new)
    _sync_folder(path.parent, system)


def remove(path: Path, *, system: SystemCalls = _SYSTEM) -> None:
    """Remove a file durably. A missing file is no error."""
    path.unlink(missing_ok=True)
    _sync_folder(path.parent, system)


def discard_leftovers(path: Path) -> None:
    """Remove temporary files of `path` that a killed process left.

    The caller must hold a lock on `path`: the files of a concurrent writer would be removed, too.
    """
    with suppress(OSError):
        for left in path.parent.iterdir():
            if left.name.startswith(_prefix(path)) and left.name.endswith(_SUFFIX):
                _discard(left)


def _stat_regular(path: Path) -> os.stat_result | None:
    """The status of the regular file at `path`, or None if it does not exist.

    Raises:
        OSError: `path` is not a regular file.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, "is a symbolic link, which is not written through", str(path))
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    return status


def _temporary(path: Path) -> Path:
    """A path in the same folder with a random name."""
    return path.with_name(f"{_prefix(path)}{secrets.token_hex(8)}{_SUFFIX}")


def _prefix(path: Path) -> str:
    """The start of its temporary files' names, cut so that a name has at most 255 bytes."""
    return f".{os.fsdecode(os.fsencode(path.name)[:200])}."


def _write_new(new: Path, data: bytes, mode: int, kept: int | None, system: SystemCalls) -> None:
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
    """Write all bytes: one `write` may write only a part of them."""
    left = memoryview(data)
    while left:
        count = system.write(file, left)
        if count <= 0:
            raise OSError(errno.EIO, "nothing was written")
        left = left[count:]


def _publish(new: Path, path: Path, system: SystemCalls) -> None:
    """Give the new file its final name; `FileExistsError` if that name exists."""
    try:
        system.link(new, path)
    except OSError as err:
        if err.errno not in _CANNOT_LINK:
            raise
        os.close(os.open(path, _NEW, PRIVATE))  # reserves the name, or raises FileExistsError
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
