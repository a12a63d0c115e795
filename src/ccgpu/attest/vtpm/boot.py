"""Verifies an event log against quoted PCR values, and derives facts of the boot from it.

Only digests are measured, neither an event's data nor its type. So facts come from digests, from
data that hashes to them, and from order: events before the firmware's separator are the firmware's.
The firmware's PCRs must replay. Those of the operating system may have been extended after the log
ended; they are then `open` and give no facts.
"""

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ccgpu.attest.check import Checks, Outcome, Rule
from ccgpu.attest.vtpm import eventlog, layout, mok
from ccgpu.attest.vtpm.event_data import UefiVariable, parse_variable, tag_id, utf8, utf16
from ccgpu.attest.vtpm.eventlog import EventLog, PcrEvent
from ccgpu.attest.vtpm.mok import MokState
from ccgpu.attest.vtpm.quote import Quote

_PFP = "TCG PC Client Platform Firmware Profile 1.05"

EVENT_LOG = Rule("vtpm.eventlog", "the event log can be read", f"{_PFP}, §10.1")
UNQUOTED = Rule("vtpm.eventlog.unquoted", "the firmware's PCRs are quoted", f"{_PFP}, §3.3.4")
REPLAY = Rule("vtpm.eventlog.replay", "the event log replays to the quoted PCRs", f"{_PFP}, §10.1")
SEPARATOR = Rule(
    "vtpm.eventlog.separator", "the firmware closed its part of PCR 7", f"{_PFP}, §3.3.4.8"
)
INJECTED = Rule(
    "vtpm.eventlog.injected",
    "the data of the firmware's events in PCR 7 is what was measured",
    f"{_PFP}, §3.3.4.8; GO-2026-5298",
)

FIRMWARE_PCRS = frozenset(range(8))  # PFP §3.3.4: only firmware and boot loader extend these
_BOOT_APPLICATIONS = 4
_SECURE_BOOT = 7
_GRUB_STRINGS, _GRUB_FILES = 8, 9  # GRUB manual, "Measured Boot"
_UKI, _STUB_STRINGS = 11, 12  # systemd, docs/TPM2_PCR_MEASUREMENTS.md
_GRUB_COMMAND_LINE = b"kernel_cmdline: "


def _digests(*measured: bytes) -> frozenset[bytes]:
    return frozenset(hashlib.sha256(each).digest() for each in measured)


_SEPARATORS = _digests(bytes(4), b"\xff" * 4)  # EV_SEPARATOR, PFP §10.4.1
_ACTIONS = _digests(  # EV_EFI_ACTION of PCR 4, PFP §10.4.4
    b"Calling EFI Application from Boot Option",
    b"Returning from EFI Application from Boot Option",
)
_DATABASES = (  # UEFI 2.10, §32.3 and §32.4.1
    (layout.EFI_GLOBAL_VARIABLE, "PK"),
    (layout.EFI_GLOBAL_VARIABLE, "KEK"),
    (layout.IMAGE_SECURITY_DATABASE, "db"),
    (layout.IMAGE_SECURITY_DATABASE, "dbx"),
)


@dataclass(frozen=True, slots=True)
class Boot:
    """Facts of a boot; one that the log does not prove is None or missing. Digests are SHA-256.

    `replayed`, `open`: quoted PCRs that the log replays to, and others. `moksb`: shim's MokSBState.
    `databases`: digests of PK, KEK, db and dbx. `authorities`: entries (variable or "", digest)
    that authorised images. `applications`: Authenticode digests of what was started, in order:
    shim, boot loader, kernel or UKI. The operating system may extend the PCRs of the following
    ones, so that entries may be added, but none removed: `files` that GRUB read (stated name,
    digest), `handed_over`: what the kernel's EFI stub was given (name, digest), `sections` of a UKI
    (name, digest), `command_lines` of the kernel, verbatim.
    """

    replayed: frozenset[int]
    open: frozenset[int]
    secure_boot: bool | None = None
    moksb: MokState = "absent"
    databases: Mapping[str, bytes] = field(default_factory=dict)
    authorities: Sequence[tuple[str, bytes]] = ()
    applications: Sequence[bytes] = ()
    files: Sequence[tuple[str, bytes]] = ()
    handed_over: Sequence[tuple[str, bytes]] = ()
    sections: Sequence[tuple[str, bytes]] = ()
    command_lines: Sequence[str] = ()


def verify(
    log: EventLog, quote: Outcome[Quote], pcrs: Mapping[int, bytes], checks: Checks
) -> Outcome[Boot]:
    """The facts, verified if the quote is and the log replays to `pcrs` (index to 32 bytes)."""
    since = checks.checkpoint()
    quoted = quote.value.selected & pcrs.keys()
    # 1. The firmware's PCRs are quoted (PFP §3.3.4).
    checks.record(
        UNQUOTED, quoted >= FIRMWARE_PCRS, sorted(FIRMWARE_PCRS), sorted(quoted & FIRMWARE_PCRS)
    )
    # 2. The log replays to them (PFP §10.1).
    ends = eventlog.replay(log)
    replayed = frozenset(index for index in quoted if ends[index] == pcrs[index])
    for index in sorted(quoted & FIRMWARE_PCRS):
        what = f"PCR {index}: "
        checks.record_equal(REPLAY, what + pcrs[index].hex(), what + ends[index].hex())
    # 3. The data of the firmware's events in PCR 7 is what was measured (PFP §3.3.4.8).
    events = [event for event in log.events if event.pcr == _SECURE_BOOT]
    own = _firmware_events(events)
    checks.record(SEPARATOR, len(own) < len(events), "a separator", f"{len(events)} events")
    false = sum(not event.says_what_was_measured for event in own)
    checks.record_equal(
        INJECTED, "0 events of another content", f"{false} events of another content"
    )
    return checks.conclude(boot_facts(log, replayed, quoted - replayed), since, quote)


