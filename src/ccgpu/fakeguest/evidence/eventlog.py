"""Firmware event logs, and the PCR values that result from them. Any event can be changed.

The default boot is that of an Ubuntu image with secure boot: shim, GRUB, kernel.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ccgpu.attest.vtpm import layout

COMMAND_LINE = "root=PARTUUID=1 ro console=ttyS0"
SHIM_LOCK = bytes.fromhex("50ab5d6046e00043abb63dd810dd8b23")  # shim's own vendor GUID
_SEPARATOR = bytes(4)


@dataclass(frozen=True, slots=True)
class SimulatedEvent:
    """One measurement.

    `digest` None means the digest of the data. `digests` replaces the list of one digest for each
    algorithm.
    """

    pcr: int
    type: int
    data: bytes
    digest: bytes | None = None
    digests: Sequence[tuple[int, bytes]] | None = None

    @property
    def sha256(self) -> bytes:
        """The digest that extends the SHA-256 bank."""
        return hashlib.sha256(self.data).digest() if self.digest is None else self.digest

    def raw(self, algorithms: Mapping[int, int]) -> bytes:
        """The event as TCG_PCR_EVENT2. Digests of other algorithms are placeholders."""
        digests = self.digests
        if digests is None:
            digests = [
                (each, self.sha256 if each == layout.ALG_SHA256 else b"\xa5" * size)
                for each, size in algorithms.items()
            ]
        listed = b"".join(_u16(each) + digest for each, digest in digests)
        head = _u32(self.pcr) + _u32(self.type) + _u32(len(digests))
        return head + listed + _u32(len(self.data)) + self.data


def spec_id_event(algorithms: Mapping[int, int], vendor: bytes = b"", major: int = 2) -> bytes:
    """The first event of a log: the algorithms of its digests."""
    listed = b"".join(_u16(each) + _u16(size) for each, size in algorithms.items())
    version = bytes((0, major, 0, 2))  # minor, major, errata, and UINT64 as the size of UINTN
    return b"".join(
        (
            layout.SPEC_ID_SIGNATURE,
            _u32(0),
            version,
            _u32(len(algorithms)),
            listed,
            bytes((len(vendor),)),
            vendor,
        )
    )


_SHA256_ONLY = {layout.ALG_SHA256: 32}


@dataclass(frozen=True, slots=True)
class SimulatedEventLog:
    """An event log. `header` None means the one for `algorithms`."""

    events: Sequence[SimulatedEvent]
    algorithms: Mapping[int, int] | None = None
    header: bytes | None = None
    first: bytes = bytes(4) + layout.EV_NO_ACTION.to_bytes(4, "little") + bytes(20)

    @property
    def raw(self) -> bytes:
        """The log as Linux shows it in binary_bios_measurements."""
        algorithms = _SHA256_ONLY if self.algorithms is None else self.algorithms
        header = spec_id_event(algorithms) if self.header is None else self.header
        events = b"".join(event.raw(algorithms) for event in self.events)
        return self.first + _u32(len(header)) + header + events


def locality_event(value: int) -> SimulatedEvent:
    """The locality from which the TPM was started."""
    data = layout.LOCALITY_SIGNATURE + bytes((value,))
    return SimulatedEvent(0, layout.EV_NO_ACTION, data, digest=bytes(32))


def variable_event(
    name: str, content: bytes, vendor: bytes, authority: bool = False
) -> SimulatedEvent:
    """An EFI variable, measured into PCR 7."""
    text = name.encode("utf-16-le")
    data = vendor + _u64(len(name)) + _u64(len(content)) + text + content
    own = layout.EV_EFI_VARIABLE_DRIVER_CONFIG
    return SimulatedEvent(7, layout.EV_EFI_VARIABLE_AUTHORITY if authority else own, data)


def boot_variable_event(name: str, content: bytes) -> SimulatedEvent:
    """A variable of the boot manager, of which EDK II measures the content alone."""
    data = variable_event(name, content, layout.EFI_GLOBAL_VARIABLE).data
    digest = hashlib.sha256(content).digest()
    return SimulatedEvent(1, layout.EV_EFI_VARIABLE_BOOT, data, digest)


def boot_option(description: str) -> bytes:
    """The content of a boot option without a device path (EFI_LOAD_OPTION)."""
    return _u32(1) + _u16(0) + description.encode("utf-16-le") + b"\0\0"


def application_event(image: bytes, path: str = "") -> SimulatedEvent:
    """A started image: its digest, and its location and path, which are not measured."""
    nodes = b""
    if path:
        text = path.encode("utf-16-le") + b"\0\0"
        nodes = bytes((4, 4)) + _u16(4 + len(text)) + text + bytes((0x7F, 0xFF)) + _u16(4)
    digest = hashlib.sha256(image).digest()
    data = bytes(24) + _u64(len(nodes)) + nodes
    return SimulatedEvent(4, layout.EV_EFI_BOOT_SERVICES_APPLICATION, data, digest)


def shim_event(name: str, content: bytes) -> SimulatedEvent:
    """A variable that shim measures to PCR 14, by its name in the log."""
    digest = hashlib.sha256(content).digest()
    return SimulatedEvent(14, layout.EV_IPL, name.encode() + b"\0", digest)


def separator_event(pcr: int) -> SimulatedEvent:
    """The end of the firmware's own measurements in a PCR."""
    return SimulatedEvent(pcr, layout.EV_SEPARATOR, _SEPARATOR)


