"""Names the events of an event log for people: shim, boot loader, kernel, initrd, dbx and others.

Only digests are measured. A name comes from an event's type and data, which the log merely states:
it explains a digest and proves nothing.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ccgpu.attest.vtpm import event_data, layout
from ccgpu.attest.vtpm.eventlog import EventLog, PcrEvent
from ccgpu.domain.plain_text import one_line
from ccgpu.domain.reference_values import TEXT_LIMIT

Name = tuple[str, str]  # what it is, and what the log says of it

KERNELS = ("kernel", "EFI kernel of nullboot", "unified kernel image")
_GRUB_STRINGS, _UKI, _STUB_STRINGS, _EXTENSIONS, _SHIM = 8, 11, 12, 13, 14
_VARIABLES = {  # UEFI 2.10, §3.3 and §32.4.1
    "SecureBoot": "secure boot setting",
    "PK": "platform key (PK)",
    "KEK": "key exchange keys (KEK)",
    "db": "allowed signatures (db)",
    "dbx": "forbidden signatures (dbx)",
    "BootOrder": "boot order",
}
_SHIM_VARIABLES = {  # rhboot/shim, README.tpm and SBAT.md
    "SbatLevel": "revocations by generation (SBAT)",
    "MokList": "machine owner keys (MokList)",
    "MokListX": "forbidden machine owner keys (MokListX)",
    "MokListTrusted": "trust in machine owner keys (MokListTrusted)",
    "MokSBState": "shim's verification switch (MokSBState)",
}
_SECTIONS = {".linux": "kernel", ".initrd": "initrd", ".cmdline": "kernel command line"}
_PASSED_ON = (  # words of the events of systemd-stub's archives
    ("credential", "credentials from outside the UKI"),
    ("system extension", "system extensions from outside the UKI"),
    ("configuration extension", "configuration extensions from outside the UKI"),
    ("sysext", "system extensions from outside the UKI"),
    ("confext", "configuration extensions from outside the UKI"),
)
_IMAGES = (  # names of files on the EFI system partition, and of what GRUB reads
    (r"shim[a-z0-9]*\.efi(\.signed)?", "shim"),
    (r"grub[a-z0-9]*\.efi(\.signed)?", "GRUB"),
    (r"kernel\.efi.*", "EFI kernel of nullboot"),  # canonical/nullboot, kernels
    (r"mm[a-z0-9]*\.efi", "key manager of shim"),
    (r"fb[a-z0-9]*\.efi", "fallback loader of shim"),
    (r"boot(x64|aa64)\.efi", "default boot loader"),
    (r"systemd-boot.*\.efi", "systemd-boot"),
    (r"vmlinuz.*", "kernel"),
    (r"initrd.*|initramfs.*", "initrd"),
    (r".*\.mod", "GRUB module"),
    (r"grub\.cfg|grubenv", "GRUB configuration"),
)
_GRUB_LABELS = {  # GRUB manual, "Measured Boot"
    "grub_cmd": "GRUB command",
    "kernel_cmdline": "kernel command line",
    "module_cmdline": "module command line",
}


@dataclass(frozen=True, slots=True)
class NamedEvent:
    """An event: what it is, what the log says of it, its digest (SHA-256, 32 bytes).

    `replayed`: whether the log replays to the quoted value of its PCR.
    """

    pcr: int
    what: str
    detail: str
    digest: bytes
    replayed: bool


def name_events(log: EventLog, replayed: frozenset[int]) -> tuple[NamedEvent, ...]:
    """The log's events in order; `replayed`: the quoted PCRs that the log replays to."""
    return tuple(_named(event, event.pcr in replayed) for event in log.events)


def kernel_name(events: Iterable[NamedEvent]) -> str | None:
    """The file name of the kernel that was started, as the log states it."""
    named = (event for event in events if event.what in KERNELS and event.pcr != _UKI)
    paths = (event.detail for event in named if event.detail)
    return next(map(_file_name, paths), None)


def _named(event: PcrEvent, replayed: bool) -> NamedEvent:
    what, detail = _NAMERS.get(event.type, _unknown)(event)
    return NamedEvent(event.pcr, _short(what), _short(detail), event.digest, replayed)


def _short(text: str) -> str:
    shown = one_line(text)
    return shown if len(shown) <= TEXT_LIMIT else f"{shown[: TEXT_LIMIT - 1]}…"


def _file_name(path: str) -> str:
    return re.split(r"[\\/]", path)[-1]


def _by_path(path: str, otherwise: str) -> Name:
    name = _file_name(path).lower()
    if "\\efi\\linux\\" in path.lower():  # UAPI Group, Boot Loader Specification, type 2
        return "unified kernel image", path
    known = (what for pattern, what in _IMAGES if re.fullmatch(pattern, name))
    return next(known, otherwise), path


def _unknown(event: PcrEvent) -> Name:
    return f"event of type {event.type:#x}", ""


def _constant(what: str) -> Callable[[PcrEvent], Name]:
    return lambda _: (what, "")


