"""Events are named by what the log says of them; nothing that a log says breaks that."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.vtpm import event_data, eventlog, layout
from ccgpu.attest.vtpm.event_names import NamedEvent, kernel_name, name_events
from ccgpu.fakeguest.evidence.eventlog import (
    SHIM_LOCK,
    SimulatedEvent,
    SimulatedEventLog,
    application_event,
    boot_events,
    boot_option,
    boot_variable_event,
    grub_event,
    separator_event,
    shim_event,
    variable_event,
)

EFI = layout.EFI_GLOBAL_VARIABLE
DATABASE = layout.IMAGE_SECURITY_DATABASE


def named(*events: SimulatedEvent, replayed=frozenset(range(24))) -> tuple[NamedEvent, ...]:
    return name_events(eventlog.parse(SimulatedEventLog(events).raw), replayed)


def name(event: SimulatedEvent) -> tuple[str, str]:
    (found,) = named(event)
    return found.what, found.detail


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def tagged(tag: int, text: bytes) -> SimulatedEvent:
    data = tag.to_bytes(4, "little") + len(text).to_bytes(4, "little") + text
    return SimulatedEvent(9, layout.EV_EVENT_TAG, data, bytes(32))


def ipl(pcr: int, data: bytes) -> SimulatedEvent:
    return SimulatedEvent(pcr, layout.EV_IPL, data, bytes(32))


def test_a_whole_boot_is_named_in_order():
    events = named(*boot_events(vm_unique_id="ab-1", version="-6.8.0-azure-fde"))

    assert [(event.pcr, event.what) for event in events if event.what != "separator"] == [
        (0, "firmware version"),
        (7, "secure boot setting"),
        (7, "platform key (PK)"),
        (7, "key exchange keys (KEK)"),
        (7, "allowed signatures (db)"),
        (7, "forbidden signatures (dbx)"),
        (1, "boot order"),
        (1, "boot option Boot0000"),
        (4, "step of the firmware"),
        (6, "VM id"),
        (5, "partition table (GPT)"),
        (7, "signer of an image, from db"),
        (4, "shim"),
        (7, "revocations by generation (SBAT)"),
        (14, "machine owner keys (MokList)"),
        (7, "signer of an image, from Shim"),
        (4, "GRUB"),
        (9, "kernel"),
        (9, "initrd"),
        (4, "EFI application from memory"),
        (8, "kernel command line"),
        (5, "step of the firmware"),
    ]
    assert kernel_name(events) == "vmlinuz-6.8.0-azure-fde"


@pytest.mark.parametrize(
    ("path", "what"),
    [
        (r"\EFI\ubuntu\shimx64.efi", "shim"),
        (r"\EFI\ubuntu\SHIMX64.EFI", "shim"),
        (r"\EFI\ubuntu\grubx64.efi", "GRUB"),
        (r"\EFI\ubuntu\kernel.efi-6.17.0-1018-azure-fde", "EFI kernel of nullboot"),
        (r"\EFI\ubuntu\mmx64.efi", "key manager of shim"),
        (r"\EFI\BOOT\fbx64.efi", "fallback loader of shim"),
        (r"\EFI\BOOT\BOOTX64.EFI", "default boot loader"),
        (r"\EFI\Linux\ours.efi", "unified kernel image"),
        (r"\EFI\systemd\systemd-bootx64.efi", "systemd-boot"),
        (r"\EFI\other\thing.efi", "EFI image"),
    ],
)
def test_an_image_is_named_by_its_path(path, what):
    assert name(application_event(b"image", path)) == (what, path)


def test_a_path_may_have_several_parts():
    event = application_event(b"image", r"\EFI\ubuntu")
    head, nodes = event.data[:32], event.data[32:-4]
    more = bytes((4, 4, 4 + 24, 0)) + utf16(r"shimx64.efi" + "\0")
    whole = head[:24] + len(nodes + more).to_bytes(8, "little") + nodes + more
    assert name(replace(event, data=whole)) == ("shim", r"\EFI\ubuntu\shimx64.efi")


_RUNTIME_DRIVER = ("EFI runtime driver", "")


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (separator_event(3), ("separator", "")),
        (SimulatedEvent(0, 0x99, b"x"), ("event of type 0x99", "")),
        (SimulatedEvent(0, layout.EV_S_CRTM_VERSION, utf16("1.0\0")), ("firmware version", "1.0")),
        (SimulatedEvent(0, layout.EV_S_CRTM_VERSION, b"odd"), ("firmware version", "")),
        (SimulatedEvent(0, layout.EV_POST_CODE, b"x"), ("firmware code", "")),
        (SimulatedEvent(0, layout.EV_EFI_PLATFORM_FIRMWARE_BLOB, b"x"), ("firmware volume", "")),
        (SimulatedEvent(1, layout.EV_EFI_HANDOFF_TABLES2, b"x"), ("firmware tables", "")),
        (SimulatedEvent(1, layout.EV_CPU_MICROCODE, b"x"), ("microcode", "")),
        (SimulatedEvent(0, layout.EV_S_CRTM_CONTENTS, b"x"), ("firmware root of trust", "")),
        (SimulatedEvent(1, layout.EV_PLATFORM_CONFIG_FLAGS, b"x"), ("firmware settings", "")),
        (SimulatedEvent(1, layout.EV_NONHOST_INFO, b"x"), ("platform information", "")),
        (SimulatedEvent(2, layout.EV_EFI_RUNTIME_SERVICES_DRIVER, b"x"), _RUNTIME_DRIVER),
        (SimulatedEvent(0, layout.EV_EFI_PLATFORM_FIRMWARE_BLOB2, b"x"), ("firmware volume", "")),
        (SimulatedEvent(1, layout.EV_EFI_HANDOFF_TABLES, b"x"), ("firmware tables", "")),
        (
            replace(variable_event("PK", b"x", EFI), type=layout.EV_EFI_VARIABLE_BOOT2),
            ("platform key (PK)", ""),
        ),
        (
            variable_event("MokListX", b"x", SHIM_LOCK, authority=True),
            ("forbidden machine owner keys (MokListX)", ""),
        ),
        (ipl(9, b"grub_cmd: x"), ("measurement of the boot loader", "grub_cmd: x")),
        (ipl(11, b"odd"), ("section ", "")),
        (ipl(12, b"odd"), ("files passed on by the boot stub", "")),
        (ipl(13, b"odd"), ("files passed on by the boot stub", "")),
        (
            ipl(12, utf16("Credentials initrd\0")),
            ("credentials from outside the UKI", "Credentials initrd"),
        ),
        (
            ipl(12, utf16("Global configuration extension initrd\0")),
            (
                "configuration extensions from outside the UKI",
                "Global configuration extension initrd",
            ),
        ),
        (
            ipl(13, utf16("System extension initrd\0")),
            ("system extensions from outside the UKI", "System extension initrd"),
        ),
        (ipl(12, utf16("sysext\0")), ("system extensions from outside the UKI", "sysext")),
        (ipl(12, utf16("confext\0")), ("configuration extensions from outside the UKI", "confext")),
        (SimulatedEvent(2, layout.EV_EFI_BOOT_SERVICES_DRIVER, b"x"), ("EFI driver", "")),
        (SimulatedEvent(6, layout.EV_COMPACT_HASH, b"other"), ("compact hash", "other")),
        (SimulatedEvent(5, layout.EV_EFI_GPT_EVENT, b"x"), ("partition table (GPT)", "")),
        (boot_variable_event("Boot00F0", boot_option("a")), ("boot option Boot00F0", "a")),
        (boot_variable_event("Boot00F0", b"short"), ("boot option Boot00F0", "")),
        (variable_event("dbr", b"x", DATABASE), ("UEFI variable dbr", "")),
        (
            SimulatedEvent(7, layout.EV_EFI_VARIABLE_DRIVER_CONFIG, b"x"),
            ("UEFI variable that cannot be read", ""),
        ),
        (
            variable_event("MokListTrusted", b"x", SHIM_LOCK, authority=True),
            ("trust in machine owner keys (MokListTrusted)", ""),
        ),
        (
            SimulatedEvent(7, layout.EV_EFI_VARIABLE_AUTHORITY, b"x"),
            ("signer of an image, from a variable that cannot be read", ""),
        ),
        (shim_event("MokSBState", b"\1"), ("shim's verification switch (MokSBState)", "")),
        (shim_event("MokPolicy", b"\1"), ("measurement of shim", "MokPolicy")),
        (grub_event(8, "grub_cmd: set x=1", b"set x=1"), ("GRUB command", "set x=1")),
        (grub_event(8, "module_cmdline: m", b"m"), ("module command line", "m")),
        (ipl(8, b"other: x"), ("measurement of the boot loader", "other: x")),
        (ipl(9, b"(hd0,gpt1)/boot/grub/x86_64-efi/tpm.mod\0"), None),
        (ipl(9, b"/boot/grub/grub.cfg\0"), ("GRUB configuration", "/boot/grub/grub.cfg")),
        (
            SimulatedEvent(12, layout.EV_IPL, utf16("ro quiet\0")),
            ("kernel command line", "ro quiet"),
        ),
        (
            SimulatedEvent(12, layout.EV_IPL, utf16("ro\0"), hashlib.sha256(utf16("ro")).digest()),
            ("kernel command line", "ro"),
        ),
        (
            SimulatedEvent(12, layout.EV_IPL, utf16("Credentials initrd\0")),
            ("kernel command line", "Credentials initrd"),
        ),
        (tagged(layout.TAG_INITRD, b"Linux initrd\0"), ("initrd", "Linux initrd")),
        (tagged(layout.TAG_LOAD_OPTIONS, b"LOADED_IMAGE::LoadOptions\0"), None),
        (tagged(0xF5BC582A, b"loader.conf\0"), ("event with tag 0xf5bc582a", "loader.conf")),
        (SimulatedEvent(9, layout.EV_EVENT_TAG, b"short"), ("tagged event", "")),
    ],
    ids=str,
)
def test_an_event_is_named_by_its_type_and_data(event, found):
    known = {
        "(hd0,gpt1)/boot/grub/x86_64-efi/tpm.mod": "GRUB module",
        "LOADED_IMAGE::LoadOptions": "kernel command line",
    }
    what, detail = name(event)
    assert (what, detail) == (found or (known[detail], detail))


def test_sections_of_a_uki_are_told_from_their_names():
    label = utf16(".initrd\0")
    events = named(
        SimulatedEvent(11, layout.EV_IPL, label, hashlib.sha256(b".initrd\0").digest()),
        SimulatedEvent(11, layout.EV_IPL, label, hashlib.sha256(b"content").digest()),
        ipl(11, utf16(".sbat\0")),
        ipl(11, utf16(".linux\0")),
        ipl(11, utf16(".cmdline\0")),
    )
    assert [(event.what, event.detail) for event in events] == [
        ("name of the section .initrd", ""),
        ("initrd", ".initrd"),
        ("section .sbat", ".sbat"),
        ("kernel", ".linux"),
        ("kernel command line", ".cmdline"),
    ]


def test_an_event_says_whether_its_pcr_replays():
    events = named(separator_event(3), separator_event(9), replayed=frozenset({3}))
    assert [event.replayed for event in events] == [True, False]


def test_what_a_log_says_is_escaped_and_cut():
    (event,) = named(grub_event(9, "/boot/vmlinuz\x1b[31m\n" + "x" * 500, b"kernel"))
    assert event.detail.startswith(r"/boot/vmlinuz\x1b[31m\x0axx")
    assert (len(event.detail), event.detail[-1]) == (200, "…")


@pytest.mark.parametrize(("length", "end"), [(199, "x"), (200, "x"), (201, "…")])
def test_a_text_of_200_characters_is_not_cut(length, end):
    (event,) = named(ipl(9, b"x" * length))
    assert (len(event.detail), event.detail[-1]) == (min(length, 200), end)


@pytest.mark.parametrize(
    ("path", "kernel"),
    [
        (r"\EFI\Linux\ours.efi", "ours.efi"),
        (r"\EFI\ubuntu\kernel.efi-6.17", "kernel.efi-6.17"),
        (r"\EFI\ubuntu\shimx64.efi", None),
    ],
)
def test_each_kind_of_kernel_has_the_name_of_its_file(path, kernel):
    assert kernel_name(named(application_event(b"image", path))) == kernel


def test_a_kernel_without_a_path_is_passed_over():
    nameless = NamedEvent(9, "kernel", "", bytes(32), replayed=True)
    (other,) = named(grub_event(9, "/boot/vmlinuz-6", b"kernel"))
    assert kernel_name([nameless, other]) == "vmlinuz-6"


def test_without_a_kernel_there_is_no_name():
    assert kernel_name(named(separator_event(4), tagged(layout.TAG_INITRD, b"x"))) is None


@pytest.mark.parametrize(
    "data",
    [b"", bytes(31), bytes(24) + b"\1" + bytes(7), bytes(24) + b"\4" + bytes(7) + b"\4\4\3\0"],
)
def test_an_image_without_a_readable_path_has_none(data):
    assert event_data.image_path(data) is None


@given(
    st.integers(0, 23),
    st.sampled_from(
        [*range(0x12), *range(0x80000000, 0x80000012), layout.EV_EFI_VARIABLE_AUTHORITY]
    ),
    st.binary(max_size=120),
)
def test_any_event_has_a_name(pcr, kind, data):
    if kind != layout.EV_NO_ACTION:
        (event,) = named(SimulatedEvent(pcr, kind, data))
        assert 0 < len(event.what) <= 200
        assert len(event.detail) <= 200
        assert event.digest == hashlib.sha256(data).digest()
