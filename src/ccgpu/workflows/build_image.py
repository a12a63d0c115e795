"""Builds a measured image: a recipe and a lock become a disk and its manifest.

The same recipe, lock and programs make the same bytes. Nothing is left of a build that fails.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ccgpu.domain.apt_sources import AptSource, parse_line
from ccgpu.domain.built_image import DISK, LOCK, MANIFEST, BuiltImage
from ccgpu.domain.drivers import Driver
from ccgpu.domain.events import Event, Listener
from ccgpu.domain.image_lock import (
    SCHEMA,
    ImageLock,
    LockedContainer,
    LockedPackage,
    asked_packages,
    locks_containers_of,
)
from ccgpu.domain.image_manifest import (
    ImageContainer,
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
from ccgpu.imaging import (
    container_store,
    disk_parts,
    gpu_driver,
    kernel_modules,
    root_base,
    root_contents,
)
from ccgpu.imaging.container_cache import ContainerCache
from ccgpu.imaging.initrd import make_initrd
from ccgpu.imaging.packages import PackageCache, installed_size
from ccgpu.imaging.programs import program_versions, require_programs
from ccgpu.imaging.resolve import PrivateApt, machine_sources
from ccgpu.imaging.tree import RootTree
from ccgpu.store import atomic, driver_table
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
_UNPACKED = 3  # times the size of a container image's blobs, about


@dataclass(frozen=True, slots=True)
class ImageBuild:
    """One build. cache: the folder of `packages` and `containers`. now: seconds since 1970."""

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
        driver = self._driver(recipe)
        locked = self._existing_lock(recipe, driver)
        require_programs(containers=bool(recipe.containers))
        _require_free(self.out)
        steps = _Steps(self, recipe, driver, began)
        with tempfile.TemporaryDirectory(prefix="ccgpu-image-") as name:
            lock = steps.lock(locked, Path(name))
            manifest = steps.build(lock, Path(name))
        return BuiltImage(manifest, str(self.out), self.now() - began)

    def _driver(self, recipe: ImageRecipe) -> Driver | None:
        """The driver of the recipe, by the table that set-ups use, too."""
        try:
            return driver_table.shipped().resolve(recipe.driver) if recipe.driver else None
        except ValueError as err:
            raise InvalidFile(str(self.recipe_file), [Problem("driver", str(err))]) from err

    def _existing_lock(self, recipe: ImageRecipe, driver: Driver | None) -> ImageLock | None:
        if self.lock_file is None or not self.lock_file.exists():
            return None
        lock = read_lock(self.lock_file)
        wanted = (recipe.distribution.suite, asked_packages(recipe), driver and driver.version)
        if (lock.suite, lock.asked, lock.driver) != wanted:
            message = f"locks the packages of another recipe than {self.recipe_file}"
            hint = "name another lock file, or remove it to resolve the packages anew"
            raise InvalidFile(str(self.lock_file), [Problem("asked", message)], hint=hint)
        if not locks_containers_of(lock, recipe):
            message = f"locks the container images of another recipe than {self.recipe_file}"
            hint = "name another lock file, or remove it to resolve all anew"
            raise InvalidFile(str(self.lock_file), [Problem("containers", message)], hint=hint)
        return lock


class _Steps:
    """The steps of a build."""

    def __init__(
        self, build: ImageBuild, recipe: ImageRecipe, driver: Driver | None, began: float
    ) -> None:
        self._build, self._recipe, self._driver, self._began = build, recipe, driver, began
        self._cache = PackageCache(build.cache / "packages")
        self._containers = ContainerCache(build.cache / "containers")

    def _tell(self, text: str) -> None:
        self._build.listen(Event("note", self._build.now() - self._began, text))

    def lock(self, locked: ImageLock | None, work: Path) -> ImageLock:
        """The lock of this build; its packages are in the cache."""
        if locked is not None:
            self._tell_versions(locked)
            self._tell(f"packages: {len(locked.packages)} of the lock")
            self._cache.fetch_locked(locked.packages, self._all_sources(), work / "fetched")
            self._fetch_containers(work)
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
        engine = container_store.ENGINE if self._recipe.containers else ()
        wanted = sorted({*root_base.BASE, *engine, *self._recipe.packages})
        boot_names = [
            kernel,
            *apt.part_modules(kernel),
            root_base.STUB_PACKAGE,
            root_base.BUSYBOX_PACKAGE,
        ]
        if self._driver is not None:
            modules, packages = gpu_driver.select_packages(apt, self._driver, kernel)
            boot_names, wanted = [*boot_names, modules], [*wanted, *packages]
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
            driver=self._driver and self._driver.version,
            containers=self._fetch_containers(work),
        )

    def _fetch_containers(self, work: Path) -> tuple[LockedContainer, ...]:
        """Have the container images of the recipe in the cache."""
        wanted, beside = self._recipe.containers, self._build.recipe_file.parent
        if wanted:
            self._tell(f"containers: {len(wanted)} images, from the cache or their registries")
        return tuple(
            self._containers.fetch(each, beside, work / f"container-{number}")
            for number, each in enumerate(wanted)
        )

    def _tell_versions(self, lock: ImageLock) -> None:
        for name, version in program_versions().items():
            if lock.programs.get(name) != version:
                was = lock.programs.get(name, "unknown")
                self._tell(f"warning: {name} is {version} here and was {was}: the bytes may differ")

    def build(self, lock: ImageLock, apart: Path) -> ImageManifest:
        """Build the disk from the packages in the cache, and write it with its manifest."""
        installed = installed_size(lock.of_use("root"), self._cache)
        needed = _ROOM * (installed + _UNPACKED * self._containers.size(lock.containers))
        with _work_folder(apart, needed) as work:
            self._tell(f"root: installing {len(lock.of_use('root'))} packages")
            root = root_base.install_packages(lock, self._cache, work, {})
            boot = root_base.unpack_boot(lock, self._cache, root, work)
            self._tell("root: adding files and units, taking away what is of this build")
            root_contents.trim(root)
            folder, of_boot = self._build.recipe_file.parent, _as_packages(lock.of_use("boot"))
            self._add_containers(lock, root, work)
            more = gpu_driver.add_driver(root, self._driver, boot.version) if self._driver else ()
            units = root_contents.add_contents(root, self._recipe, folder, of_boot, more)
            self._tell("initrd: busybox, veritysetup and the kernel's modules")
            modules = kernel_modules.read_modules(root, boot.version)
            initrd = make_initrd(root, boot.busybox, modules)
            self._tell("disk: root file system, hash tree and boot program")
            self._make_disk(lock, work, boot, initrd)
            return self._publish(lock, work, units)

    def _add_containers(self, lock: ImageLock, root: RootTree, work: Path) -> None:
        if lock.containers:
            self._tell(f"containers: unpacking {len(lock.containers)} images")
            tags = [each.reference for each in self._recipe.containers]
            parts = (lock.containers, tags, self._containers, work / "containers", lock.epoch)
            container_store.write_store(root, *parts)

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
            packages=_as_packages(lock.packages),
            units=units,
            containers=tuple(
                ImageContainer(reference=each.repository, digest=each.digest)
                for each in lock.containers
            ),
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


def _as_packages(locked: Iterable[LockedPackage]) -> tuple[ImagePackage, ...]:
    return tuple(
        ImagePackage(name=each.name, version=each.version, architecture=each.architecture)
        for each in locked
    )


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
