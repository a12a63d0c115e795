"""The packages of a guest: `dpkg-query` and `apt-mark showhold`."""

from fnmatch import fnmatchcase

from ccgpu.fakeguest.commands.call import CommandTable, Ending, GuestCall, complaint, printed
from ccgpu.fakeguest.guest import KERNEL, SimulatedGuest

_TOOLKIT = "1.20.1-1"


def installed(guest: SimulatedGuest) -> dict[str, str]:
    """Versions of the installed packages that matter here, by name."""
    found = {}
    for kernel in dict.fromkeys((KERNEL, guest.kernel)):
        version = _kernel_version(kernel)
        for kind in ("image", "modules", "headers"):
            found[f"linux-{kind}-{kernel}"] = version
        found["linux-azure-fde"] = found["linux-image-azure-fde"] = version
    if guest.driver is not None:
        branch, flavour = guest.branch, f"{guest.branch}-server-open"
        modules = f"linux-modules-nvidia-{flavour}"
        for kernel in dict.fromkeys((KERNEL, guest.kernel if guest.has_modules else KERNEL)):
            found[f"{modules}-{kernel}"] = f"{_kernel_version(kernel)}+1"
        found[f"{modules}-azure-fde"] = f"{_kernel_version(KERNEL)}+1"
        for name in (
            f"nvidia-driver-{flavour}",
            f"nvidia-kernel-common-{branch}-server",
            f"nvidia-utils-{branch}-server",
            f"nvidia-compute-utils-{branch}-server",
        ):
            found[name] = f"{guest.driver}-0ubuntu0.24.04.1"
    if guest.has_step("container-toolkit"):
        found["nvidia-container-toolkit"] = _TOOLKIT
    return found


def _kernel_version(kernel: str) -> str:
    return kernel.removesuffix("-azure-fde").replace("-", ".") + ".1"


def driver_package(guest: SimulatedGuest) -> str:
    """The upstream version of the driver's package; empty if it is not installed."""
    package = f"nvidia-driver-{guest.branch}-server-open"
    return installed(guest).get(package, "").partition("-")[0]


def set_up_holds(guest: SimulatedGuest) -> list[str]:
    """The packages that the set-up has put on hold: kernel and driver."""
    steps = {"updates": "linux-", "driver": "nvidia-"} if guest.setup else {}
    starts = tuple(start for step, start in steps.items() if guest.has_step(step))
    return [name for name in installed(guest) if name.startswith(starts)] if starts else []


def released(guest: SimulatedGuest) -> list[str]:
    """The packages that the set-up had put on hold, and that are not on hold any more."""
    steps = {"linux-": "kernel", "nvidia-": "driver"} if guest.settings["not_held"] else {}
    free = tuple(start for start, step in steps.items() if not guest.is_repaired(step))
    return sorted(name for name in set_up_holds(guest) if name.startswith(free)) if free else []


def held(guest: SimulatedGuest) -> list[str]:
    """The packages on hold: those of the set-up, and others."""
    ours = set(set_up_holds(guest)) - set(released(guest))
    return sorted({*ours, *guest.settings["held"]})


def _dpkg_query(call: GuestCall) -> Ending:
    """`dpkg-query -W -f=FORMAT PATTERN…`, the only form here."""
    given = [one for one in call.argv[1:] if one.startswith("-f=")]
    if call.argv[1:2] != ("-W",) or len(given) != 1:
        return complaint("dpkg-query: error: this simulated guest knows -W -f=FORMAT only", 2)
    patterns = [one for one in call.argv[2:] if not one.startswith("-f=")] or ["*"]
    lines = ""
    matched = set()
    for name, version in sorted(installed(call.guest).items()):
        hits = [one for one in patterns if fnmatchcase(name, one)]
        matched.update(hits)
        if hits:
            filled = given[0].removeprefix("-f=").replace("${Package}", name)
            filled = filled.replace("${Version}", version).replace(
                "${db:Status-Status}", "installed"
            )
            lines += filled.replace("\\n", "\n")
    missing = [one for one in patterns if one not in matched]
    err = "".join(f"dpkg-query: no packages found matching {one}\n" for one in missing)
    return Ending(1 if missing else 0, lines.encode(), err.encode())


def _apt_mark(call: GuestCall) -> Ending:
    if call.argv[1:] != ("showhold",):
        return complaint("E: this simulated guest knows apt-mark showhold only", 100)
    return printed("\n".join(held(call.guest)))


PACKAGES: CommandTable = {"dpkg-query": _dpkg_query, "apt-mark": _apt_mark}
