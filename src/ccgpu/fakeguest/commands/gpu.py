"""`nvidia-smi`, with the exact texts of the driver.

Exit codes are those of NVML (nvml.h, nvmlReturn_t): 6 not found, 9 driver not loaded, 18 library
and driver mismatch.
"""

from ccgpu.fakeguest.commands.call import CommandTable, Ending, complaint, printed
from ccgpu.fakeguest.guest import GPU_NAME, VBIOS, SimulatedGuest

_NOT_LOADED = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that "
    "the latest NVIDIA driver is installed and running."
)
_MISMATCH = "Failed to initialize NVML: Driver/Library version mismatch"
_NO_DEVICES = "No devices were found"
_NOT_FOUND, _DRIVER_NOT_LOADED, _LIBRARY_MISMATCH = 6, 9, 18


def run_smi(guest: SimulatedGuest, arguments: tuple[str, ...], user: str = "root") -> Ending:
    """`nvidia-smi` with these arguments."""
    failure = _why_unusable(guest)
    if failure is not None:
        return failure
    plain = {(): _overview(guest), ("-L",): f"GPU 0: {GPU_NAME} (UUID: {guest.gpu_uuid})"}
    if arguments in plain:
        return printed(plain[arguments])
    match arguments:
        case ("conf-compute", "-srs", value) if value in ("0", "1"):
            return _set_ready(guest, user, ready=value == "1")
        case ("conf-compute", option):
            return _conf_compute(guest, option)
        case (query, "--format=csv,noheader") if query.startswith("--query-gpu="):
            return _query(guest, query.partition("=")[2].split(","))
        case _:
            return complaint(f"Invalid combination of input arguments: {' '.join(arguments)}", 2)


def _why_unusable(guest: SimulatedGuest) -> Ending | None:
    """The failure of every call while the driver or the GPU is not usable."""
    if guest.driver is None:
        return Ending(None)
    if not guest.has_gpu:
        return printed(_NO_DEVICES, _NOT_FOUND)
    if not guest.is_module_loaded:
        return printed(_NOT_LOADED, _DRIVER_NOT_LOADED)
    if not guest.is_driver_usable:
        library = ".".join(guest.driver.split(".")[:2])
        return printed(f"{_MISMATCH}\nNVML library version: {library}", _LIBRARY_MISMATCH)
    return None


def _conf_compute(guest: SimulatedGuest, option: str) -> Ending:
    on = guest.is_confidential
    devtools = guest.settings["gpu"] == "devtools"
    state = "ready" if guest.is_ready else "not-ready"
    texts = {
        "-f": f"CC status: {'ON' if on else 'OFF'}",
        "-e": f"CC Environment: {'PRODUCTION' if on else 'UNAVAILABLE'}",
        "-d": f"DevTools Mode: {'ON' if devtools else 'OFF'}",
        "-grs": f"Confidential Compute GPUs Ready state: {state}",
        "-q": _details(on=on, ready=guest.is_ready),
    }
    if option not in texts:
        return complaint(f"Invalid conf-compute option: {option}", 2)
    return printed(texts[option])


def _details(*, on: bool, ready: bool) -> str:
    rows = {
        "CC State": "ON" if on else "OFF",
        "Multi-GPU Mode": "None",
        "CPU CC Capabilities": "AMD SEV-SNP(vTOM Mode)",
        "GPU CC Capabilities": "CC Capable",
        "CC GPUs Ready State": "Ready" if ready else "Not Ready",
    }
    lines = [f"    {name:<32} : {value}" for name, value in rows.items()]
    return "\n".join(["", "==============NVSMI CONF-COMPUTE LOG==============", "", *lines])


def _set_ready(guest: SimulatedGuest, user: str, *, ready: bool) -> Ending:
    if user != "root":
        return complaint("Failed to set the GPUs ready state: Insufficient Permissions", 4)
    if not guest.is_confidential:
        return printed("No CC capable devices found", _NOT_FOUND)
    guest.set_ready(ready=ready)
    return printed(f"Successfully set the GPUs Ready State to {'ready' if ready else 'not-ready'}")


def _query(guest: SimulatedGuest, names: list[str]) -> Ending:
    values = {
        "name": GPU_NAME,
        "driver_version": guest.module_version,
        "vbios_version": VBIOS,
        "persistence_mode": "Enabled" if guest.is_persistent else "Disabled",
        "uuid": guest.gpu_uuid,
        "memory.total": "95830 MiB",
    }
    unknown = [name for name in names if name not in values]
    if unknown:
        return complaint(f'Field "{unknown[0]}" is not a valid field to query.', 2)
    return printed(", ".join(values[name] for name in names))


def last_line(guest: SimulatedGuest, *arguments: str) -> str:
    """The last line that `nvidia-smi` prints, whether or not it succeeds."""
    ending = run_smi(guest, arguments)
    lines = (ending.stdout + ending.stderr).decode().split("\n")
    return next((line for line in reversed(lines) if line.strip()), "")


def query(guest: SimulatedGuest, name: str) -> str:
    """All that a query for one value prints, on one line."""
    ending = run_smi(guest, (f"--query-gpu={name}", "--format=csv,noheader"))
    return " ".join((ending.stdout + ending.stderr).decode().split("\n")).strip()


def _overview(guest: SimulatedGuest) -> str:
    version = guest.module_version
    mode = "On" if guest.is_persistent else "Off"
    return (
        f"| NVIDIA-SMI {version}    Driver Version: {version}    CUDA Version: 13.2 |\n"
        f"|   0  {GPU_NAME}    Persistence-M: {mode}    0MiB / 95830MiB |"
    )


GPU: CommandTable = {
    "nvidia-smi": lambda call: run_smi(call.guest, call.argv[1:], call.user),
}
