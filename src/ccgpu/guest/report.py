"""The state of the guest, from the answers of the probe. Pure.

The exact texts of the commands are those of real NCC40ads_H100_v5 VMs: `nvidia-smi conf-compute`
(NVIDIA, "Deployment Guide for Trusted Environments"), `mokutil` and `cloud-init status` (their
manuals). A text that is not one of them is unknown (None), and an unknown is never good.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ccgpu.guest import probe
from ccgpu.guest.probe import CommandResult, ProbeAnswer

_MODULE_VERSION = re.compile(r"^NVRM version: .*?\b(\d+\.\d+(?:\.\d+)?)\b", re.MULTILINE)
_READY_STATES = {"not-ready": False, "ready": True}
_ON_OFF = {"ON": True, "OFF": False}
_SECURE_BOOT = {"SecureBoot enabled": True, "SecureBoot disabled": False}
_GPU_FIELDS = 5
# The name of a package, with its architecture if that is a foreign one (Debian Policy, 5.6.7). The
# names stand in hints that people run, and another machine could have given them.
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{0,127}(?::[a-z0-9-]{1,31})?")
_BYTES = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One step of the set-up: pending, running, done, skipped or failed."""

    name: str
    state: str
    exit_code: int | None
    message: str


@dataclass(frozen=True, slots=True)
class SetupStatus:
    """The set-up as its status file tells it.

    step: the current or the failed one. boot_id: the boot whose run of the set-up wrote it last; it
    runs once a boot.
    """

    id: str
    boot_id: str
    state: str
    step: str
    steps: tuple[SetupStep, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between what was set up and what is there after a boot."""

    what: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class GuestGpu:
    """One GPU as the driver reports it."""

    name: str
    driver: str
    vbios: str
    persistent: bool
    uuid: str


@dataclass(frozen=True, slots=True)
class GuestReport:
    """The state of the guest. None means unknown.

    cloud_init: the word of `cloud-init status`, such as `done`; cloud_init_errors: its errors.
    setup: the status file of the set-up; None if there is none. malformed: files that could not be
    read as what they are. module, gpu_error: the kernel module's version, and what nvidia-smi
    complained about. cc, dev_tools, ready: the GPU's confidential mode, its DevTools mode and its
    ready state. environment: `PRODUCTION` on hardware that counts. set_up_holds: the packages that
    the set-up has put on hold. root_free: bytes. opens_secrets: whether python3-cryptography can be
    used, which opens released secrets.
    """

    boot_id: str
    cloud_init: str
    cloud_init_errors: tuple[str, ...]
    setup: SetupStatus | None
    drift: tuple[Drift, ...]
    malformed: tuple[str, ...]
    log: tuple[str, ...]
    custom_data_sha256: str | None
    secure_boot: bool | None
    module: str | None
    held: tuple[str, ...]
    set_up_holds: tuple[str, ...] | None
    gpus: tuple[GuestGpu, ...]
    gpu_error: str | None
    cc: bool | None
    environment: str | None
    dev_tools: bool | None
    ready: bool | None
    plain_temp_disks: tuple[str, ...] | None
    plain_swaps: tuple[str, ...] | None
    root_free: int | None
    opens_secrets: bool | None


def read_report(answer: ProbeAnswer) -> GuestReport:
    """The report of one probe. What cannot be read is unknown, or in `malformed`."""
    status, errors = _cloud_init(answer)
    malformed: list[str] = []
    gpus = answer.command("gpus")
    return GuestReport(
        boot_id=answer.command("boot-id").text,
        cloud_init=status,
        cloud_init_errors=errors,
        setup=_read_json(answer, probe.SETUP, _setup_status, malformed),
        drift=_read_json(answer, probe.DRIFT, _drift, malformed) or (),
        malformed=tuple(malformed),
        log=answer.tails.get(probe.LOG, ()),
        custom_data_sha256=(answer.files.get(probe.CUSTOM_DATA) or "").strip() or None,
        secure_boot=_SECURE_BOOT.get(_first_line(answer.command("secure-boot").text)),
        module=_first_group(_MODULE_VERSION, answer.command("module").text),
        held=tuple(filter(_PACKAGE.fullmatch, answer.command("held").text.split())),
        set_up_holds=_words(answer.files.get(probe.HOLDS)),
        gpus=_gpus(gpus.text),
        gpu_error=None if gpus.exit_code == 0 else gpus.complaint,
        cc=_ON_OFF.get(_value(answer, "cc-status", "CC status")),
        environment=_value(answer, "cc-environment", "CC Environment") or None,
        dev_tools=_ON_OFF.get(_value(answer, "dev-tools", "DevTools Mode")),
        ready=is_gpu_ready(answer.command("ready")),
        plain_temp_disks=_plain_temp_disks(answer.command("disks").text),
        plain_swaps=_plain_swaps(answer.command("swap")),
        root_free=_free_bytes(answer.command("space").text),
        opens_secrets=_succeeds(answer.command("cryptography")),
    )


def is_gpu_ready(result: CommandResult) -> bool | None:
    """The ready state that `nvidia-smi conf-compute -grs` printed; None if unknown."""
    return _READY_STATES.get(_value_in(result.text, "Confidential Compute GPUs Ready state"))


def _value(answer: ProbeAnswer, key: str, label: str) -> str:
    return _value_in(answer.command(key).text, label)


def _value_in(text: str, label: str) -> str:
    """The value on the one line `LABEL: VALUE`; nothing if there is not exactly one."""
    lines = [line.partition(":") for line in text.splitlines()]
    values = [value.strip() for name, _, value in lines if name.strip() == label]
    return values[0] if len(values) == 1 else ""


def _cloud_init(answer: ProbeAnswer) -> tuple[str, tuple[str, ...]]:
    """The status and the errors; `unknown` if the command did not answer.

    `cloud-init status` exits with 1 after an error and with 2 after one it recovered from
    (cloud-init's documentation, "Why did cloud-init status start returning exit code 2?").
    """
    try:
        document = json.loads(answer.command("cloud-init").stdout)
        return str(document["status"]), tuple(map(str, document.get("errors") or ()))
    except (ValueError, TypeError, KeyError, RecursionError):
        return "unknown", ()


def _read_json(answer: ProbeAnswer, path: str, read: Any, malformed: list[str]) -> Any:
    text = answer.files.get(path)
    if text is None:
        return None
    try:
        return read(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        malformed.append(path)
        return None


def _setup_status(document: Any) -> SetupStatus:
    steps = tuple(
        SetupStep(str(one["step"]), str(one["state"]), one["exit_code"], str(one["message"]))
        for one in document["steps"]
    )
    state, step = str(document["state"]), str(document["step"])
    if state not in ("running", "done", "failed"):
        raise ValueError("unknown state")
    return SetupStatus(str(document["id"]), str(document["boot_id"]), state, step, steps)


def _drift(document: Any) -> tuple[Drift, ...]:
    return tuple(
        Drift(str(one["what"]), str(one["expected"]), str(one["found"]))
        for one in document["problems"]
    )


def _succeeds(result: CommandResult) -> bool | None:
    return None if result.exit_code is None else result.exit_code == 0


def _words(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(text.split())


def _gpus(text: str) -> tuple[GuestGpu, ...]:
    rows = [[field.strip() for field in line.split(",")] for line in text.splitlines() if line]
    return tuple(
        GuestGpu(row[0], row[1], row[2], row[3] == "Enabled", row[4])
        for row in rows
        if len(row) == _GPU_FIELDS
    )


def _plain_temp_disks(text: str) -> tuple[str, ...] | None:
    """Devices mounted at /mnt or below, where Azure puts the temporary disk, without dm-crypt."""
    try:
        return tuple(_plain_mounts(json.loads(text)["blockdevices"], encrypted=False))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _plain_mounts(devices: Sequence[Mapping[str, Any]], *, encrypted: bool) -> list[str]:
    found: list[str] = []
    for device in devices:
        inside = encrypted or device.get("type") == "crypt"
        mounts = [one for one in device.get("mountpoints") or () if isinstance(one, str)]
        if not inside and any(one == "/mnt" or one.startswith("/mnt/") for one in mounts):
            found.append(str(device["name"]))
        found += _plain_mounts(device.get("children") or (), encrypted=inside)
    return found


def _plain_swaps(listing: CommandResult) -> tuple[str, ...] | None:
    """Swap areas that are not on a device mapper: the host could read what is swapped out."""
    if listing.exit_code != 0:
        return None
    names = (line.split()[0] for line in listing.stdout.splitlines() if line.split())
    return tuple(name for name in names if not name.startswith(("/dev/dm-", "/dev/mapper/")))


def _free_bytes(text: str) -> int | None:
    lines = text.splitlines()
    fields = lines[-1].split() if lines else []
    return int(fields[1]) if len(fields) > 1 and _BYTES.fullmatch(fields[1]) else None


def _first_line(text: str) -> str:
    return text.splitlines()[0].strip() if text else ""


def _first_group(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match else None
