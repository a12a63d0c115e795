"""Builds a measured image: a recipe and a lock become a disk and its manifest.

The same recipe, lock and programs make the same bytes. Nothing is left of a build that fails.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ccgpu.domain.apt_sources import AptSource, parse_line
from ccgpu.domain.built_image import DISK, LOCK, MANIFEST, BuiltImage
from ccgpu.domain.events import Event, Listener
from ccgpu.domain.image_lock import SCHEMA, ImageLock, asked_packages
from ccgpu.domain.image_manifest import (
    ImageFacts,
    ImageManifest,
    ImagePackage,
    dump,
    make,
)
from ccgpu.domain.image_recipe import ImageRecipe
from ccgpu.errors import ImageNotBuilt, InvalidFile, Problem, UsageProblem
from ccgpu.image import uki
from ccgpu.image.measure import measure
from ccgpu.imaging import disk_parts, kernel_modules, root_base, root_contents
from ccgpu.imaging.initrd import make_initrd
from ccgpu.imaging.packages import PackageCache, installed_size
from ccgpu.imaging.programs import program_versions, require_programs
from ccgpu.imaging.resolve import PrivateApt, machine_sources
from ccgpu.store import atomic
from ccgpu.store.image_files import open_disk
from ccgpu.store.image_locks import read_lock, write_lock
from ccgpu.store.image_recipes import read_recipe

# The command line that every image has: nothing else starts, and nothing comes in beside it.
_COMMAND_LINE = (
    "panic=-1 systemd.import_credentials=no systemd.gpt_auto=no systemd.ssh_auto=no "
    "systemd.firstboot=no sysctl.kernel.sysrq=0"
)
_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of this build's own is made there
_ROOM = 4  # times the installed size: the tree, its file system, and the disk


@dataclass(frozen=True, slots=True)
class ImageBuild:
    """One build. cache: the folder of packages. now: seconds since 1970."""

    recipe_file: Path
    out: Path
    lock_file: Path | None
    cache: Path
    now: Callable[[], float]
    listen: Listener

    def carry_out(self) -> BuiltImage:
        """Build the image into the folder `out`.

        Raises:
            InvalidFile: The recipe or the lock is wrong, or they do not fit each other.
            ProgramMissing: A program is not installed.
            ImageNotBuilt: A step failed.
        """
        began = self.now()
        recipe = read_recipe(self.recipe_file)
        locked = self._existing_lock(recipe)
        require_programs()
        _require_free(self.out)
        steps = _Steps(self, recipe, began)
        with tempfile.TemporaryDirectory(prefix="ccgpu-image-") as name:
            lock = steps.lock(locked, Path(name))
            manifest = steps.build(lock, Path(name))
        return BuiltImage(manifest, str(self.out), self.now() - began)

    def _existing_lock(self, recipe: ImageRecipe) -> ImageLock | None:
        if self.lock_file is None or not self.lock_file.exists():
            return None
        lock = read_lock(self.lock_file)
        if (lock.suite, lock.asked) != (recipe.distribution.suite, asked_packages(recipe)):
            message = f"locks the packages of another recipe than {self.recipe_file}"
            hint = "name another lock file, or remove it to resolve the packages anew"
            raise InvalidFile(str(self.lock_file), [Problem("asked", message)], hint=hint)
        return lock


class _Steps:
    """The steps of a build."""

    def __init__(self, build: ImageBuild, recipe: ImageRecipe, began: float) -> None:
        self._build, self._recipe, self._began = build, recipe, began
        self._cache = PackageCache(build.cache)

    def _tell(self, text: str) -> None:
        self._build.listen(Event("note", self._build.now() - self._began, text))

    def lock(self, locked: ImageLock | None, work: Path) -> ImageLock:
        """The lock of this build; its packages are in the cache."""
        if locked is not None:
            self._tell_versions(locked)
            self._tell(f"packages: {len(locked.packages)} of the lock")
            self._cache.fetch_locked(locked.packages, self._all_sources(), work / "fetched")
            lock = locked
        else:
            lock = self._resolve(work)
        if self._build.lock_file is not None and locked is None:
            write_lock(self._build.lock_file, lock)
        return lock

    def _all_sources(self) -> list[AptSource]:
        given = self._recipe.distribution.sources
        if given:
            return [parse_line(line) for line in given]
        return list(machine_sources(self._recipe.distribution.suite))

    def _resolve(self, work: Path) -> ImageLock:
        sources = self._all_sources()
        self._tell("packages: fetching the lists of the sources")
        apt = PrivateApt(work / "apt", sources)
        apt.update()
        kernel = apt.kernel(self._recipe.kernel)
        wanted = sorted({*root_base.BASE, *self._recipe.packages})
        boot_names = [kernel, root_base.STUB_PACKAGE, root_base.BUSYBOX_PACKAGE]
        root, boot = apt.closure(wanted), apt.alone(boot_names)
        self._tell(f"packages: fetching {len(root) + len(boot)} that are not in the cache yet")
        pairs = [(each.url, each.sha256) for each in (*root, *boot)]
        self._cache.fetch(pairs, work / "fetched")
        locked = [self._cache.lock(each, sources, "root") for each in root]
        locked += [self._cache.lock(each, sources, "boot") for each in boot]
        return ImageLock(
            schema_=SCHEMA,
            suite=self._recipe.distribution.suite,
            asked=asked_packages(self._recipe),
            epoch=int(self._build.now()),
            programs=program_versions(),
            packages=tuple(sorted(locked, key=lambda each: (each.use, each.name))),
        )

    def _tell_versions(self, lock: ImageLock) -> None:
        for name, version in program_versions().items():
            if lock.programs.get(name) != version:
                was = lock.programs.get(name, "unknown")
                self._tell(f"warning: {name} is {version} here and was {was}: the bytes may differ")

    def build(self, lock: ImageLock, apart: Path) -> ImageManifest:
        """Build the disk from the packages in the cache, and write it with its manifest."""
        needed = _ROOM * installed_size(lock.of_use("root"), self._cache)
        with _work_folder(apart, needed) as work:
            self._tell(f"root: installing {len(lock.of_use('root'))} packages")
            root = root_base.install_packages(lock, self._cache, work, {})
            boot = root_base.unpack_boot(lock, self._cache, root, work)
            self._tell("root: adding files and units, taking away what is of this build")
            root_contents.trim(root)
            units = root_contents.add_contents(root, self._recipe, self._build.recipe_file.parent)
            self._tell("initrd: busybox, veritysetup and the kernel's modules")
            modules = kernel_modules.read_modules(root, boot.version)
            initrd = make_initrd(root, boot.busybox, modules)
            self._tell("disk: root file system, hash tree and boot program")
            self._make_disk(lock, work, boot, initrd)
            return self._publish(lock, work, units)

    def _make_disk(
        self, lock: ImageLock, work: Path, boot: root_base.BootParts, initrd: bytes
    ) -> None:
        disk_parts.make_root_image(work / "root", work / "root.img", lock.epoch)
        root_hash = disk_parts.make_hash_tree(work / "root.img", work / "tree.img")
        words = f"{self._recipe.command_line} {_COMMAND_LINE} roothash={root_hash.hex()}".strip()
        program = work / "program.efi"
        atomic.create(program, uki.write(boot.stub, words, initrd, boot.kernel))
        disk_parts.make_esp(program, work / "esp.img", lock.epoch)
        images = (work / "esp.img", work / "root.img", work / "tree.img")
        disk_parts.assemble_disk(*images, root_hash, work / DISK)

    def _publish(self, lock: ImageLock, work: Path, units: tuple[str, ...]) -> ImageManifest:
        """Measure the disk as anybody would, and write it with its manifest and its lock."""
        self._tell("manifest: measuring the disk")
        facts = ImageFacts(
            name=self._recipe.name,
            version=self._recipe.version,
            lock_sha256=lock.sha256,
            packages=tuple(
                ImagePackage(name=each.name, version=each.version, architecture=each.architecture)
                for each in lock.packages
            ),
            units=units,
            containers=(),
        )
        with open_disk(work / DISK) as blocks:
            manifest = make(measure(blocks), facts)
        out = self._build.out
        try:
            out.mkdir(parents=True, exist_ok=True)
            disk_parts.publish_disk(work / DISK, out / DISK)
            write_lock(out / LOCK, lock)
            atomic.create(out / MANIFEST, dump(manifest), mode=atomic.OUTPUT)
        except BaseException as err:
            for name in (DISK, LOCK):
                (out / name).unlink(missing_ok=True)
            if isinstance(err, OSError):
                raise ImageNotBuilt(f"{out} cannot be written: {err.strerror}") from err
            raise
        return manifest


@contextmanager
def _work_folder(apart: Path, needed: int) -> Iterator[Path]:
    """A folder for the parts of the image: in memory if there is room, which saves half the time.

    apart: the folder that is taken otherwise.
    """
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= needed:
        with tempfile.TemporaryDirectory(prefix="ccgpu-image-", dir=_MEMORY) as name:
            Path(name).chmod(0o755)
            yield Path(name)
    else:
        apart.chmod(0o755)  # apt reads packages as a user without rights
        work = apart / "work"
        work.mkdir()
        yield work


def _require_free(out: Path) -> None:
    """Refuse to write over an image that is there."""
    for name in (DISK, MANIFEST, LOCK):
        if (out / name).exists():
            raise UsageProblem(
                f"{out / name} exists already", hint="name another folder: `--out DIR`"
            )
