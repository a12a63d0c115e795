"""What a boot of a measured image leaves in the event log and in the PCRs.

In the order of a real boot: firmware, systemd's stub, the kernel's EFI stub. The digests are those
of the image's manifest, as a real boot's are of its bytes (docs/measured-image.md has the sources).
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ccgpu.attest.vtpm import layout
from ccgpu.fakeguest.evidence import eventlog
from ccgpu.fakeguest.evidence.eventlog import SimulatedEvent

# In the order in which the stub measures them.
_SECTIONS = (".linux", ".cmdline", ".initrd", ".sbat")
_FIRST_WITH_SBAT = 255  # the version of systemd-stub that measures .sbat, too


def measured_boot_events(
    uki: Mapping[str, Any], vm_unique_id: str, *, secure_boot: bool = False
) -> tuple[SimulatedEvent, ...]:
    """A whole boot. uki: the member of that name of a manifest (`ccgpu.image/1`)."""
    return (*eventlog.firmware_events(secure_boot, vm_unique_id), *uki_events(uki))


def uki_events(uki: Mapping[str, Any]) -> tuple[SimulatedEvent, ...]:
    """What firmware, stub and kernel measure of a UKI."""
    digests = {each["name"]: bytes.fromhex(each["sha256"]) for each in uki["sections"]}
    options = (uki["command_line"] + "\0").encode("utf-16-le")
    return (
        started_event(uki["authenticode"], r"\EFI\BOOT\BOOTX64.EFI"),
        *_section_events(digests, int(uki["stub"])),
        started_event(uki["kernel_authenticode"]),
        tagged_event(
            layout.TAG_LOAD_OPTIONS, b"LOADED_IMAGE::LoadOptions", hashlib.sha256(options).digest()
        ),
        tagged_event(layout.TAG_INITRD, b"Linux initrd", digests[".initrd"]),
    )


def _section_events(digests: Mapping[str, bytes], stub: int) -> Iterator[SimulatedEvent]:
    for name in _SECTIONS:
        if name == ".sbat" and stub < _FIRST_WITH_SBAT:
            continue
        said = (name + "\0").encode("utf-16-le")
        hashed = hashlib.sha256(name.encode() + b"\0").digest()
        yield SimulatedEvent(11, layout.EV_IPL, said, hashed)
        yield SimulatedEvent(11, layout.EV_IPL, said, digests[name])


def started_event(authenticode: str, path: str = "") -> SimulatedEvent:
    """A program that was started, by its Authenticode digest (hex)."""
    return replace(eventlog.application_event(b"", path), digest=bytes.fromhex(authenticode))


def tagged_event(tag: int, text: bytes, digest: bytes) -> SimulatedEvent:
    """An event of the kernel's EFI stub."""
    data = tag.to_bytes(4, "little") + (len(text) + 1).to_bytes(4, "little") + text + b"\0"
    return SimulatedEvent(9, layout.EV_EVENT_TAG, data, digest)