def grub_event(pcr: int, label: str, measured: bytes) -> SimulatedEvent:
    """A string (PCR 8) or file (PCR 9) measured by GRUB. The label is not measured."""
    digest = hashlib.sha256(measured).digest()
    return SimulatedEvent(pcr, layout.EV_IPL, label.encode() + b"\0", digest)


def machine_event(vm_unique_id: str) -> SimulatedEvent:
    """The VM's id in PCR 6 (microsoft/mu_msvm, VmMeasurementDxe.c)."""
    return SimulatedEvent(6, layout.EV_COMPACT_HASH, f"UUID: {vm_unique_id.upper()}".encode())


def boot_events(
    *,
    secure_boot: bool = True,
    kernel: bytes = b"kernel",
    initrd: bytes = b"initrd",
    version: str = "",
    command_line: str = COMMAND_LINE,
    of_shim: Sequence[SimulatedEvent] = (),
    vm_unique_id: str | None = None,
) -> tuple[SimulatedEvent, ...]:
    """A complete boot.

    `version`: of the kernel, with a hyphen before it; it is part of the names of files. `of_shim`:
    the measurements of shim's own variables. `vm_unique_id`: measured into PCR 6 by the firmware of
    a VM in Azure.
    """
    return (
        *firmware_events(secure_boot, vm_unique_id),
        application_event(b"shim", r"\EFI\ubuntu\shimx64.efi"),
        variable_event("SbatLevel", b"sbat,1,2024010900", SHIM_LOCK, authority=True),
        shim_event("MokList", b"owner keys"),
        *of_shim,
        variable_event("Shim", b"certificate of GRUB's signer", SHIM_LOCK, authority=True),
        application_event(b"grub", r"\EFI\ubuntu\grubx64.efi"),
        grub_event(9, f"/boot/vmlinuz{version}", kernel),
        grub_event(9, f"/boot/initrd.img{version}", initrd),
        application_event(kernel),
        grub_event(8, f"kernel_cmdline: {command_line}", command_line.encode()),
        SimulatedEvent(5, layout.EV_EFI_ACTION, b"Exit Boot Services Invocation"),
    )


def firmware_events(secure_boot: bool, vm_unique_id: str | None) -> tuple[SimulatedEvent, ...]:
    """What the firmware measures before it starts shim."""
    ours, databases = layout.EFI_GLOBAL_VARIABLE, layout.IMAGE_SECURITY_DATABASE
    return (
        locality_event(3),
        SimulatedEvent(0, layout.EV_S_CRTM_VERSION, "Simulated UEFI".encode("utf-16-le")),
        variable_event("SecureBoot", bytes((secure_boot,)), ours),
        variable_event("PK", b"platform key", ours),
        variable_event("KEK", b"key exchange key", ours),
        variable_event("db", b"allowed", databases),
        variable_event("dbx", b"forbidden", databases),
        separator_event(7),
        boot_variable_event("BootOrder", _u16(0)),
        boot_variable_event("Boot0000", boot_option("ubuntu")),
        SimulatedEvent(4, layout.EV_EFI_ACTION, b"Calling EFI Application from Boot Option"),
        *(() if vm_unique_id is None else (machine_event(vm_unique_id),)),
        *(separator_event(pcr) for pcr in range(7)),
        SimulatedEvent(5, layout.EV_EFI_GPT_EVENT, b"EFI PART of a simulated disk"),
        variable_event("db", b"certificate of shim's signer", databases, authority=True),
    )


def pcr_values(events: Sequence[SimulatedEvent]) -> dict[int, bytes]:
    """The SHA-256 bank of a vTPM after these events."""
    values = {index: bytes(32) for index in range(layout.PCR_COUNT)}
    values |= dict.fromkeys(range(17, 23), b"\xff" * 32)
    for event in events:
        if event.type != layout.EV_NO_ACTION:
            values[event.pcr] = hashlib.sha256(values[event.pcr] + event.sha256).digest()
        elif event.data.startswith(layout.LOCALITY_SIGNATURE):
            values[0] = bytes(31) + event.data[-1:]
    return values


def _u16(number: int) -> bytes:
    return number.to_bytes(2, "little")


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "little")
