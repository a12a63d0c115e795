"""The packages that a guest installs, without content, as Ubuntu and NVIDIA have them.

Beside each there is one that must not be taken: newer than the pin, or from the other source.
"""

from pathlib import Path

from support.gpu_machine import KERNEL
from support.packages import Package, SigningKey, source

MODULES = f"linux-modules-nvidia-595-server-open-{KERNEL}"
DRIVER = "nvidia-driver-595-server-open"
IMAGE = f"linux-image-{KERNEL}"
WANTED, NEWER = "595.71.05-0ubuntu0.24.04.1", "595.84.01-0ubuntu0.24.04.1"
LIBRARY = "libexample1"
TOOLKIT = (
    "nvidia-container-toolkit-base",
    "libnvidia-container1",
    "libnvidia-container-tools",
    "nvidia-container-toolkit",
)
_UNIT = "[Unit]\nDescription={0}\n[Service]\n{1}\n[Install]\nWantedBy=multi-user.target\n"
_DAEMON = "#!/bin/sh\nexec sleep infinity\n"
# As NVIDIA's own, it is active only once the module is loaded.
_LOADS = "ExecStartPre=-/usr/local/sbin/modprobe nvidia\nExecStart=/usr/bin/nvidia-persistenced"
_LIB = "usr/lib/systemd/system"


def installed() -> list[Package]:
    """What an image has before the set-up."""
    return [
        Package(IMAGE, "6.8.0-1066.73"),
        Package("linux-libc-dev", "6.8.0-200.200"),
        Package(LIBRARY, "1.0"),
    ]


def _ubuntu() -> list[Package]:
    found = []
    for version in (WANTED, NEWER):
        utilities = Package(
            "nvidia-compute-utils-595-server",
            version,
            files={
                "usr/bin/nvidia-persistenced": _DAEMON,
                f"{_LIB}/nvidia-persistenced.service": _UNIT.format("NVIDIA", _LOADS),
            },
            configure="id nvidia-persistenced >/dev/null 2>&1 || useradd -r nvidia-persistenced",
        )
        found += [utilities, Package(DRIVER, version, f"{utilities.name} (= {version})")]
    modules = {f"lib/modules/{KERNEL}/nvidia.version": "595.71.05\n"}
    docker = _UNIT.format("docker", "ExecStart=/bin/sleep infinity")
    return [
        *found,
        Package(MODULES, "6.8.0-1066.73", files=modules),
        Package("linux-modules-nvidia-595-server-open-azure-fde", "6.8.0-1066.73", MODULES),
        Package("docker.io", "28.2.2-0ubuntu1", files={f"{_LIB}/docker.service": docker}),
    ]


def _security() -> list[Package]:
    return [
        Package(LIBRARY, "1.1"),
        Package("linux-libc-dev", "6.8.0-201.201"),
        Package(IMAGE, "6.8.0-1066.99"),
        Package(MODULES, "6.8.0-1066.99"),
        Package(DRIVER, "595.99.01-0ubuntu0.24.04.1"),
        Package("nvidia-container-toolkit", "1.99.0-1"),
    ]


def _cuda() -> list[Package]:
    return [
        Package("nvidia-modprobe", "595.71.05-1ubuntu1"),
        Package("nvidia-modprobe", "610.10.01-1ubuntu1"),
        Package(DRIVER, WANTED.replace("0ubuntu0", "9nvidia9")),
        Package("docker.io", "99.0"),
    ]


def _toolkit() -> list[Package]:
    refresh = {
        f"{_LIB}/nvidia-cdi-refresh.service": _UNIT.format(
            "CDI", "Type=oneshot\nExecStart=/bin/true"
        ),
        f"{_LIB}/nvidia-cdi-refresh.path": (
            "[Path]\nPathChanged=/etc/x\n[Install]\nWantedBy=multi-user.target\n"
        ),
    }
    found = [Package("docker.io", "98.0")]
    for version in ("1.20.1-1", "1.21.0-1"):
        found += [
            Package(name, version, files=refresh if "base" in name else {}) for name in TOOLKIT
        ]
    return found


def build(folder: Path, key: SigningKey) -> None:
    """Make the sources in `folder`: installed, ubuntu, security, cuda and toolkit."""
    work = folder / "work"
    ours = {"Origin": "Ubuntu", "Codename": "noble"}
    updates = {"Origin": "Debian", "Label": "Debian-Security", "Codename": "bookworm-security"}
    source(folder / "installed", installed(), key, work)
    source(folder / "ubuntu", _ubuntu(), key, work, **ours)
    source(folder / "security", _security(), key, work, **updates, Suite="stable-security")
    source(folder / "cuda", _cuda(), key, work, Origin="NVIDIA")
    source(folder / "toolkit", _toolkit(), key, work, Origin="NVIDIA")