def boot_facts(log: EventLog, replayed: frozenset[int], left: frozenset[int]) -> Boot:
    """The facts in the events of the PCRs in `replayed`; `left`: quoted PCRs that are open."""
    by_pcr: dict[int, list[PcrEvent]] = {index: [] for index in range(layout.PCR_COUNT)}
    for event in log.events:
        if event.pcr in replayed:
            by_pcr[event.pcr].append(event)
    state = by_pcr[_SECURE_BOOT]
    own = _firmware_events(state)
    variables = [each for each in map(_variable, own) if each] if len(own) < len(state) else []
    return Boot(
        replayed=replayed,
        open=left,
        secure_boot=_secure_boot(variables),
        moksb=mok.mok_state(event for pcr in mok.PCRS for event in by_pcr[pcr]),
        databases=_databases(variables),
        authorities=tuple(_authorities(state[len(own) + 1 :])),
        applications=tuple(
            event.digest
            for event in by_pcr[_BOOT_APPLICATIONS]
            if event.digest not in _SEPARATORS | _ACTIONS
        ),
        files=tuple(_files(by_pcr[_GRUB_FILES])),
        handed_over=tuple(_handed_over(by_pcr[_GRUB_FILES])),
        sections=tuple(_sections(by_pcr[_UKI])),
        command_lines=(
            *_grub_command_lines(by_pcr[_GRUB_STRINGS]),
            *_stub_command_lines(by_pcr[_STUB_STRINGS]),
        ),
    )


def _firmware_events(events: Sequence[PcrEvent]) -> Sequence[PcrEvent]:
    """The firmware's events: those before its separator; all if there is none."""
    return tuple(itertools.takewhile(lambda event: event.digest not in _SEPARATORS, events))


def _variable(event: PcrEvent) -> UefiVariable | None:
    """The measured variable; None if it is none, or was not measured so."""
    return parse_variable(event.data) if event.says_what_was_measured else None


def _secure_boot(variables: Sequence[UefiVariable]) -> bool | None:
    wanted = (layout.EFI_GLOBAL_VARIABLE, "SecureBoot")
    values = [each.content for each in variables if (each.vendor, each.name) == wanted]
    if len(values) != 1 or values[0] not in (b"", b"\0", b"\1"):
        return None
    return values[0] == b"\1"


def _databases(variables: Sequence[UefiVariable]) -> Mapping[str, bytes]:
    """The first variable of each name: later ones are authorities, named by their database."""
    databases: dict[str, bytes] = {}
    for each in variables:
        if (each.vendor, each.name) in _DATABASES:
            databases.setdefault(each.name, hashlib.sha256(each.content).digest())
    return databases


def _authorities(events: Sequence[PcrEvent]) -> Iterator[tuple[str, bytes]]:
    for event in events:
        variable = _variable(event)
        yield variable.name if variable else "", event.digest


def _files(events: Sequence[PcrEvent]) -> Iterator[tuple[str, bytes]]:
    for event in events:
        if event.type != layout.EV_EVENT_TAG:
            yield utf8(event.data), event.digest


def _handed_over(events: Sequence[PcrEvent]) -> Iterator[tuple[str, bytes]]:
    """Tagged events of the kernel's EFI stub: load options and initrd (layout.STUB_TAGS)."""
    for event in events:
        if event.type == layout.EV_EVENT_TAG:
            tag = tag_id(event.data)
            yield layout.STUB_TAGS.get(tag or 0, f"tag {tag:#x}" if tag else "no tag"), event.digest


def _sections(events: Sequence[PcrEvent]) -> Iterator[tuple[str, bytes]]:
    """Pairs of events: a section's name (ASCII, with its NUL), then the section."""
    for name, section in itertools.pairwise(events):
        text = utf16(name.data)
        if text and hashlib.sha256(text.encode() + b"\0").digest() == name.digest:
            yield text, section.digest


def _grub_command_lines(events: Sequence[PcrEvent]) -> Iterator[str]:
    for event in events:
        line = event.data.removeprefix(_GRUB_COMMAND_LINE).rstrip(b"\0")
        labelled = event.data.startswith(_GRUB_COMMAND_LINE)
        if labelled and hashlib.sha256(line).digest() == event.digest:
            yield line.decode("utf-8", "replace")


def _stub_command_lines(events: Sequence[PcrEvent]) -> Iterator[str]:
    """Command lines in UTF-16; older stubs measure the terminating NUL too."""
    for event in events:
        bare = event.data.removesuffix(b"\0\0")
        text = utf16(bare)
        if text and event.digest in _digests(bare, bare + b"\0\0"):
            yield text
