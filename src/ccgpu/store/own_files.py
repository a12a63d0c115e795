"""Reads files of the state folder that decide something: only what this user, or root, has written.

If the folder can be written by others, they can put files of their own into it, or links. As sshd
with StrictModes does, a file of another user, or one that others may write to, is not read at all.
"""

import errno
import os
import stat
from pathlib import Path

from ccgpu.errors import StateUnusable
from ccgpu.store.documents import reason

_ROOT = 0
_OTHERS_WRITE = 0o022
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read(path: Path, what: str, limit: int) -> bytes | None:
    """The bytes of a file, of which at most `limit` are read; None if there is no such file.

    what: what it records, for messages.

    Raises:
        StateUnusable: it cannot be read, is a link or no plain file, or others have, or may have,
            written it.
    """
    try:
        descriptor = os.open(path, _OPEN)
    except FileNotFoundError:
        return None
    except OSError as err:
        why = "it is a symbolic link" if err.errno == errno.ELOOP else reason(err)
        raise StateUnusable(f"cannot read {what} in {path}: {why}") from err
    try:
        with os.fdopen(descriptor, "rb") as stream:
            _require_own(os.fstat(descriptor), path, what)
            return stream.read(limit)
    except OSError as err:
        raise StateUnusable(f"cannot read {what} in {path}: {reason(err)}") from err


def _require_own(there: os.stat_result, path: Path, what: str) -> None:
    if not stat.S_ISREG(there.st_mode):
        raise StateUnusable(f"cannot read {what} in {path}: it is no plain file")
    if there.st_uid not in (_ROOT, os.geteuid()):
        raise StateUnusable(
            f"{what} in {path} is another user's file, which proves nothing",
            hint=f"move it away, and see who may write to {path.parent}",
        )
    if there.st_mode & _OTHERS_WRITE:
        raise StateUnusable(
            f"{what} in {path} may be written by others than you, so that it proves nothing",
            hint=f"if it is what you have made: `chmod go-w {path}`",
        )
