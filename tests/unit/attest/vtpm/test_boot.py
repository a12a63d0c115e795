"""Boot facts come from what was measured, and only where the log replays to the quote."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Checks, Outcome, Unverified, Verified
from ccgpu.attest.vtpm import boot as boots
from ccgpu.attest.vtpm import eventlog, layout
from ccgpu.attest.vtpm import quote as quotes
from ccgpu.attest.vtpm.boot import Boot
from ccgpu.fakeguest.evidence.eventlog import (
    COMMAND_LINE,
    SimulatedEvent,
    SimulatedEventLog,
    application_event,
    boot_events,
    grub_event,
    pcr_values,
    separator_event,
    variable_event,
)
from ccgpu.fakeguest.evidence.quote import QuoteTemplate
from support.evidence_vtpm import failed_checks, unverified_value, verified_value

EFI = layout.EFI_GLOBAL_VARIABLE
DATABASE = layout.IMAGE_SECURITY_DATABASE


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def judged(
    told: Sequence[SimulatedEvent],
    measured: Sequence[SimulatedEvent] | None = None,
    selected: Sequence[int] = range(24),
    wrap=verified_value,
) -> tuple[Outcome[Boot], list[str]]:
    """A log that tells one boot, against PCRs that another one (or the same) led to."""
    values = pcr_values(told if measured is None else measured)
    pcrs = {index: values[index] for index in selected}
    quote = quotes.parse(QuoteTemplate(pcrs, b"nonce").raw)
    checks = Checks()
    outcome = boots.verify(eventlog.parse(SimulatedEventLog(told).raw), wrap(quote), pcrs, checks)
    return outcome, failed_checks(checks)


def facts(*events: SimulatedEvent) -> Boot:
    """What is concluded from a log that is told as it was measured."""
    log = eventlog.parse(SimulatedEventLog(events).raw)
    return boots.boot_facts(log, frozenset(range(24)), frozenset())


def firmware(*own: SimulatedEvent, rest: Sequence[SimulatedEvent] = ()) -> list[SimulatedEvent]:
    """A boot with another part of PCR 7."""
    others = [event for event in boot_events() if event.pcr != 7]
    return [*others, *own, separator_event(7), *rest]


def test_a_replayed_boot_gives_facts():
    outcome, reasons = judged(boot_events())
    assert reasons == []
    assert isinstance(outcome, Verified)
    assert outcome.value == Boot(
        replayed=frozenset(range(24)),
        open=frozenset(),
        secure_boot=True,
        databases={
            "PK": sha256(b"platform key"),
            "KEK": sha256(b"key exchange key"),
            "db": sha256(b"allowed"),
            "dbx": sha256(b"forbidden"),
        },
        authorities=tuple(
            (name, event.sha256)
            for name, event in zip(
                ("db", "SbatLevel", "Shim"),
                [each for each in boot_events() if each.type == layout.EV_EFI_VARIABLE_AUTHORITY],
                strict=True,
            )
        ),
        applications=(sha256(b"shim"), sha256(b"grub"), sha256(b"kernel")),
        files=(("/boot/vmlinuz", sha256(b"kernel")), ("/boot/initrd.img", sha256(b"initrd"))),
        sections=(),
        command_lines=(COMMAND_LINE,),
    )


def test_every_check_is_listed():
    checks = Checks()
    log = checks.parse(
        boots.EVENT_LOG, eventlog.parse, SimulatedEventLog(boot_events()).raw, "an event log"
    )
    assert log is not None
    values = pcr_values(boot_events())
    boots.verify(log, verified_value(quotes.parse(QuoteTemplate(values, b"n").raw)), values, checks)
    assert [check.id for check in checks.made] == [
        "vtpm.eventlog",
        "vtpm.eventlog.unquoted",
        *["vtpm.eventlog.replay"] * 8,
        "vtpm.eventlog.separator",
        "vtpm.eventlog.injected",
    ]


def test_facts_are_verified_only_with_a_verified_quote():
    outcome, reasons = judged(boot_events(), wrap=unverified_value)
    assert isinstance(outcome, Unverified)
    assert reasons == []


def test_a_boot_without_secure_boot_is_reported():
    outcome, reasons = judged(boot_events(secure_boot=False))
    assert (reasons, outcome.value.secure_boot) == ([], False)


@pytest.mark.parametrize("pcr", range(8))
def test_a_log_with_another_replay_is_rejected_naming_the_pcr(pcr):
    extra = SimulatedEvent(pcr, 0x0D, b"not told")
    checks = Checks()
    values = pcr_values([*boot_events(), extra])
    quote = verified_value(quotes.parse(QuoteTemplate(values, b"nonce").raw))
    outcome = boots.verify(
        eventlog.parse(SimulatedEventLog(boot_events()).raw), quote, values, checks
    )
    assert isinstance(outcome, Unverified)
    assert failed_checks(checks) == ["vtpm.eventlog.replay"]
    (check,) = [check for check in checks.made if not check.ok]
    assert check.expected.startswith(f"PCR {pcr}: ")
    assert pcr in outcome.value.open


def test_a_pcr_that_does_not_replay_gives_no_facts():
    outcome, _ = judged(
        boot_events(), boot_events(secure_boot=False, kernel=b"other", command_line="other")
    )
    assert outcome.value == Boot(
        replayed=frozenset(range(24)) - {4, 7, 8, 9}, open=frozenset({4, 7, 8, 9})
    )


@pytest.mark.parametrize("pcr", [8, 9, 11, 12, 15])
def test_pcrs_extended_by_the_system_later_are_not_compared(pcr):
    outcome, reasons = judged(boot_events(), [*boot_events(), SimulatedEvent(pcr, 0x0D, b"later")])
    assert reasons == []
    assert isinstance(outcome, Verified)
    assert outcome.value.open == {pcr}
    assert outcome.value.command_lines == (() if pcr == 8 else (COMMAND_LINE,))


def test_the_pcrs_of_the_firmware_suffice():
    outcome, reasons = judged(boot_events(), selected=range(8))
    assert reasons == []
    assert isinstance(outcome, Verified)
    assert (outcome.value.secure_boot, outcome.value.command_lines) == (True, ())


@pytest.mark.parametrize("pcr", range(8))
def test_the_pcrs_of_the_firmware_must_be_quoted(pcr):
    outcome, reasons = judged(boot_events(), selected=sorted(set(range(24)) - {pcr}))
    assert isinstance(outcome, Unverified)
    assert reasons == ["vtpm.eventlog.unquoted"]


def test_event_data_differing_from_its_digest_is_rejected():
    off = variable_event("SecureBoot", b"\0", EFI)
    lie = replace(variable_event("SecureBoot", b"\1", EFI), digest=off.sha256)
    outcome, reasons = judged(firmware(lie))
    assert isinstance(outcome, Unverified)
    assert reasons == ["vtpm.eventlog.injected"]
    assert outcome.value.secure_boot is None


def test_event_types_are_not_measured_and_hide_nothing():
    off = variable_event("SecureBoot", b"\0", EFI)
    on = variable_event("SecureBoot", b"\1", EFI)
    hidden = replace(off, type=layout.EV_IPL, data=b"nothing", digest=off.sha256)
    moved = replace(separator_event(7), type=layout.EV_IPL)
    told = [*firmware(hidden)[:-1], moved, on, separator_event(7)]
    outcome, reasons = judged(told)
    assert isinstance(outcome, Unverified)
    assert reasons == ["vtpm.eventlog.injected"]
    assert outcome.value.secure_boot is None
    mislabelled = firmware(replace(off, type=layout.EV_IPL), rest=[on, separator_event(7)])
    assert judged(mislabelled)[0].value.secure_boot is False


def test_events_after_the_separator_do_not_belong_to_the_firmware():
    outcome, reasons = judged(firmware(rest=[variable_event("SecureBoot", b"\1", EFI)]))
    assert reasons == []
    assert outcome.value.secure_boot is None
    assert [name for name, _ in outcome.value.authorities] == ["SecureBoot"]


def test_a_pcr_without_a_separator_is_rejected():
    told = firmware(variable_event("SecureBoot", b"\1", EFI))[:-1]
    outcome, reasons = judged(told)
    assert isinstance(outcome, Unverified)
    assert reasons == ["vtpm.eventlog.separator"]
    assert outcome.value.secure_boot is None
    assert outcome.value.authorities == ()


def test_either_separator_closes_it():
    told = firmware(variable_event("SecureBoot", b"\1", EFI))[:-1]
    outcome, reasons = judged([*told, replace(separator_event(7), data=b"\xff" * 4)])
    assert (reasons, outcome.value.secure_boot) == ([], True)


ON = variable_event("SecureBoot", b"\1", EFI)


@pytest.mark.parametrize(
    ("own", "answer"),
    [
        ([ON], True),
        ([variable_event("SecureBoot", b"\0", EFI)], False),
        ([variable_event("SecureBoot", b"", EFI)], False),
        ([], None),
        ([ON, ON], None),
        ([ON, variable_event("SecureBoot", b"\0", EFI)], None),
        ([variable_event("SecureBoot", b"\2", EFI)], None),
        ([variable_event("SecureBoot", b"\1\0", EFI)], None),
        ([variable_event("SecureBoot", b"\1", DATABASE)], None),
        ([variable_event("SetupMode", b"\1", EFI)], None),
        ([replace(ON, data=ON.data + b"\0")], None),
        ([replace(ON, data=ON.data[:31])], None),
        ([replace(ON, data=ON.data[:16] + b"\xff" * 8 + ON.data[24:])], None),
        ([replace(ON, data=ON.data[:32] + b"\0\xd8" * 10 + b"\1")], None),
    ],
)
def test_secure_boot_has_exactly_one_valid_event(own, answer):
    assert facts(*own, separator_event(7)).secure_boot is answer


def test_a_database_is_the_first_of_its_name():
    told = [
        variable_event("db", b"all of it", DATABASE),
        variable_event("db", b"one entry", DATABASE, authority=True),
        variable_event("PK", b"not the platform key", DATABASE),
        separator_event(7),
    ]
    assert facts(*told).databases == {"db": sha256(b"all of it")}


def test_unmeasured_authorities_have_no_name():
    told = replace(variable_event("Shim", b"x", EFI, authority=True), digest=sha256(b"x"))
    assert facts(separator_event(7), told).authorities == (("", sha256(b"x")),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        ON.data + b"\0",
        ON.data[:-1],
        ON.data[:16] + b"\xff" * 8 + ON.data[24:],
        ON.data[:32] + b"\0\xd8" * 10 + b"\1",
    ],
)
def test_invalid_variables_have_no_name(data):
    told = replace(ON, data=data)
    assert facts(separator_event(7), told).authorities == (("", sha256(data)),)
    assert facts(separator_event(7), ON).authorities == (("SecureBoot", sha256(ON.data)),)


def test_an_application_cannot_be_hidden_behind_another_type():
    hidden = replace(application_event(b"evil"), type=layout.EV_IPL, data=b"evil")
    returned = SimulatedEvent(4, 0x80000007, b"Returning from EFI Application from Boot Option")
    found = facts(separator_event(4), application_event(b"shim"), hidden, returned)
    assert found.applications == (sha256(b"shim"), sha256(b"evil"))


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (grub_event(8, "kernel_cmdline: ro quiet", b"ro quiet"), ("ro quiet",)),
        (grub_event(8, "kernel_cmdline: ro quiet", b"rw"), ()),
        (grub_event(8, "grub_cmd: ro quiet", b"ro quiet"), ()),
        (grub_event(8, "kernel_cmdline: \N{SNOWMAN}", "\N{SNOWMAN}".encode()), ("\N{SNOWMAN}",)),
        (SimulatedEvent(12, 0x0D, utf16("ro\0")), ("ro",)),
        (SimulatedEvent(12, 0x0D, utf16("ro\0"), sha256(utf16("ro"))), ("ro",)),
        (SimulatedEvent(12, 0x0D, utf16("ro"), sha256(utf16("ro\0"))), ("ro",)),
        (SimulatedEvent(12, 0x0D, utf16("Credentials initrd\0"), sha256(b"cpio")), ()),
        (separator_event(12), ()),
        (SimulatedEvent(8, 0x0D, b"ro quiet"), ()),
        (SimulatedEvent(12, 0x0D, b"odd"), ()),
    ],
)
def test_command_lines_are_listed_with_their_pcr(event, lines):
    assert facts(event).command_lines == lines


def test_sections_of_a_uki_are_listed_by_name():
    told = []
    for name, content in ((".linux", b"kernel"), (".initrd", b"initrd")):
        label = utf16(name + "\0")
        told += [
            SimulatedEvent(11, 0x0D, label, sha256(name.encode() + b"\0")),
            SimulatedEvent(11, 0x0D, label, sha256(content)),
        ]
    assert facts(*told).sections == ((".linux", sha256(b"kernel")), (".initrd", sha256(b"initrd")))
    assert facts(*told[1:]).sections == ((".initrd", sha256(b"initrd")),)


@pytest.mark.slow
@given(
    st.lists(
        st.builds(
            SimulatedEvent,
            st.sampled_from([4, 7, 8, 9, 11, 12]),
            st.just(0x0D),
            st.binary(max_size=40) | st.just(ON.data),
            st.none() | st.binary(min_size=32, max_size=32),
        ),
        max_size=6,
    )
)
def test_any_events_have_facts(events):
    facts(*events)
