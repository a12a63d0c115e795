"""Whether the guest is ready for use, from its report. Pure.

Every check is made and listed; the first that is not good decides. A value that is unknown is not
good. Ready means prepared: it says nothing about trust, which only an accepted verdict does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ccgpu.guest.report import GuestReport, SetupStatus


class GuestState(StrEnum):
    """Whether the guest is ready, needs attention later, is still working, or has failed."""

    READY = "ready"
    WARNING = "warning"
    WORKING = "working"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class GuestExpectations:
    """What a ready guest must be.

    set_up: ccgpu sets it up at first boot; False for a prebuilt image. secure_boot: only signed
    code boots. ready_at_boot: the GPU's ready state is set without a verdict. temp_disk_encrypted:
    the temporary disk has to be on dm-crypt. custom_data_sha256: hex digest of the customData that
    was sent; None if unknown.
    """

    set_up: bool = True
    secure_boot: bool = True
    ready_at_boot: bool = False
    temp_disk_encrypted: bool = True
    custom_data_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class GuestCheck:
    """One check of the guest: the step it belongs to, its outcome, and what to do."""

    step: str
    state: GuestState
    message: str
    remedy: str | None = None


Check = Callable[[GuestReport, GuestExpectations], GuestCheck]

_LOGS = "`ccgpu logs {name} --setup` shows the log"
_CONSOLE = "`ccgpu logs {name} --serial` shows the console"
_DRIVER = "`ccgpu doctor {name} --fix` installs the matching packages"
_HOST = "the host sets it, not the guest: delete the VM and create it again, or ask Azure's support"
_RECREATE = "`ccgpu create {name} --replace` makes a new VM"
_CRYPTOGRAPHY = "`ccgpu exec {name} -- sudo apt-get install -y python3-cryptography`"


_CLOUD_INIT_ENDED = ("done", "disabled")
# What the host decides, by its name in the guest's list of drift; no package mends it.
_SET_BY_HOST = {"cc-status", "cc-environment"}


def _ready(step: str, message: str) -> GuestCheck:
    return GuestCheck(step, GuestState.READY, message)


def _working(step: str, message: str) -> GuestCheck:
    return GuestCheck(step, GuestState.WORKING, message)


def _failed(step: str, message: str, remedy: str) -> GuestCheck:
    return GuestCheck(step, GuestState.FAILED, message, remedy)


def check_cloud_init(report: GuestReport, wanted: GuestExpectations) -> GuestCheck:
    """Whether cloud-init has ended. The set-up disables it for later boots."""
    step, status = "cloud-init", report.cloud_init
    has_begun = report.setup is not None or not wanted.set_up
    if status == "done" or (status == "disabled" and has_begun):
        return _ready(step, "has ended")
    if status in ("running", "not run", "not started"):
        return _working(step, f"is {status}")
    errors = "; ".join(report.cloud_init_errors) or "it names no error"
    return _failed(step, f"ended with status {status}: {errors}", _CONSOLE)


def check_setup(report: GuestReport, wanted: GuestExpectations) -> GuestCheck:
    """Whether every step of the set-up is done."""
    if not wanted.set_up:
        return _ready("set-up", "is the image's own")
    if report.malformed:
        return _failed("set-up", f"cannot read {', '.join(report.malformed)} in the VM", _LOGS)
    if report.setup is None and report.cloud_init in _CLOUD_INIT_ENDED:
        # cloud-init starts it. At later boots it says that all is well, whatever the first one did.
        return _failed("set-up", "has not begun, although cloud-init has ended", _CONSOLE)
    if report.setup is None:
        return _working("set-up", "has not begun")
    if report.setup.state == "done" and report.setup.boot_id != report.boot_id:
        return _working("set-up", "has not looked at this boot yet")
    return _check_steps(report.setup)


def _check_steps(setup: SetupStatus) -> GuestCheck:
    if setup.state == "running":
        return _working(setup.step, "is running")
    if setup.state == "failed":
        failed = next((one for one in setup.steps if one.name == setup.step), None)
        why = "" if failed is None else f" (exit {failed.exit_code}): {failed.message}"
        return _failed(setup.step, f"failed{why}", _LOGS)
    missing = [one.name for one in setup.steps if one.state not in ("done", "skipped")]
    if missing or not setup.steps:
        names = ", ".join(missing) or "any step"
        return _failed("set-up", f"says that it is done, but not {names}", _LOGS)
    return _ready("set-up", f"{len(setup.steps)} steps are done")


def check_secure_boot(report: GuestReport, wanted: GuestExpectations) -> GuestCheck:
    """Whether Secure Boot is on, if it has to be."""
    if report.secure_boot or not wanted.secure_boot:
        return _ready("secure-boot", "on" if report.secure_boot else "not required")
    state = "unknown" if report.secure_boot is None else "off"
    return _failed("secure-boot", f"is {state}", _RECREATE)


def check_driver(report: GuestReport, _: GuestExpectations) -> GuestCheck:
    """Whether the kernel module and the user space of the driver are there, and the same."""
    if report.gpu_error is not None:
        return _failed("driver", f"nvidia-smi failed: {report.gpu_error}", _DRIVER)
    if report.module is None:
        return _failed("driver", "the kernel module is not loaded", _DRIVER)
    others = {gpu.driver for gpu in report.gpus} - {report.module}
    if others:
        message = (
            f"the kernel module is {report.module}, the user space {', '.join(sorted(others))}"
        )
        return _failed("driver", message, _DRIVER)
    return _ready("driver", report.module)


def check_gpu(report: GuestReport, _: GuestExpectations) -> GuestCheck:
    """Whether there is one H100 in persistence mode: an NCC40ads_H100_v5 has one."""
    if len(report.gpus) != 1:
        return _failed("gpu", f"there are {len(report.gpus)} GPUs, expected 1", _LOGS)
    gpu = report.gpus[0]
    if "H100" not in gpu.name:
        return _failed("gpu", f"it is a {gpu.name}, expected an H100", _RECREATE)
    if not gpu.persistent:
        # In CC mode the GPU initialises once per reset (NVIDIA, deployment guide).
        return _failed("gpu", "persistence mode is off", "`ccgpu restart {name}`")
    return _ready("gpu", f"{gpu.name}, VBIOS {gpu.vbios}")


def check_confidential(report: GuestReport, _: GuestExpectations) -> GuestCheck:
    """Whether the GPU's confidential mode is on, in production, without DevTools."""
    step = "confidential-computing"
    if report.cc is not True:
        return _failed(step, f"CC mode is {'unknown' if report.cc is None else 'off'}", _HOST)
    if report.dev_tools is not False:
        state = "unknown" if report.dev_tools is None else "on"
        return _failed(step, f"DevTools mode is {state}", _HOST)
    if report.environment != "PRODUCTION":
        return _failed(step, f"the environment is {report.environment or 'unknown'}", _HOST)
    return _ready(step, "on, PRODUCTION")


