"""The GPU driver of an image: which packages it is, and what the image needs besides them."""

import json

from ccgpu.domain.drivers import Driver
from ccgpu.domain.image_driver import (
    CDI_FILE,
    HOOK,
    NEEDED,
    PROGRAMS,
    TOOLS,
    cdi_document,
    driver_packages,
    fitting_version,
    source_of,
)
from ccgpu.errors import ImageNotBuilt
from ccgpu.imaging.resolve import PrivateApt
from ccgpu.imaging.root_contents import tree_files
from ccgpu.imaging.tree import RootTree

UNITS = ("ccgpu-gpu.service", "nvidia-persistenced.service")
_LIBRARIES = "/usr/lib/x86_64-linux-gnu"


def select_packages(apt: PrivateApt, driver: Driver, kernel: str) -> tuple[str, list[str]]:
    """The package of the modules, and those to install, each with its version as apt takes it.

    kernel: the package of the kernel.

    Raises:
        ImageNotBuilt: the sources lack a package, or have it in other versions.
    """
    wanted = driver_packages(driver, kernel)
    offered = apt.versions([wanted.modules, *wanted.userspace, wanted.modprobe, *TOOLS])
    missing = [name for name, versions in offered.items() if not versions]
    if missing:
        named = "; ".join(f"{name} ({source_of(name)})" for name in missing)
        raise ImageNotBuilt(
            f"the sources of the recipe lack packages of driver {driver.version}: {named}",
            hint="name a source that has them in distribution.sources, and a kernel that the "
            "modules are for in kernel",
        )
    starts = dict.fromkeys(wanted.userspace, f"{driver.version}-")
    pinned = list(TOOLS)
    for name, start in {**starts, wanted.modprobe: f"{driver.branch}."}.items():
        version = fitting_version(start, offered[name])
        if version is None:
            have = ", ".join(offered[name])
            raise ImageNotBuilt(
                f"the sources of the recipe have {name} {have}, not of {driver.version}",
                hint="only a driver with a published manifest can be attested: `ccgpu drivers`",
            )
        pinned.append(f"{name}={version}")
    return wanted.modules, pinned


def add_driver(root: RootTree, driver: Driver, kernel: str) -> tuple[str, ...]:
    """Add what the packages do not bring; returns the units that start at boot.

    kernel: its version, as its modules have it.

    Raises:
        ImageNotBuilt: the modules are of another driver, or a part is missing.
    """
    found = root.run("modinfo", "-k", kernel, "-F", "version", "nvidia").decode().strip()
    if found != driver.version:
        raise ImageNotBuilt(
            f"the modules for kernel {kernel} are of driver {found}, not {driver.version}",
            hint="name a kernel in the recipe for which there are modules of that driver",
        )
    names = list(root.names([f"{_LIBRARIES}/lib*.so.{driver.version}"]))
    lacking = [each for each in NEEDED if f"{each}.{driver.version}" not in names]
    lacking += [each for each in (HOOK, "/usr/bin/nvidia-modprobe") if not root.exists(each)]
    if lacking:
        raise ImageNotBuilt(f"the packages of driver {driver.version} have no {lacking[0]}")
    for path, data in tree_files("driver"):
        root.write(path, data)
    programs = [each for each in PROGRAMS if root.exists(each)]
    libraries = [f"{_LIBRARIES}/{name}" for name in names]
    document = cdi_document(driver.version, libraries, programs)
    root.write(CDI_FILE, json.dumps(document, indent=1).encode() + b"\n")
    places = ("/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system")
    return tuple(unit for unit in UNITS if any(root.exists(f"{place}/{unit}") for place in places))
