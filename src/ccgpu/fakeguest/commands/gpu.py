"""`nvidia-smi`, with the exact texts of the driver.

Exit codes are those of NVML (nvml.h, nvmlReturn_t): 6 not found, 9 driver not loaded, 18 library
and driver mismatch.
"""

from ccgpu.fakeguest.commands.call import CommandTable, Ending, GuestCall, complaint, printed
from ccgpu.fakeguest.guest import GPU_NAME, VBIOS, Guest
from ccgpu.fakeguest.setup_run import MISMATCH, NOT_LOADED

_NO_DEVICES = "No devices were found"
_NOT_FOUND, _DRIVER_NOT_LOADED, _LIBRARY_MISMATCH = 6, 9, 18


def _nvidia_smi(call: GuestCall) -> Ending:
    guest = call.guest
    failure = _why_unusable(guest)
    if failure is not None:
        return failure
    plain = {(): _overview(guest), ("-L",): f"GPU 0: {GPU_NAME} (UUID: {guest.gpu_uuid})"}
    if call.argv[1:] in plain:
        return printed(plain[call.argv[1:]])
    match call.argv[1:]:
        case ("conf-compute", option):
            return _conf_compute(guest, option)
        case ("conf-compute", "-srs", value) if value in ("0", "1"):
            return _set_ready(call, ready=value == "1")
        case (query, "--format=csv,noheader") if query.startswith("--query-gpu="):
            return _query(guest, query.partition("=")[2].split(","))
        case _:
            return complaint(f"Invalid combination of input arguments: {' '.join(call.argv)}", 2)


def _why_unusable(guest: Guest) -> Ending | None:
    """The failure of every call while the driver or the GPU is not usable."""
    if guest.driver is None:
        return Ending(None)
    if not guest.has_gpu:
        return printed(_NO_DEVICES, _NOT_FOUND)
    if not guest.is_module_loaded:
        return printed(NOT_LOADED, _DRIVER_NOT_LOADED)
    if not guest.is_driver_usable:
        library = ".".join(guest.driver.split(".")[:2])
        return printed(f"{MISMATCH}\nNVML library version: {library}", _LIBRARY_MISMATCH)
    return None


def _conf_compute(guest: Guest, option: str) -> Ending:
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


def _set_ready(call: GuestCall, *, ready: bool) -> Ending:
    if call.user != "root":
        return complaint("Failed to set the GPUs ready state: Insufficient Permissions", 4)
    if not call.guest.is_confidential:
        return printed("No CC capable devices found", _NOT_FOUND)
    call.guest.set_ready(ready=ready)
    return printed(f"Successfully set the GPUs Ready State to {'ready' if ready else 'not-ready'}")


def _query(guest: Guest, names: list[str]) -> Ending:
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


def _overview(guest: Guest) -> str:
    version = guest.module_version
    mode = "On" if guest.is_persistent else "Off"
    return (
        f"| NVIDIA-SMI {version}    Driver Version: {version}    CUDA Version: 13.2 |\n"
        f"|   0  {GPU_NAME}    Persistence-M: {mode}    0MiB / 95830MiB |"
    )


GPU: CommandTable = {"nvidia-smi": _nvidia_smi}
