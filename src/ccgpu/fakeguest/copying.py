"""Copies between this machine and a guest's files, with permissions, as `scp -p` makes them."""

import posixpath
import stat
from pathlib import Path

from ccgpu.fakearm import StoredFile
from ccgpu.fakeguest.files import FileTree, NoSpace


class NoCopy(Exception):
    """The copy failed; the message is that of scp."""


def put(files: FileTree, local: Path, remote: str, *, recursive: bool) -> None:
    """Copy a file, or a folder with all below it, into the guest."""
    if not local.exists():
        raise NoCopy(f"{local}: No such file or directory")
    if local.is_dir() and not recursive:
        raise NoCopy(f"{local}: not a regular file")
    target = files.absolute(remote)
    if remote.endswith("/") or files.is_folder(remote):
        target = posixpath.join(target, local.name)
    found = sorted(one for one in local.rglob("*") if one.is_file()) if local.is_dir() else [local]
    try:
        for one in found:
            path = posixpath.join(target, *one.relative_to(local).parts)
            mode = stat.S_IMODE(one.stat().st_mode)
            files.write(posixpath.normpath(path), StoredFile(mode, one.read_bytes()))
    except NoSpace as err:
        raise NoCopy(f'write remote "{target}": Failure: No space left on device') from err


def get(files: FileTree, remote: str, local: Path, *, recursive: bool) -> None:
    """Copy a file, or a folder with all below it, out of the guest."""
    source = files.absolute(remote)
    file = files.read(source)
    name = posixpath.basename(source)
    if file is not None:
        _save(file, local / name if local.is_dir() else local)
        return
    if not files.is_folder(source):
        raise NoCopy(f"{remote}: No such file or directory")
    if not recursive:
        raise NoCopy(f"{remote}: not a regular file")
    top = local / name if local.is_dir() else local
    for path in files.list_below(source):
        found = files.read(path)
        if found is not None:
            place = top.joinpath(*posixpath.relpath(path, source).split("/"))
            place.parent.mkdir(parents=True, exist_ok=True)
            _save(found, place)


def _save(file: StoredFile, place: Path) -> None:
    place.write_bytes(file.data)
    place.chmod(file.mode & 0o777)
