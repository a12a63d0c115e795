"""The base of a root file system: the locked packages, installed by mmdebstrap, and the kernel."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ccgpu.domain.image_lock import ImageLock
from ccgpu.errors import ImageNotBuilt
from ccgpu.imaging.packages import PackageCache, make_archive
from ccgpu.imaging.programs import run_program
from ccgpu.imaging.tree import RootTree

# In every image: what its boot, its login, its collector and the release of secrets are made of.
BASE = (
    *("systemd", "systemd-sysv", "systemd-resolved", "udev", "dbus", "kmod", "usr-is-merged"),
    *("openssh-server", "sudo", "passwd", "login", "iproute2", "python3"),
    *("cryptsetup-bin", "dmsetup", "e2fsprogs"),
    *("openssl", "python3-cryptography"),  # make the release key, and open what is sealed to it
)
# The boot is made of these files of packages; they are not installed.
STUB_PACKAGE, BUSYBOX_PACKAGE = "systemd-boot-efi", "busybox-static"
_HOOKS = Path("/usr/share/mmdebstrap/hooks/merged-usr")
_NOT_UNPACKED = (
    *("/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*"),
    *("/usr/share/doc/*", "/usr/share/bug/*"),
)


@dataclass(frozen=True, slots=True)
class BootParts:
    """The files that the boot is made of, and the kernel's version."""

    kernel: bytes
    stub: bytes
    busybox: bytes
    version: str


def install_packages(
    lock: ImageLock, cache: PackageCache, work: Path, environ: dict[str, str]
) -> RootTree:
    """Install the locked packages of the root file system, below `work`."""
    packages = lock.of_use("root")
    make_archive(work / "archive", packages, cache)
    options = [f"--dpkgopt=path-exclude={each}" for each in _NOT_UNPACKED]
    names = ",".join(sorted(each.name for each in packages))
    root = work / "root"
    run_program(
        *("mmdebstrap", "--mode=root", "--variant=apt", "--format=directory", "--skip=check/empty"),
        *("--architectures=amd64", f"--hook-dir={_HOOKS}", "--dpkgopt=force-unsafe-io", *options),
        *('--aptopt=APT::Sandbox::User "root"', f"--include={names}"),
        *(lock.suite, root, f"deb [trusted=yes] copy:{work}/archive ./"),
        more={"SOURCE_DATE_EPOCH": str(lock.epoch), "TMPDIR": str(work), **environ},
    )
    return RootTree(root)


def unpack_boot(lock: ImageLock, cache: PackageCache, root: RootTree, work: Path) -> BootParts:
    """Unpack the kernel, its modules into the root, the stub and busybox."""
    folder = work / "boot"
    for package in lock.of_use("boot"):
        run_program("dpkg-deb", "-x", cache.require(package), folder)
    modules = _only([*folder.glob("lib/modules/*"), *folder.glob("usr/lib/modules/*")], "modules")
    version = modules.name
    root.copy_folder(modules, f"/usr/lib/modules/{version}")
    root.run("depmod", version)
    kernel = _only([*folder.glob(f"boot/vmlinuz-{version}")], "kernel")
    stub = _only([*folder.glob("usr/lib/systemd/boot/efi/linuxx64.efi.stub")], "stub")
    busybox = _only([*folder.glob("bin/busybox"), *folder.glob("usr/bin/busybox")], "busybox")
    return BootParts(kernel.read_bytes(), stub.read_bytes(), busybox.read_bytes(), version)


def _only(found: Sequence[Path], what: str) -> Path:
    if len(found) != 1:
        raise ImageNotBuilt(f"the packages of the boot have {len(found)} of: {what}")
    return found[0]
