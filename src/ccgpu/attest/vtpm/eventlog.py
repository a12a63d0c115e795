"""The parser of the firmware's event log (TCG2, crypto-agile; little endian), and its replay.

A log proves nothing until it replays to quoted PCR values. Even then only digests were measured:
an event's data counts only if it hashes to its digest.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.vtpm import layout

_PFP = "TCG PC Client Platform Firmware Profile 1.05"

SIZE = Rule("vtpm.eventlog.size", "the event log is of a sane size", f"{_PFP}, §10.1")
SHORT = Rule("vtpm.eventlog.short", "the event log ends with its last event", f"{_PFP}, §10.2.2")
HEADER = Rule("vtpm.eventlog.header", "the event log is crypto-agile", f"{_PFP}, §10.4.5.1")
ALGORITHMS = Rule(
    "vtpm.eventlog.algorithms", "the log says how its digests are made", f"{_PFP}, §10.4.5.1"
)
SHA256 = Rule("vtpm.eventlog.sha256", "the event log has digests of SHA-256", f"{_PFP}, §10.4.5.1")
DIGESTS = Rule(
    "vtpm.eventlog.digests", "every event has one digest for each algorithm", f"{_PFP}, §10.2.2"
)
PCR = Rule("vtpm.eventlog.pcr", "every event is measured to one of 24 PCRs", f"{_PFP}, §10.2.2")
LOCALITY = Rule(
    "vtpm.eventlog.locality",
    "the startup locality is 0, 3 or 4, and said once, before PCR 0 is measured to",
    f"{_PFP}, §10.4.5.3",
)

SIZE_LIMIT = 1024 * 1024  # those of Azure VMs stay below 64 KiB
_EVENT_LIMIT = 8192
_DYNAMIC_PCRS = range(17, 23)  # they start as all ones, PC Client Platform TPM Profile, §4.6.2


@dataclass(frozen=True, slots=True)
class PcrEvent:
    """One event: PCR, type, SHA-256 digest (32 bytes), and the data that the log states."""

    pcr: int
    type: int
    digest: bytes
    data: bytes

    @property
    def says_what_was_measured(self) -> bool:
        """Whether the digest is the SHA-256 of the event's data."""
        return hashlib.sha256(self.data).digest() == self.digest


@dataclass(frozen=True, slots=True)
class EventLog:
    """An event log: its measured events in order, without those of type EV_NO_ACTION."""

    events: tuple[PcrEvent, ...]
    startup_locality: int = 0


class _LogCursor:
    """Reads bytes and numbers, one after the other; `Malformed` at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise Malformed(SHORT, f"{size} bytes at {self._at}", f"{len(taken)} bytes")
        self._at += size
        return taken

    def number(self, size: int = 4) -> int:
        return int.from_bytes(self.take(size), "little")


def parse(data: bytes) -> EventLog:
    """Parse an event log (at most 1 MiB and 8192 events), or raise `Malformed`."""
    if len(data) > SIZE_LIMIT:
        raise Malformed(SIZE, f"at most {SIZE_LIMIT} bytes", f"{len(data)} bytes")
    cursor = _LogCursor(data)
    sizes = _header(cursor)
    events: list[PcrEvent] = []
    locality: int | None = None
    for _ in range(_EVENT_LIMIT):
        if not cursor:
            return EventLog(tuple(events), locality or 0)
        event = _event(cursor, sizes)
        if event.type != layout.EV_NO_ACTION:
            if event.pcr >= layout.PCR_COUNT:
                raise Malformed(PCR, "0 to 23", event.pcr)
            events.append(event)
        elif event.data.startswith(layout.LOCALITY_SIGNATURE):
            locality = _locality(event, events, locality)
    raise Malformed(SIZE, f"fewer than {_EVENT_LIMIT} events", "more")


def replay(log: EventLog) -> Mapping[int, bytes]:
    """The value (32 bytes) of each of 24 PCRs after the log's events."""
    pcrs = {
        index: (b"\xff" if index in _DYNAMIC_PCRS else b"\0") * layout.DIGEST_SIZE
        for index in range(layout.PCR_COUNT)
    }
    pcrs[0] = log.startup_locality.to_bytes(layout.DIGEST_SIZE, "big")
    for event in log.events:
        pcrs[event.pcr] = hashlib.sha256(pcrs[event.pcr] + event.digest).digest()
    return pcrs