def check_ready_state(report: GuestReport, wanted: GuestExpectations) -> GuestCheck:
    """Whether the ready state is known, and set if it is set at boot.

    It is never taken back here: inside a guest that cannot be undone without a reboot.
    """
    step = "ready-state"
    if report.ready is None:
        return _failed(step, "is unknown", _LOGS)
    if wanted.ready_at_boot and not report.ready:
        return _failed(step, "is not-ready, and guest.ready is at-boot", "`ccgpu restart {name}`")
    return _ready(step, "ready" if report.ready else "not-ready, until a verdict")


def check_temp_disk(report: GuestReport, wanted: GuestExpectations) -> GuestCheck:
    """Whether the temporary disk is encrypted where it is mounted."""
    plain = report.plain_temp_disks
    if not wanted.temp_disk_encrypted:
        return _ready("temp-disk", "not encrypted, as asked for")
    if plain is None:
        return _failed("temp-disk", "cannot tell whether it is encrypted", _LOGS)
    if plain:
        return _failed("temp-disk", f"{', '.join(plain)} is mounted without encryption", _LOGS)
    return _ready("temp-disk", "no plain temporary disk is mounted")


def check_drift(report: GuestReport, _: GuestExpectations) -> GuestCheck:
    """Whether the last boot found what the set-up had left."""
    if not report.drift:
        return _ready("drift", "none")
    told = "; ".join(f"{one.what}: {one.found} (was: {one.expected})" for one in report.drift)
    by_host = {one.what for one in report.drift} <= _SET_BY_HOST
    return _failed("drift", told, _HOST if by_host else _DRIVER)


def check_custom_data(report: GuestReport, wanted: GuestExpectations) -> GuestCheck:
    """Whether the guest says that the customData it ran is the one that was sent."""
    step, sent, ran = "custom-data", wanted.custom_data_sha256, report.custom_data_sha256
    if not wanted.set_up or sent is None:
        return _ready(step, "nothing to compare with")
    if ran == sent:
        return _ready(step, f"SHA-256 {sent[:16]}…, as sent")
    found = "is unknown" if ran is None else f"has SHA-256 {ran[:16]}…, not {sent[:16]}… as sent"
    return _failed(step, found, _RECREATE)


def check_secrets(report: GuestReport, _: GuestExpectations) -> GuestCheck:
    """Whether secrets can be opened in the VM. It is of use without them."""
    step = "secrets"
    if report.opens_secrets:
        return _ready(step, "can be released into the VM")
    state = "cannot tell whether python3-cryptography is" if report.opens_secrets is None else ""
    message = state or "cannot be released into the VM: python3-cryptography is not"
    return GuestCheck(step, GuestState.WARNING, f"{message} installed", _CRYPTOGRAPHY)


CHECKS: tuple[Check, ...] = (
    check_cloud_init,
    check_setup,
    check_secure_boot,
    check_driver,
    check_gpu,
    check_confidential,
    check_ready_state,
    check_temp_disk,
    check_drift,
    check_custom_data,
    check_secrets,
)


def assess_guest(report: GuestReport, wanted: GuestExpectations) -> list[GuestCheck]:
    """Every check, in order. While the set-up works, later checks have nothing to look at yet."""
    made: list[GuestCheck] = []
    for check in CHECKS:
        made.append(check(report, wanted))
        if made[-1].state is GuestState.WORKING:
            break
    return made


def deciding_check(checks: list[GuestCheck]) -> GuestCheck | None:
    """The first check that is still working or has failed; None if there is none."""
    undecided = (GuestState.WORKING, GuestState.FAILED)
    return next((one for one in checks if one.state in undecided), None)
