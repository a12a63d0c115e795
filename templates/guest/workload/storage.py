"""The folders of workloads in /mnt/ccgpu, and what they lie on.

The set-up mounts the encrypted temporary disk at /mnt. Where it does not, /mnt is on the OS disk,
or on a disk that the host can read.
"""

import os
import shutil
from pathlib import Path
from typing import Any

from ccgpu.templates.guest.workload.base import Vm, WorkloadError, locked_name
from ccgpu.templates.guest.workload.request import Request

FOLDER = "/mnt/ccgpu"
TEMP_DISK = "dev/mapper/ccgpu-temp"  # `temp-disk` of the set-up opens it
MEMORY = ("tmpfs", "ramfs")
DM_CRYPT = "CRYPT-"  # what cryptsetup's names of devices begin with


def require_storage(vm: Vm, *, os_disk: bool) -> str:
    """What /mnt/ccgpu lies on: `encrypted`, `memory`, or `os-disk` if that is allowed."""
    device, mount, form = mount_of(vm, FOLDER)
    if form in MEMORY:
        return "memory"
    if device == f"/{TEMP_DISK}" and is_encrypted(vm):
        return "encrypted"
    if mount == "/" and os_disk:
        return "os-disk"
    where = "the OS disk" if mount == "/" else f"{device}, which is not encrypted"
    raise WorkloadError("storage.plain", f"{FOLDER} lies on {where}")


def mount_of(vm: Vm, path: str) -> tuple[str, str, str]:
    """Device, mount point and type of the file system that a path lies on."""
    best = ("", "", "")
    for line in (vm.root / "proc/mounts").read_text("utf-8", "surrogateescape").splitlines():
        device, mount, form = line.split()[:3]
        is_above = mount in ("/", path) or path.startswith(f"{mount}/")
        if is_above and len(mount) >= len(best[1]):  # a later mount hides an earlier one
            best = (device, mount, form)
    return best


def is_encrypted(vm: Vm) -> bool:
    """Whether the temporary disk is one of dm-crypt."""
    try:
        name = (vm.root / TEMP_DISK).resolve(strict=True).name
        kind = (vm.root / "sys/class/block" / name / "dm/uuid").read_text("ascii")
    except (OSError, ValueError):
        return False
    return kind.startswith(DM_CRYPT)


def make_folder(vm: Vm, *parts: str) -> Path:
    """A folder below /mnt/ccgpu, which is made if it does not exist. No link is followed."""
    path = vm.below_root(FOLDER)
    path.mkdir(mode=0o755, exist_ok=True)
    require_folder(path)
    for part in parts:
        path /= part
        path.mkdir(mode=0o755, exist_ok=True)
        require_folder(path)
    return path


def require_folder(path: Path) -> None:
    """Refuse a link, or what is no folder."""
    if path.is_symlink() or not path.is_dir():
        raise WorkloadError("storage.error", f"{path} is not a folder")


def prepare(vm: Vm, request: Request) -> dict[str, Any]:
    """Make the folders of a workload. Its inputs are emptied, and belong to who logged in."""
    name = request.name
    kind = require_storage(vm, os_disk=request.flag("os_disk"))
    with locked_name(vm, name):
        inputs = make_folder(vm, "inputs") / name
        if inputs.is_symlink() or inputs.exists():
            require_folder(inputs)
            shutil.rmtree(inputs)
        inputs.mkdir(mode=0o755)
        os.chown(inputs, vm.user, -1)
        make_folder(vm, "outputs", name)
    space = os.statvfs(inputs)
    return {
        "inputs": f"{FOLDER}/inputs/{name}",
        "outputs": f"{FOLDER}/outputs/{name}",
        "storage": kind,
        "free": space.f_bavail * space.f_frsize,
    }
