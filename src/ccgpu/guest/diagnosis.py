"""What `ccgpu doctor NAME` looks at besides readiness, and what it can mend. Pure.

A fix is safe: it installs, mounts or starts what the set-up has left, and deletes nothing but
caches. Nothing here changes the GPU's ready state or anything that the host decides.
"""

from dataclasses import dataclass

from ccgpu.domain.guest_tag import live_guest
from ccgpu.domain.resource import Body
from ccgpu.domain.vm_view import properties
from ccgpu.guest.readiness import GuestCheck, GuestExpectations, GuestState, assess_guest
from ccgpu.guest.report import GuestReport

# Bytes. A driver update with its kernel needs about 2 GB; logs and containers need more.
LOW_SPACE, NO_SPACE = 10 * 1024**3, 1024**3

# How the packages are named that a set-up holds: kernel, driver, and what boots them.
_SET_UP_PACKAGES = ("linux-", "nvidia-", "libnvidia-", "nullboot", "shim")


@dataclass(frozen=True, slots=True)
class Fix:
    """A safe remedy: what it does, in words, and the commands that are run as root."""

    what: str
    commands: tuple[tuple[str, ...], ...]


_SET_UP_AGAIN = Fix(
    "run every step of the set-up again; a step changes only what is not as it should be",
    (
        ("/usr/local/lib/ccgpu/setup", "--again"),
        ("systemctl", "restart", "ccgpu-drift.service"),
    ),
)
FIXES = {
    "set-up": _SET_UP_AGAIN,
    "driver": _SET_UP_AGAIN,
    "drift": _SET_UP_AGAIN,
    "holds": _SET_UP_AGAIN,
    "gpu": Fix(
        "start the persistence daemon",
        (("systemctl", "start", "nvidia-persistenced.service"),),
    ),
    "space": Fix(
        "delete the package cache, and old entries of the journal",
        (("apt-get", "clean"), ("journalctl", "--vacuum-size=200M")),
    ),
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The checks of a guest, the fixes that would apply to it, and those that were applied."""

    name: str
    checks: tuple[GuestCheck, ...]
    fixes: tuple[Fix, ...]
    applied: tuple[Fix, ...] = ()


def diagnose(report: GuestReport, wanted: GuestExpectations) -> list[GuestCheck]:
    """The checks of readiness, then those of what will go wrong later."""
    return [
        *assess_guest(report, wanted),
        check_holds(report, wanted),
        check_updates(report),
        check_space(report),
        check_swap(report),
    ]


def check_holds(report: GuestReport, wanted: GuestExpectations) -> GuestCheck:
    """Whether kernel and driver are held, so that no update parts them."""
    if not wanted.set_up:
        return GuestCheck("holds", GuestState.READY, "the image's own")
    kinds = {"kernel": ("linux-",), "driver": ("nvidia-", "libnvidia-")}
    missing = [
        name
        for name, starts in kinds.items()
        if not any(held.startswith(starts) for held in report.held)
    ]
    if missing:
        names = " and ".join(missing)
        message = f"{names} not held: an automatic update can part kernel and driver"
        return GuestCheck("holds", GuestState.WARNING, message, "`ccgpu doctor {name} --fix`")
    return GuestCheck("holds", GuestState.READY, f"{len(report.held)} packages are held")


def check_updates(report: GuestReport) -> GuestCheck:
    """Whether other packages than the set-up's are held: those get no security updates."""
    ours = report.set_up_holds
    others = [
        name
        for name in report.held
        if not (name.startswith(_SET_UP_PACKAGES) if ours is None else name in ours)
    ]
    if not others:
        return GuestCheck("updates", GuestState.READY, "no other package is held")
    names = " ".join(others)
    return GuestCheck(
        "updates",
        GuestState.WARNING,
        f"held by somebody, and so without security updates: {names}",
        f"`ccgpu exec {{name}} -- sudo apt-mark unhold {names}`",
    )


def check_space(report: GuestReport) -> GuestCheck:
    """Whether the OS disk has room."""
    free = report.root_free
    if free is None:
        return GuestCheck("space", GuestState.WARNING, "cannot tell how full the OS disk is")
    told = f"{free / 1024**3:.1f} GiB free on the OS disk"
    remedy = "`ccgpu doctor {name} --fix` deletes caches; or create with a larger `--os-disk-gib`"
    if free < NO_SPACE:
        return GuestCheck("space", GuestState.FAILED, told, remedy)
    state = GuestState.WARNING if free < LOW_SPACE else GuestState.READY
    return GuestCheck("space", state, told, remedy if free < LOW_SPACE else None)


def check_swap(report: GuestReport) -> GuestCheck:
    """Whether memory can reach a disk that the host reads."""
    if report.plain_swaps is None:
        return GuestCheck("swap", GuestState.WARNING, "cannot tell whether there is a swap area")
    if report.plain_swaps:
        names = ", ".join(report.plain_swaps)
        message = f"{names} is not encrypted: the host can read what is swapped out"
        return GuestCheck(
            "swap", GuestState.FAILED, message, "`ccgpu exec {name} -- sudo swapoff -a`"
        )
    return GuestCheck("swap", GuestState.READY, "none, or encrypted")


def check_manifest(warnings: tuple[str, ...]) -> GuestCheck:
    """Whether the driver can be attested, and for how long, by ccgpu's table of drivers."""
    if warnings:
        remedy = "`ccgpu drivers` lists those that can; `ccgpu create {name} --replace --driver …`"
        return GuestCheck("manifest", GuestState.WARNING, "; ".join(warnings), remedy)
    return GuestCheck("manifest", GuestState.READY, "the driver can be attested")


def check_extensions(vm: Body) -> GuestCheck:
    """Whether Azure lets extensions and Run Command into a VM that is locked down, by its GET."""
    profile = properties(vm).get("osProfile") or {}
    is_open = profile.get("allowExtensionOperations", True) is not False
    if not live_guest(vm).get("lockdown"):
        return GuestCheck("extensions", GuestState.READY, f"{_allowed(is_open)}, as asked for")
    if is_open:
        message = f"{_allowed(is_open)} at Azure, although guest.lockdown is true"
        remedy = f"`az vm update --ids {vm['id']} --set osProfile.allowExtensionOperations=false`"
        return GuestCheck("extensions", GuestState.WARNING, message, remedy)
    return GuestCheck("extensions", GuestState.READY, _allowed(is_open))


def _allowed(is_open: bool) -> str:
    return "allowed" if is_open else "not allowed"


def fixes_for(report: GuestReport, checks: list[GuestCheck]) -> list[Fix]:
    """The safe fixes of the checks that are not good, each once, in the order of the checks."""
    if report.setup is not None and report.setup.state == "failed":
        return [_SET_UP_AGAIN]
    bad = [one.step for one in checks if one.state in (GuestState.FAILED, GuestState.WARNING)]
    return list(dict.fromkeys(FIXES[step] for step in bad if step in FIXES))