def _header(cursor: _LogCursor) -> Mapping[int, int]:
    """The digest size of each algorithm, from the log's first event."""
    first = cursor.take(layout.FIRST_EVENT["eventSize"].end)
    fields = {name: field.of(first) for name, field in layout.FIRST_EVENT.items()}
    no_action = layout.EV_NO_ACTION.to_bytes(4, "little")
    if fields["pcrIndex"] + fields["eventType"] != bytes(4) + no_action or any(fields["digest"]):
        raise Malformed(HEADER, "EV_NO_ACTION of PCR 0", first[:28])
    event = _LogCursor(cursor.take(int.from_bytes(fields["eventSize"], "little")))
    spec_id = event.take(layout.SPEC_ID["numberOfAlgorithms"].end)
    spec_fields = {name: field.of(spec_id) for name, field in layout.SPEC_ID.items()}
    if (
        spec_fields["signature"] != layout.SPEC_ID_SIGNATURE
        or spec_fields["specVersionMajor"] != b"\2"
    ):
        raise Malformed(HEADER, "Spec ID Event03, version 2", spec_id[:23])
    sizes = _algorithms(event, int.from_bytes(spec_fields["numberOfAlgorithms"], "little"))
    event.take(event.number(1))  # vendorInfo
    if event:
        raise Malformed(HEADER, "nothing after vendorInfo", "more")
    return sizes


def _algorithms(event: _LogCursor, count: int) -> Mapping[int, int]:
    if not 1 <= count <= len(layout.HASH_SIZES):
        raise Malformed(ALGORITHMS, f"1 to {len(layout.HASH_SIZES)}", count)
    sizes: dict[int, int] = {}
    for _ in range(count):
        algorithm, size = event.number(2), event.number(2)
        if layout.HASH_SIZES.get(algorithm) != size or algorithm in sizes:
            raise Malformed(ALGORITHMS, "known algorithms, each once", f"{algorithm:#x}: {size}")
        sizes[algorithm] = size
    if layout.ALG_SHA256 not in sizes:
        raise Malformed(SHA256, f"{layout.ALG_SHA256:#x}", [f"{each:#x}" for each in sizes])
    return sizes


def _event(cursor: _LogCursor, sizes: Mapping[int, int]) -> PcrEvent:
    """One TCG_PCR_EVENT2."""
    pcr, kind, count = cursor.number(), cursor.number(), cursor.number()
    if count != len(sizes):
        raise Malformed(DIGESTS, f"{len(sizes)} digests", f"{count} digests")
    digests: dict[int, bytes] = {}
    for _ in range(count):
        algorithm = cursor.number(2)
        if algorithm not in sizes or algorithm in digests:
            raise Malformed(DIGESTS, "each algorithm of the header once", f"{algorithm:#x}")
        digests[algorithm] = cursor.take(sizes[algorithm])
    return PcrEvent(pcr, kind, digests[layout.ALG_SHA256], cursor.take(cursor.number()))


def _locality(event: PcrEvent, before: list[PcrEvent], known: int | None) -> int:
    value = event.data[len(layout.LOCALITY_SIGNATURE) :]
    late = any(each.pcr == 0 for each in before)
    if event.pcr != 0 or len(value) != 1 or value[0] not in layout.LOCALITIES:
        raise Malformed(LOCALITY, layout.LOCALITIES, value[:8])
    if late or known is not None:
        raise Malformed(LOCALITY, "once, first", "late" if late else "twice")
    return value[0]
