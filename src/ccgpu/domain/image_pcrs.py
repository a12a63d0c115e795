"""Which PCRs a measured image leads to, out of digests alone.

Sources: TCG PC Client Platform Firmware Profile 1.05, §3.3.4 (PCR 4, 7); systemd,
docs/TPM2_PCR_MEASUREMENTS.md and src/fundamental/uki.h (PCR 11, 12, 13); Linux,
drivers/firmware/efi/libstub (PCR 9). PCR 8 is ccgpu's: the guest measures its config into it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ccgpu.domain.reference_values import RecordedEvent

# defer_build: a model is built when it is first used by itself; these are parts of a manifest.
CONFIG = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

BOOT_PROGRAM = "EFI/BOOT/BOOTX64.EFI"  # UEFI 2.10, §3.5.1.1
# Linux takes 2048 bytes on x86-64. The stub would trim other spaces than single ones.
COMMAND_LINE = r"[!-~]+( [!-~]+)*"
COMMAND_LINE_LIMIT = 2047
# In the order that the stub measures them, whatever their order in the file.
MEASURED_SECTIONS = (".linux", ".cmdline", ".initrd", ".sbat")
# Versions of the stub whose measurements are known, and whether PCR 11 has its section .sbat.
SBAT_MEASURED: Mapping[int, bool] = {252: False, 255: True, 257: True}

CONFIG_PCR = 8
ZERO_PCRS = (12, 13, 14, 15)  # credentials, addons; extensions; shim; machine id: nothing of these
NO_CONFIG = b"none"  # what the guest measures if it is given no config
IMAGE_PCRS = (4, CONFIG_PCR, 9, 11, *ZERO_PCRS)  # all that a verdict compares

_CALLING = b"Calling EFI Application from Boot Option"  # PFP, §10.4.4
_SEPARATOR = bytes(4)


class UkiSection(BaseModel):
    """A section of a UKI as it is loaded: its size and digest."""

    model_config = CONFIG

    name: Annotated[str, Field(pattern=r"^\.[a-z]{1,7}$")]
    size: Annotated[int, Field(strict=True, ge=0, le=2**31)]
    sha256: Sha256


class UkiDigests(BaseModel):
    """What is measured of a UKI. `kernel_authenticode`: of the kernel that the stub starts.

    `stub`: the version of systemd-stub. `sections`: those of `MEASURED_SECTIONS`, in that order.
    """

    model_config = CONFIG

    authenticode: Sha256
    kernel_authenticode: Sha256
    stub: Annotated[int, Field(strict=True)]
    command_line: Annotated[str, Field(pattern=f"^{COMMAND_LINE}$", max_length=COMMAND_LINE_LIMIT)]
    sections: Annotated[tuple[UkiSection, ...], Field(min_length=4, max_length=4)]


def config_digest(config: bytes | None) -> bytes:
    """What PCR 8 is extended with (32 bytes): the config's SHA-256, a fixed one for none."""
    return hashlib.sha256(NO_CONFIG if config is None else config).digest()


def expected_events(uki: UkiDigests, config: bytes) -> Mapping[int, Sequence[RecordedEvent]]:
    """The events of each PCR in order, named as an event log's are; secure boot is off.

    `config`: the digest from `config_digest`.
    """
    digests = {section.name: section.sha256 for section in uki.sections}
    options = (uki.command_line + "\0").encode("utf-16-le")
    return {
        4: (
            _measured("step of the firmware", _CALLING, _CALLING.decode()),
            _measured("separator", _SEPARATOR),
            _event("default boot loader", uki.authenticode, "\\EFI\\BOOT\\BOOTX64.EFI"),
            _event("EFI application from memory", uki.kernel_authenticode),
        ),
        8: (_event("config", config.hex()),),
        9: (
            _measured("kernel command line", options, "LOADED_IMAGE::LoadOptions"),
            _event("initrd", digests[".initrd"], "Linux initrd"),
        ),
        11: tuple(_section_events(digests, uki.stub)),
        **dict.fromkeys(ZERO_PCRS, ()),
    }


def replay(events: Sequence[RecordedEvent]) -> bytes:
    """The value (32 bytes) of a PCR that starts as zeros."""
    value = bytes(32)
    for event in events:
        value = hashlib.sha256(value + bytes.fromhex(event.sha256)).digest()
    return value


def _section_events(digests: Mapping[str, str], stub: int) -> list[RecordedEvent]:
    """Two events for each section: its name with a NUL, then its content."""
    events = []
    for name in MEASURED_SECTIONS:
        if name == ".sbat" and not SBAT_MEASURED[stub]:
            continue
        what = _SECTION_NAMES.get(name, f"section {name}")
        events += [
            _measured(f"name of the section {name}", name.encode() + b"\0"),
            _event(what, digests[name], name),
        ]
    return events


_SECTION_NAMES = {".linux": "kernel", ".initrd": "initrd", ".cmdline": "kernel command line"}


def _measured(what: str, data: bytes, detail: str = "") -> RecordedEvent:
    return _event(what, hashlib.sha256(data).hexdigest(), detail)


def _event(what: str, sha256: str, detail: str = "") -> RecordedEvent:
    return RecordedEvent(what=what, detail=detail, sha256=sha256)
