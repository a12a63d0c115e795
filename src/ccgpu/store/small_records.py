"""Small JSON records in the state folder: one file each, read whole, and replaced whole.

Files have mode 0600, their folder 0700 (`store.atomic`).
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ccgpu.errors import StateUnusable
from ccgpu.store import atomic, folders, own_files
from ccgpu.store.documents import reason

T = TypeVar("T")
MAX_BYTES = 16 * 1024
_HINT = "free disk space or fix the permissions"


def read(path: Path, what: str, parse: Callable[[bytes], T]) -> T | None:
    """The record in a file; None if there is no such file.

    Args:
        path: the file.
        what: what it records, for messages.
        parse: makes the value; may raise what parsing JSON of another shape raises.

    Raises:
        StateUnusable: it cannot be read, is damaged, or may be of others.
    """
    raw = own_files.read(path, what, MAX_BYTES + 1)
    if raw is None:
        return None
    try:
        if len(raw) > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")  # noqa: TRY301
        return parse(raw)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as err:
        raise StateUnusable(
            f"{what} in {path} is damaged: {err}", hint=f"move the file away: {path}"
        ) from err


def write(path: Path, what: str, document: Mapping[str, Any]) -> None:
    """Write a record durably; raises `StateUnusable` if it cannot be written."""
    make_folder(path, what)
    try:
        atomic.replace(path, (json.dumps(document, indent=1) + "\n").encode())
    except OSError as err:
        raise StateUnusable(f"cannot write {what} in {path}: {reason(err)}", hint=_HINT) from err


def make_folder(path: Path, what: str) -> None:
    """Make the folder of a record; raises `StateUnusable`."""
    try:
        folders.make_private(path.parent)
    except OSError as err:
        raise StateUnusable(f"cannot write {what} in {path}: {reason(err)}", hint=_HINT) from err


def remove(path: Path, what: str) -> None:
    """Remove a record durably, if it is there."""
    try:
        if os.path.lexists(path):
            atomic.remove(path)
    except OSError as err:
        raise StateUnusable(f"cannot remove {what} in {path}: {reason(err)}", hint=_HINT) from err
