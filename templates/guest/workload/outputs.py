"""The outputs of a workload, made readable for who logs in: hard links of its files elsewhere.

The workload never reaches the links, and no link of its own is followed.
"""

import os
import shutil
import stat
from dataclasses import dataclass, field
from typing import Any

from ccgpu.templates.guest.workload.base import Vm, WorkloadError, locked_name
from ccgpu.templates.guest.workload.request import Request
from ccgpu.templates.guest.workload.storage import FOLDER, make_folder, require_folder

MOST_LEFT = 20  # names that are told
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass
class Offered:
    """What was found: how many files, their bytes, and what is neither file nor folder."""

    files: int = 0
    bytes: int = 0
    left: list[str] = field(default_factory=list)


def offer_outputs(vm: Vm, request: Request) -> dict[str, Any]:
    """Make the links, in a folder of who logged in; earlier ones go."""
    name = request.name
    source = vm.below_root(f"{FOLDER}/outputs/{name}")
    if source.is_symlink() or not source.is_dir():
        raise WorkloadError("outputs.absent", f"{FOLDER}/outputs/{name} does not exist")
    with locked_name(vm, name):
        target = make_folder(vm, "export") / name
        if target.is_symlink() or target.exists():
            require_folder(target)
            shutil.rmtree(target)
        target.mkdir(mode=0o700)
        offered = Offered()
        reading = os.open(source, FOLDER_FLAGS)
        writing = os.open(target, FOLDER_FLAGS)
        try:
            link_all(reading, writing, "", vm.user, offered)
        finally:
            os.close(reading)
            os.close(writing)
    return {
        "path": f"{FOLDER}/export/{name}",
        "files": offered.files,
        "bytes": offered.bytes,
        "left": offered.left[:MOST_LEFT],
    }


def link_all(reading: int, writing: int, path: str, user: int, offered: Offered) -> None:
    """Link the content of one folder into another; both are open, so that nobody can swap them."""
    for name in sorted(os.listdir(reading)):
        there = os.stat(name, dir_fd=reading, follow_symlinks=False)
        shown = f"{path}{name}"
        if stat.S_ISDIR(there.st_mode):
            link_folder(name, (reading, writing), shown, user, offered)
        elif stat.S_ISREG(there.st_mode):
            os.link(name, name, src_dir_fd=reading, dst_dir_fd=writing, follow_symlinks=False)
            own_file(name, writing, user, offered)
        else:
            offered.left.append(shown.encode("utf-8", "replace").decode())
    os.fchown(writing, user, -1)


def link_folder(
    name: str, folders: tuple[int, int], shown: str, user: int, offered: Offered
) -> None:
    """Link the content of a folder below."""
    reading, writing = folders
    os.mkdir(name, 0o700, dir_fd=writing)
    below = os.open(name, FOLDER_FLAGS, dir_fd=reading)
    try:
        made = os.open(name, FOLDER_FLAGS, dir_fd=writing)
        try:
            link_all(below, made, f"{shown}/", user, offered)
        finally:
            os.close(made)
    finally:
        os.close(below)


def own_file(name: str, writing: int, user: int, offered: Offered) -> None:
    """Give a linked file to who logged in. It may have been swapped for something else before."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=writing)
    try:
        there = os.fstat(descriptor)
        if not stat.S_ISREG(there.st_mode):
            raise WorkloadError("storage.error", f"{name} of the outputs changes all the time")
        os.fchown(descriptor, user, -1)
        os.fchmod(descriptor, stat.S_IMODE(there.st_mode) | stat.S_IRUSR)
        offered.files += 1
        offered.bytes += there.st_size
    finally:
        os.close(descriptor)
