"""The kernel modules of the initrd: what the boot needs, in the order in which they are loaded.

Source: modules.dep(5), modules.builtin (kbuild.rst of Linux).
"""

import lzma
from dataclasses import dataclass
from pathlib import PurePosixPath

from ccgpu.errors import ImageNotBuilt
from ccgpu.imaging.programs import run_program
from ccgpu.imaging.tree import RootTree

# Disks of Hyper-V (Azure) and of virtio (QEMU), and what a verified root is made of.
WANTED = (
    *("hv_vmbus", "hv_storvsc", "sd_mod", "virtio_pci", "virtio_blk"),
    *("crc32c_generic", "dm_verity", "erofs", "overlay"),
)


@dataclass(frozen=True, slots=True)
class KernelModule:
    """A module: its name, and its code without compression."""

    name: str
    code: bytes


def load_order(dependencies: str, builtin: str, wanted: tuple[str, ...] = WANTED) -> list[str]:
    """The paths of the wanted modules and of what they depend on, in order of loading.

    Raises:
        ImageNotBuilt: the kernel has not all of them.
    """
    lists = {}
    for line in dependencies.splitlines():
        path, _, needed = line.partition(":")
        lists[_name(path)] = (path, needed.split())
    inside = {_name(path) for path in builtin.split()}
    order: dict[str, None] = {}
    for name in wanted:
        if name in inside:
            continue
        if name not in lists:
            raise ImageNotBuilt(f"the kernel has no {name}, which the boot needs: name another")
        file, below = lists[name]
        order |= dict.fromkeys([*reversed(below), file])  # the last one is loaded first
    return list(order)


def read_modules(root: RootTree, version: str) -> list[KernelModule]:
    """The modules of the initrd, in order of loading."""
    folder = f"/usr/lib/modules/{version}"
    dependencies = root.read(f"{folder}/modules.dep").decode()
    paths = load_order(dependencies, root.read(f"{folder}/modules.builtin").decode())
    return [KernelModule(_name(path), _code(root.read(f"{folder}/{path}"), path)) for path in paths]


def _name(path: str) -> str:
    return PurePosixPath(path).name.partition(".ko")[0].replace("-", "_")


def _code(raw: bytes, path: str) -> bytes:
    if path.endswith(".xz"):
        return lzma.decompress(raw)
    if path.endswith(".zst"):
        return run_program("zstd", "-dqc", given=raw)
    return raw
