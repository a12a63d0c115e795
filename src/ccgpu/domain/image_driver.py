"""The GPU driver of a measured image: its packages, and the device that containers ask for.

The names are those of Ubuntu's archive, which the set-up of a VM installs, too
(`templates/guest/files`, steps 03-kernel and 05-driver): modules that Canonical builds of NVIDIA's
open sources, and NVIDIA's userspace of the same version. The device is described as CDI has it
(Container Device Interface, SPEC.md 0.6.0): `nvidia.com/gpu=all`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ccgpu.domain.drivers import Driver

TOOLS = ("nvidia-container-toolkit-base",)  # NVIDIA's; /usr/bin/nvidia-cdi-hook is in it
CDI_FILE = "/etc/cdi/nvidia.json"
HOOK = "/usr/bin/nvidia-cdi-hook"
NEEDED = ("libnvidia-ml.so", "libcuda.so")  # what every use of the GPU needs
_NODES = ("nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
PROGRAMS = ("/usr/bin/nvidia-smi", "/usr/bin/nvidia-debugdump", "/usr/bin/nvidia-persistenced")
_SOURCES = {
    "linux-modules-nvidia": "Ubuntu's component restricted has it, for its own kernels",
    "nvidia-container-toolkit": "NVIDIA's source of the container toolkit has it",
}
_DRIVER_SOURCE = "Ubuntu's component restricted, or multiverse, has it"


@dataclass(frozen=True, slots=True)
class DriverPackages:
    """The packages of a driver. kernel: the package of the kernel that its modules are for.

    modules: unpacked beside the kernel; their version begins with the kernel's, and `modinfo` of
    them tells the driver's. userspace: installed, in exactly this version. modprobe: of the branch.
    """

    version: str
    modules: str
    userspace: tuple[str, ...]
    modprobe: str


def driver_packages(driver: Driver, kernel: str) -> DriverPackages:
    """The packages of a driver for a kernel's package, such as `linux-image-6.8.0-1025-azure`."""
    branch = f"{driver.branch}-server"
    release = kernel.removeprefix("linux-image-").removeprefix("unsigned-")
    return DriverPackages(
        driver.version,
        f"linux-modules-nvidia-{branch}-open-{release}",
        (
            *(f"libnvidia-cfg1-{branch}", f"libnvidia-compute-{branch}"),
            *(f"nvidia-compute-utils-{branch}", f"nvidia-kernel-common-{branch}"),
            f"nvidia-utils-{branch}",
        ),
        "nvidia-modprobe",
    )


def source_of(package: str) -> str:
    """Which source has a package that the recipe's sources lack, in words."""
    found = (words for start, words in _SOURCES.items() if package.startswith(start))
    return next(found, _DRIVER_SOURCE)


def fitting_version(start: str, offered: Sequence[str]) -> str | None:
    """The first offered version of a package that begins so, after its epoch."""
    found = (each for each in offered if each.rpartition(":")[2].startswith(start))
    return next(found, None)


def cdi_document(version: str, libraries: Sequence[str], programs: Sequence[str]) -> dict[str, Any]:
    """The CDI file: every GPU with the driver's files. libraries: paths of `lib*.so.VERSION`."""
    folders = dict.fromkeys(each.rpartition("/")[0] for each in libraries)
    hook = ["nvidia-cdi-hook", "update-ldcache"]
    for folder in folders:
        hook += ["--folder", folder]
    return {
        "cdiVersion": "0.6.0",
        "kind": "nvidia.com/gpu",
        "annotations": {"driver": version},
        "containerEdits": {
            "env": ["NVIDIA_VISIBLE_DEVICES=void"],  # no other hook is to add the GPU again
            "deviceNodes": [{"path": f"/dev/{node}"} for node in _NODES],
            "hooks": [{"hookName": "createContainer", "path": HOOK, "args": hook}],
            "mounts": [_mount(path) for path in (*libraries, *programs)],
        },
        "devices": [{"name": "all", "containerEdits": {"env": ["CCGPU_GPU=all"]}}],
    }


def _mount(path: str) -> dict[str, Any]:
    options = ["ro", "nosuid", "nodev", "bind"]
    return {"hostPath": path, "containerPath": path, "options": options}
