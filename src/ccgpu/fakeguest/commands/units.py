"""Units, the set-up's own script, and what a repair of the guest calls."""

from ccgpu.fakeguest.commands.call import (
    CommandTable,
    Ending,
    GuestCall,
    complaint,
    printed,
)
from ccgpu.fakeguest.drift import rerun_drift
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.fakeguest.workloads.runs import WorkloadRuns

_WORKLOAD = "ccgpu-workload-"
_DENIED = 4  # systemctl(1): the caller lacks the right
_NO_UNIT = 5  # systemctl(1): no such unit


def _systemctl(call: GuestCall) -> Ending:
    match call.argv[1:]:
        case ("is-system-running",):
            state = _system_state(call.guest)
            return printed(state, 0 if state == "running" else 1)
        case ("start" | "restart", *flags, unit) if all(one.startswith("-") for one in flags):
            return _start(call, unit.removesuffix(".service"), waits="--no-block" not in flags)
        case ("is-active", unit):
            running = unit.removesuffix(".service") in _active_units(call.guest)
            return printed("active", 0) if running else printed("inactive", 3)
        case _:
            return complaint("systemctl: not known to this simulated guest")


def _start(call: GuestCall, unit: str, *, waits: bool) -> Ending:
    guest = call.guest
    if call.user != "root":
        return complaint(f"Failed to start {unit}.service: Access denied", _DENIED)
    if unit in ("ccgpu-setup", "ccgpu-drift") and guest.wanted is None:
        return complaint(f"Failed to start {unit}.service: Unit not found.", _NO_UNIT)
    match unit:
        case "ccgpu-setup":
            seconds = guest.rerun_setup(again=False)
            return Ending(0, seconds=seconds if waits else 0.0)
        case "ccgpu-drift":
            rerun_drift(guest)
            return Ending(0)
        case "nvidia-persistenced" if guest.driver is not None:
            text = "Job for nvidia-persistenced.service failed."
            return Ending(0) if guest.is_driver_usable else complaint(text)
        case _:
            return complaint(f"Failed to start {unit}.service: Unit not found.", _NO_UNIT)


def _active_units(guest: SimulatedGuest) -> list[str]:
    active = ["ssh", "walinuxagent"]
    active += ["nvidia-persistenced"] if guest.is_persistent else []
    runs = WorkloadRuns(guest).all().values()
    active += [f"{_WORKLOAD}{one.name}" for one in runs if one.state(guest.now).name == "running"]
    return active + (["docker"] if guest.has_step("docker") else [])


def _system_state(guest: SimulatedGuest) -> str:
    if guest.cloud_init == "running" or (guest.setup and guest.setup.state == "running"):
        return "starting"
    failed = guest.cloud_init == "error" or (guest.setup and guest.setup.state == "failed")
    return "degraded" if failed else "running"


def _setup(call: GuestCall) -> Ending:
    """The set-up's script itself; `--again` runs finished steps too."""
    if call.guest.wanted is None or call.argv[1:] not in ((), ("--again",)):
        return Ending(None)
    if call.user != "root":
        return complaint("/usr/local/lib/ccgpu/setup: Permission denied", 126)
    return Ending(0, seconds=call.guest.rerun_setup(again=call.argv[1:] == ("--again",)))


def _apt_get(call: GuestCall) -> Ending:
    if call.argv[1:] != ("clean",):
        return complaint("E: this simulated guest knows apt-get clean only", 100)
    call.guest.free_space()
    return Ending(0)


def _journalctl(call: GuestCall) -> Ending:
    """`--vacuum-size=SIZE`, or the log of a workload's unit."""
    match [word for word in call.argv[1:] if word not in ("--no-pager", "-o", "cat")]:
        case [word] if word.startswith("--vacuum-size="):
            return Ending(0)
        case ["-u", unit] if unit.startswith(_WORKLOAD):
            name = unit.removeprefix(_WORKLOAD).removesuffix(".service")
            run = WorkloadRuns(call.guest).all().get(name)
            lines = ["-- No entries --"] if run is None else run.log(call.guest.now)
            return printed("\n".join(lines))
        case _:
            known = "--vacuum-size=SIZE and -u ccgpu-workload-NAME"
            return complaint(f"journalctl: this simulated guest knows {known} only")


UNITS: CommandTable = {
    "systemctl": _systemctl,
    "/usr/local/lib/ccgpu/setup": _setup,
    "apt-get": _apt_get,
    "journalctl": _journalctl,
}
