"""The initrd: busybox, veritysetup, the kernel's modules, and the script that opens the root."""

import stat
from collections.abc import Iterable
from importlib import resources
from pathlib import PurePosixPath

from ccgpu.image.cpio import CpioEntry, archive
from ccgpu.imaging.kernel_modules import KernelModule
from ccgpu.imaging.tree import RootTree

_VERITYSETUP = "/usr/sbin/veritysetup"
_FOLDERS = ("bin", "dev", "modules", "proc", "run", "sys", "sysroot", "lower", "over")


def make_initrd(root: RootTree, busybox: bytes, modules: Iterable[KernelModule]) -> bytes:
    """The archive, compressed by the image's own gzip."""
    script = resources.files("ccgpu").joinpath("templates", "image", "init").read_bytes()
    loaded = list(modules)
    files = {
        "init": (0o755, script),
        "bin/busybox": (0o755, busybox),
        "bin/veritysetup": (0o755, root.read(_VERITYSETUP)),
        "modules/order": (0o644, "".join(f"{each.name}.ko\n" for each in loaded).encode()),
    }
    files |= {f"modules/{each.name}.ko": (0o644, each.code) for each in loaded}
    files |= {path.lstrip("/"): (0o755, root.read(path)) for path in _libraries(root)}
    folders = {*_FOLDERS, *(str(each) for path in files for each in _above(path))}
    entries = [CpioEntry(path, stat.S_IFDIR | 0o755) for path in folders]
    entries += [CpioEntry(path, stat.S_IFREG | mode, data) for path, (mode, data) in files.items()]
    return root.run("gzip", "-9", "-n", "-c", given=archive(entries))


def _libraries(root: RootTree) -> list[str]:
    """The libraries that veritysetup loads, as the image's own loader finds them."""
    listed = root.run("ldd", _VERITYSETUP).decode()
    words = (word for line in listed.splitlines() for word in line.split())
    return sorted({word for word in words if word.startswith("/")})


def _above(path: str) -> list[PurePosixPath]:
    return [each for each in PurePosixPath(path).parents if each.name]
