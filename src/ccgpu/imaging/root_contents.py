"""What ccgpu makes of a root file system: its own files, the recipe's, and what is taken away.

The tree `templates/image/root` of the package has ccgpu's files; a file's path in the tree is its
path in the image.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from ccgpu.domain.image_manifest import ImagePackage
from ccgpu.domain.image_recipe import ImageRecipe
from ccgpu.domain.root_lists import status_text
from ccgpu.errors import ImageNotBuilt, InvalidFile, Problem
from ccgpu.guest.collector import script as collector_script
from ccgpu.guest.scripts import assemble_script
from ccgpu.imaging.container_store import LOWER
from ccgpu.imaging.tree import RootTree

# What the boot is made of, as a status file of dpkg; dpkg's own has what is installed.
BOOT_PACKAGES = "/usr/lib/ccgpu/boot-packages"
_UNITS = (
    *("ccgpu-config.service", "ccgpu-ready.service", "ccgpu-scratch.service", "ssh.service"),
    *("systemd-networkd.service", "systemd-resolved.service"),
)
# Ways in besides the network, what waits for somebody at a console, and what extends PCRs.
_MASKED = (
    *("getty@.service", "serial-getty@.service", "console-getty.service", "getty.target"),
    *("container-getty@.service", "getty-static.service", "debug-shell.service"),
    *("autovt@.service", "ctrl-alt-del.target", "kexec.target", "systemd-kexec.service"),
    *("emergency.service", "emergency.target", "rescue.service", "rescue.target"),
    *("systemd-pcrphase.service", "systemd-pcrphase-sysinit.service", "systemd-pcrmachine.service"),
    *("systemd-pcrphase-initrd.service", "systemd-pcrfs-root.service", "systemd-pcrfs@.service"),
    *("systemd-pcrextend.socket", "systemd-tpm2-setup.service", "systemd-tpm2-setup-early.service"),
    *("systemd-sysext.service", "systemd-confext.service", "systemd-network-generator.service"),
    *("systemd-firstboot.service", "systemd-homed.service", "systemd-repart.service", "ssh.socket"),
    *("systemd-update-done.service", "systemd-machine-id-commit.service", "rc-local.service"),
    *("systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount", "systemd-logind.service"),
    *("systemd-pstore.service", "sys-kernel-debug.mount", "sys-kernel-tracing.mount"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer"),
    *("e2scrub_reap.service", "fstrim.timer"),
    *("podman.service", "podman.socket", "podman-auto-update.service", "podman-restart.service"),
    *("podman-auto-update.timer", "podman-clean-transient.service"),  # no pull, no API
    *("nvidia-cdi-refresh.service", "nvidia-cdi-refresh.path"),  # the CDI file is the build's
)
_GENERATORS = ("system-generators", "system-environment-generators")
_STARTED = ("/etc/systemd/system/*.wants/*", "/etc/systemd/system/*.requires/*")
_EMPTIED = (
    *("/var/cache", "/var/log", "/var/tmp", "/tmp", "/run", "/boot", "/var/lib/apt"),  # noqa: S108
    *("/var/lib/systemd", "/usr/share/man", "/usr/share/info", "/usr/share/lintian"),
    *("/usr/share/doc", "/usr/share/locale", "/usr/share/bug", "/root"),
)
_REMOVED = (
    *("/etc/ssh/ssh_host_*", "/etc/machine-id", "/var/lib/dbus/machine-id", "/etc/hostname"),
    *("/etc/resolv.conf", "/etc/apt/sources.list", "/etc/apt/apt.conf.d/99mmdebstrap"),
    *("/etc/dpkg/dpkg.cfg.d/99mmdebstrap", "/etc/*-", "/var/lib/dpkg/*-old", "/var/lib/dpkg/lock*"),
    *("/var/lib/dpkg/triggers/Lock", "/var/lib/ucf/*.?", "/etc/.pwd.lock"),
)


def add_contents(
    root: RootTree,
    recipe: ImageRecipe,
    folder: Path,
    boot: Iterable[ImagePackage],
    units: Sequence[str],
) -> tuple[str, ...]:
    """Add ccgpu's files and the recipe's; return the units that start at boot.

    folder: what the sources of the recipe's files are relative to. boot: the packages of the boot.
    units: start besides ccgpu's own and the recipe's.
    """
    for path, data in tree_files("root"):
        mode = 0o755 if data.startswith(b"#!") else 0o644
        root.write(path, data, 0o440 if path.startswith("/etc/sudoers.d/") else mode)
    for name, data in _scripts():
        root.write(f"/usr/lib/ccgpu/{name}", data)
    root.write(BOOT_PACKAGES, status_text(boot).encode())
    root.inside(LOWER).mkdir(mode=0o755)
    root.write("/etc/machine-id", b"")
    root.write("/etc/hostname", f"{recipe.name}\n".encode())
    root.write("/etc/hosts", f"127.0.0.1 localhost {recipe.name}\n".encode())
    root.link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
    for number, file in enumerate(recipe.files):
        data = _source(folder / file.source, number) if file.source else (file.text or "").encode()
        root.write(file.path, data, int(file.mode, 8))
    return _enable(root, recipe, units)


def trim(root: RootTree) -> None:
    """Take away what is of this build, or of no use in an image that never changes."""
    for path in _EMPTIED:
        root.empty(path)
    for pattern in _REMOVED:
        root.remove(pattern)


def _enable(root: RootTree, recipe: ImageRecipe, units: Sequence[str]) -> tuple[str, ...]:
    places = ("etc", "usr/lib", "lib")
    for number, unit in enumerate(recipe.units):
        if not any(root.exists(f"/{place}/systemd/system/{unit}") for place in places):
            message = "is not in the image: a package or a file of the recipe must have it"
            raise InvalidFile("the recipe", [Problem(f"units.{number}", f"{unit} {message}")])
    root.run("systemctl", "enable", "-q", *_UNITS, *units, *recipe.units)
    root.link("/etc/systemd/system/default.target", "/usr/lib/systemd/system/multi-user.target")
    for unit in _MASKED:
        root.link(f"/etc/systemd/system/{unit}", "/dev/null")
    for kind in _GENERATORS:
        for name in list(root.names([f"/usr/lib/systemd/{kind}/*", f"/lib/systemd/{kind}/*"])):
            root.link(f"/etc/systemd/{kind}/{name}", "/dev/null")
    started = started_units(root)
    masked = {name for name in started if re.sub("@[^.]*", "@", name) in _MASKED}
    for name in masked:
        root.remove(f"/etc/systemd/system/*.wants/{name}")
    return tuple(name for name in started if name not in masked)


def started_units(root: RootTree) -> tuple[str, ...]:
    """The units that links below /etc start at boot."""
    return tuple(root.names(_STARTED))


def _scripts() -> Iterator[tuple[str, bytes]]:
    """The programs of the boot, and the collector, each as one file of Python."""
    yield "collect", collector_script()  # `sudo ccgpu-collect REQUEST` runs it
    tpm = ("collector.settings", "collector.tpm", "image.metadata", "image.config")
    yield "config", assemble_script(tpm)
    yield "ready", assemble_script(("image.metadata", "image.ready"))


def tree_files(name: str) -> list[tuple[str, bytes]]:
    """The files of a tree in `templates/image`: their paths in the image, and their bytes."""
    tree = resources.files("ccgpu").joinpath("templates", "image", name)
    return sorted(_files_below(tree, ""))


def _files_below(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        below = f"{path}/{entry.name}"
        if entry.is_dir():
            yield from _files_below(entry, below)
        else:
            yield below, entry.read_bytes()


def _source(file: Path, number: int) -> bytes:
    """The bytes of a file that the recipe names."""
    try:
        if not file.is_file():
            raise ImageNotBuilt(f"{file} is no file (files.{number}.source of the recipe)")
        return file.read_bytes()
    except OSError as err:
        raise ImageNotBuilt(f"{file} cannot be read: {err.strerror}") from err