def _firmware_version(event: PcrEvent) -> Name:
    return "firmware version", event_data.utf16(event.data) or ""


def _compact_hash(event: PcrEvent) -> Name:
    text = event_data.utf8(event.data)  # microsoft/mu_msvm, VmMeasurementDxe.c
    return ("VM id", text) if text.startswith("UUID: ") else ("compact hash", text)


def _action(event: PcrEvent) -> Name:
    return "step of the firmware", event_data.utf8(event.data)


def _application(event: PcrEvent) -> Name:
    path = event_data.image_path(event.data)
    return ("EFI application from memory", "") if path is None else _by_path(path, "EFI image")


def _tagged(event: PcrEvent) -> Name:
    tag = event_data.tag_id(event.data)
    if tag is None:
        return "tagged event", ""
    return layout.STUB_TAGS.get(tag, f"event with tag {tag:#x}"), event_data.utf8(event.data[8:])


def _setting(event: PcrEvent) -> Name:
    variable = event_data.parse_variable(event.data)
    if variable is None:
        return "UEFI variable that cannot be read", ""
    if re.fullmatch("Boot[0-9A-F]{4}", variable.name):
        return f"boot option {variable.name}", event_data.boot_option(variable.content) or ""
    return _VARIABLES.get(variable.name, f"UEFI variable {variable.name}"), ""


def _authority(event: PcrEvent) -> Name:
    variable = event_data.parse_variable(event.data)
    name = "a variable that cannot be read" if variable is None else variable.name
    return _SHIM_VARIABLES.get(name, f"signer of an image, from {name}"), ""


def _boot_loader(event: PcrEvent) -> Name:
    """EV_IPL: what a boot loader measured, with a text of its own choice."""
    if event.pcr == _UKI:
        section = event_data.utf16(event.data) or ""
        if event.digest == hashlib.sha256(section.encode() + b"\0").digest():
            return f"name of the section {section}", ""
        return _SECTIONS.get(section, f"section {section}"), section
    if event.pcr in (_STUB_STRINGS, _EXTENSIONS):
        return _passed_on(event)
    text = event_data.utf8(event.data)
    label, _, rest = text.partition(":")
    if event.pcr == _GRUB_STRINGS and label in _GRUB_LABELS:
        return _GRUB_LABELS[label], rest.strip()
    if event.pcr == _SHIM:
        return (
            (_SHIM_VARIABLES[text], "")
            if text in _SHIM_VARIABLES
            else ("measurement of shim", text)
        )
    return _by_path(text, "measurement of the boot loader")


def _passed_on(event: PcrEvent) -> Name:
    """What systemd-stub passes on besides the UKI (systemd-stub(7)): of text, or described by it.

    A command line is measured itself; of files, which the stub packs as initrds, only their archive
    is, and the event's text says what they are.
    """
    text = event_data.utf16(event.data) or ""
    bare = event.data.removesuffix(b"\0\0")
    measured = (hashlib.sha256(each).digest() for each in (bare, bare + b"\0\0"))
    if event.digest in measured:
        return "kernel command line", text
    kinds = (what for word, what in _PASSED_ON if word in text.lower())
    return next(kinds, "files passed on by the boot stub"), text


_NAMERS: Mapping[int, Callable[[PcrEvent], Name]] = {  # PFP §10.4.1
    layout.EV_POST_CODE: _constant("firmware code"),
    layout.EV_SEPARATOR: _constant("separator"),
    layout.EV_EVENT_TAG: _tagged,
    layout.EV_S_CRTM_CONTENTS: _constant("firmware root of trust"),
    layout.EV_S_CRTM_VERSION: _firmware_version,
    layout.EV_CPU_MICROCODE: _constant("microcode"),
    layout.EV_PLATFORM_CONFIG_FLAGS: _constant("firmware settings"),
    layout.EV_COMPACT_HASH: _compact_hash,
    layout.EV_IPL: _boot_loader,
    layout.EV_NONHOST_INFO: _constant("platform information"),
    layout.EV_EFI_VARIABLE_DRIVER_CONFIG: _setting,
    layout.EV_EFI_VARIABLE_BOOT: _setting,
    layout.EV_EFI_VARIABLE_BOOT2: _setting,
    layout.EV_EFI_BOOT_SERVICES_APPLICATION: _application,
    layout.EV_EFI_BOOT_SERVICES_DRIVER: _constant("EFI driver"),
    layout.EV_EFI_RUNTIME_SERVICES_DRIVER: _constant("EFI runtime driver"),
    layout.EV_EFI_GPT_EVENT: _constant("partition table (GPT)"),
    layout.EV_EFI_ACTION: _action,
    layout.EV_EFI_PLATFORM_FIRMWARE_BLOB: _constant("firmware volume"),
    layout.EV_EFI_PLATFORM_FIRMWARE_BLOB2: _constant("firmware volume"),
    layout.EV_EFI_HANDOFF_TABLES: _constant("firmware tables"),
    layout.EV_EFI_HANDOFF_TABLES2: _constant("firmware tables"),
    layout.EV_EFI_VARIABLE_AUTHORITY: _authority,
}
