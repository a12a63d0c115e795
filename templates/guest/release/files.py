"""The files of secrets, and the key that they are opened with. All are in memory, below /run/ccgpu.

/run/ccgpu and /run/ccgpu/secrets: of root, mode 0711, so that the owner of a file reaches it and
nobody lists them. A secret: mode 0600, of the user who may read it.
"""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ccgpu.templates.guest.release.memory import find_disk_risk
from ccgpu.templates.guest.release.refusal import ReleaseError

RUN, SECRETS, KEY = "run/ccgpu", "secrets", "release.pem"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
FOLDER_MODE, FILE_MODE = 0o711, 0o600
KEY_LIMIT = 4096  # bytes
NO_KEY = "the VM has no key to open secrets with: it has been used, or the VM was restarted"
IN_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class StoredFile(NamedTuple):
    """A secret that is there, but for its value: its size in bytes, and whose it is."""

    name: str
    size: int
    owner: int


class NewSecret(NamedTuple):
    """A secret that is to be written."""

    name: str
    value: bytes
    owner: int


def require_memory(root: Path) -> None:
    """Refuse a VM in which a secret could reach a disk."""
    risk = find_disk_risk(root, f"/{RUN}/{SECRETS}")
    if risk is not None:
        raise ReleaseError(risk.kind, risk.message)


@contextmanager
def opened_folder(path: Path) -> Iterator[int]:
    """A descriptor of /run/ccgpu; raises if it is not a folder of root that only root writes to."""
    try:
        descriptor = os.open(path, IN_FOLDER)
    except OSError as err:
        raise ReleaseError("folder", f"{path} cannot be opened: {err.strerror}") from err
    try:
        require_own_folder(descriptor, str(path))
        yield descriptor
    finally:
        os.close(descriptor)


def require_own_folder(descriptor: int, name: str) -> None:
    """Refuse a folder of others, or that others can list or write to; make it one to pass."""
    there = os.fstat(descriptor)
    if there.st_uid != os.geteuid() or there.st_mode & 0o066:
        raise ReleaseError("folder", f"{name} is not a folder of root that only root reads")
    os.fchmod(descriptor, FOLDER_MODE)


@contextmanager
def opened_secrets(root: Path, *, make: bool) -> Iterator[int]:
    """A descriptor of the folder of secrets; -1 if there is none and none is to be made."""
    run = root / RUN
    if not make and not os.path.lexists(run / SECRETS):
        yield -1
        return
    with opened_folder(run) as parent:
        if make:
            with suppress(FileExistsError):
                os.mkdir(SECRETS, 0o700, dir_fd=parent)
        try:
            folder = os.open(SECRETS, IN_FOLDER, dir_fd=parent)
        except OSError as err:
            raise ReleaseError(
                "folder", f"{run / SECRETS} cannot be opened: {err.strerror}"
            ) from err
        try:
            require_own_folder(folder, str(run / SECRETS))
            yield folder
        finally:
            os.close(folder)


def take_key(root: Path) -> bytes:
    """The private key (PEM) that the last evidence named. It is deleted: it works once."""
    if not os.path.lexists(root / RUN):
        raise ReleaseError("key.absent", NO_KEY)
    with opened_folder(root / RUN) as folder:
        taken = f".taken.{os.getpid()}"
        try:
            os.rename(KEY, taken, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as err:
            raise ReleaseError("key.absent", NO_KEY) from err
        try:
            return read_own_file(folder, taken)
        finally:
            wipe(folder, taken)


def read_own_file(folder: int, name: str) -> bytes:
    """A file that only root can read or write."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError as err:
        raise ReleaseError("key.unsafe", f"the key cannot be read: {err.strerror}") from err
    with os.fdopen(descriptor, "rb") as stream:
        there = os.fstat(descriptor)
        if not stat.S_ISREG(there.st_mode) or there.st_uid != os.geteuid() or there.st_mode & 0o077:
            raise ReleaseError("key.unsafe", "the key is not a file that only root reads")
        return stream.read(KEY_LIMIT)


def wipe(folder: int, name: str) -> None:
    """Overwrite a regular file with zeros, and delete it; anything else is only deleted."""
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with suppress(OSError):
        descriptor = os.open(name, flags, dir_fd=folder)
        with os.fdopen(descriptor, "wb", buffering=0) as stream:
            there = os.fstat(descriptor)
            if stat.S_ISREG(there.st_mode):
                stream.write(bytes(there.st_size))
    os.unlink(name, dir_fd=folder)


def write_secrets(folder: int, secrets: Sequence[NewSecret]) -> None:
    """Write all secrets, or none. A file is there whole or not at all, and replaces an old one."""
    written: list[str] = []
    try:
        for secret in secrets:
            new = f".{secret.name}.{os.getpid()}"
            written.append(new)
            write_new_file(folder, new, secret)
        for secret, new in zip(secrets, list(written), strict=True):
            os.rename(new, secret.name, src_dir_fd=folder, dst_dir_fd=folder)
            written.remove(new)
    except OSError as err:
        raise ReleaseError("write", f"a secret cannot be written: {err.strerror}") from err
    finally:
        for new in written:
            with suppress(OSError):
                wipe(folder, new)


def write_new_file(folder: int, name: str, secret: NewSecret) -> None:
    """Write a secret under a name that is not there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, FILE_MODE, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(descriptor, FILE_MODE)
        os.fchown(descriptor, secret.owner, -1)
        stream.write(secret.value)


def list_secrets(folder: int) -> list[StoredFile]:
    """Name, size in bytes and owner of every secret; never a value."""
    found: list[StoredFile] = []
    for name in sorted(os.listdir(folder)) if folder >= 0 else ():
        if NAME.fullmatch(name):
            there = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(there.st_mode):
                found.append(StoredFile(name, there.st_size, there.st_uid))
    return found


def remove_secrets(folder: int, names: Sequence[str]) -> list[StoredFile]:
    """Overwrite and delete secrets; returns those that were there."""
    there = {one.name: one for one in list_secrets(folder)}
    found = [name for name in names if name in there]
    try:
        for name in found:
            wipe(folder, name)
    except OSError as err:
        raise ReleaseError("write", f"a secret cannot be deleted: {err.strerror}") from err
    return [there[name] for name in found]
