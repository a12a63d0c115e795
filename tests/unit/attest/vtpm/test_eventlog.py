"""Event logs: read to the last byte, replayed as the TPM extended."""

import contextlib
import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Malformed
from ccgpu.attest.fields import table
from ccgpu.attest.vtpm import eventlog, layout
from ccgpu.fakeguest.evidence.eventlog import (
    SimulatedEvent,
    SimulatedEventLog,
    boot_events,
    locality_event,
    pcr_values,
    spec_id_event,
)

SHA256 = {layout.ALG_SHA256: 32}
BOTH = {layout.ALG_SHA1: 20, layout.ALG_SHA256: 32}
VALID = SimulatedEventLog(boot_events())
ONE = SimulatedEvent(4, 0x0D, b"grub")


def refusal(raw: bytes) -> str:
    with pytest.raises(Malformed) as caught:
        eventlog.parse(raw)
    return caught.value.rule.id


@pytest.mark.parametrize(
    ("fields", "size"), [(layout.FIRST_EVENT, 32), (layout.SPEC_ID, 28), (layout.VARIABLE, 32)]
)
def test_the_tables_tile(fields, size):
    assert table(tuple(fields.values()), size) == fields


@pytest.mark.parametrize("algorithms", [SHA256, BOTH, layout.HASH_SIZES])
def test_events_are_read_in_any_set_of_banks(algorithms):
    log = eventlog.parse(SimulatedEventLog(boot_events(), algorithms).raw)
    measured = [event for event in boot_events() if event.type != layout.EV_NO_ACTION]
    assert [(e.pcr, e.type, e.digest, e.data) for e in log.events] == [
        (e.pcr, e.type, e.sha256, e.data) for e in measured
    ]
    assert log.startup_locality == 3


def test_digests_may_stand_in_any_order():
    digests = [(layout.ALG_SHA256, b"\2" * 32), (layout.ALG_SHA1, b"\1" * 20)]
    log = eventlog.parse(SimulatedEventLog([replace(ONE, digests=digests)], BOTH).raw)
    assert log.events[0].digest == b"\2" * 32


def test_a_replay_extends_each_pcr_in_order():
    log = eventlog.parse(SimulatedEventLog([ONE, replace(ONE, data=b"kernel")]).raw)
    first = hashlib.sha256(bytes(32) + hashlib.sha256(b"grub").digest()).digest()
    second = hashlib.sha256(first + hashlib.sha256(b"kernel").digest()).digest()
    ends = eventlog.replay(log)
    assert ends[4] == second
    assert {ends[index] for index in {*range(17), 23} - {4}} == {bytes(32)}
    assert {ends[index] for index in range(17, 23)} == {b"\xff" * 32}


@pytest.mark.parametrize("value", [0, 3, 4])
def test_pcr_0_begins_with_the_startup_locality(value):
    log = eventlog.parse(SimulatedEventLog([locality_event(value)]).raw)
    assert eventlog.replay(log)[0] == bytes(31) + bytes([value])


@given(st.lists(st.tuples(st.integers(0, 23), st.binary(max_size=9)), max_size=20))
def test_a_replay_ends_where_the_simulated_tpm_does(measured):
    events = [SimulatedEvent(pcr, 0x0D, data) for pcr, data in measured]
    assert eventlog.replay(eventlog.parse(SimulatedEventLog(events).raw)) == pcr_values(events)


def test_no_action_events_are_not_measured():
    notes = [
        SimulatedEvent(0xFFFFFFFF, layout.EV_NO_ACTION, b"TXT"),
        SimulatedEvent(0, layout.EV_NO_ACTION, b""),
    ]
    log = eventlog.parse(SimulatedEventLog([*notes, ONE, *notes]).raw)
    assert log == eventlog.parse(SimulatedEventLog([ONE]).raw)


def test_a_log_may_be_as_large_as_the_limit():
    overhead = len(SimulatedEventLog([ONE]).raw) - len(ONE.data)
    largest = SimulatedEventLog([replace(ONE, data=bytes(1024 * 1024 - overhead))]).raw
    assert len(largest) == 1024 * 1024
    assert len(eventlog.parse(largest).events) == 1


def test_a_log_may_be_empty():
    assert eventlog.parse(SimulatedEventLog([]).raw).events == ()


NO_ACTION = layout.EV_NO_ACTION.to_bytes(4, "little")
PCR0 = SimulatedEvent(0, 8, b"firmware")
REFUSED = [
    (bytes(1024 * 1024 + 1), "vtpm.eventlog.size"),
    (SimulatedEventLog([replace(ONE, data=b"")] * 8192).raw, "vtpm.eventlog.size"),
    (b"", "vtpm.eventlog.short"),
    (VALID.raw[:-1], "vtpm.eventlog.short"),
    (VALID.raw + b"\0", "vtpm.eventlog.short"),
    (VALID.raw + bytes(12), "vtpm.eventlog.digests"),
    (
        SimulatedEventLog([], first=b"\1" + bytes(3) + NO_ACTION + bytes(20)).raw,
        "vtpm.eventlog.header",
    ),
    (SimulatedEventLog([], first=bytes(4) + b"\x08\0\0\0" + bytes(20)).raw, "vtpm.eventlog.header"),
    (SimulatedEventLog([], first=bytes(4) + NO_ACTION + b"\1" * 20).raw, "vtpm.eventlog.header"),
    (SimulatedEventLog([], header=spec_id_event(SHA256, major=1)).raw, "vtpm.eventlog.header"),
    (
        SimulatedEventLog([], header=b"Spec ID Event02\0" + spec_id_event(SHA256)[16:]).raw,
        "vtpm.eventlog.header",
    ),
    (SimulatedEventLog([], header=spec_id_event(SHA256) + b"\0").raw, "vtpm.eventlog.header"),
    (SimulatedEventLog([], header=spec_id_event(SHA256)[:-1]).raw, "vtpm.eventlog.short"),
    (
        SimulatedEventLog([], header=spec_id_event(SHA256, b"vendor")[:-1]).raw,
        "vtpm.eventlog.short",
    ),
    (SimulatedEventLog([], header=spec_id_event({})).raw, "vtpm.eventlog.algorithms"),
    (
        SimulatedEventLog([], header=spec_id_event({layout.ALG_SHA256: 20})).raw,
        "vtpm.eventlog.algorithms",
    ),
    (
        SimulatedEventLog([], header=spec_id_event({**SHA256, 0x27: 32})).raw,
        "vtpm.eventlog.algorithms",
    ),
    (
        SimulatedEventLog(
            [], header=spec_id_event(SHA256)[:24] + b"\2\0\0\0" + b"\x0b\0\x20\0" * 2 + b"\0"
        ).raw,
        "vtpm.eventlog.algorithms",
    ),
    (
        SimulatedEventLog([], header=spec_id_event(SHA256)[:24] + b"\xff" * 4).raw,
        "vtpm.eventlog.algorithms",
    ),
    (SimulatedEventLog([], {layout.ALG_SHA1: 20}).raw, "vtpm.eventlog.sha256"),
    (SimulatedEventLog([replace(ONE, digests=[])]).raw, "vtpm.eventlog.digests"),
    (
        SimulatedEventLog([replace(ONE, digests=[(11, bytes(32))])], BOTH).raw,
        "vtpm.eventlog.digests",
    ),
    (
        SimulatedEventLog([replace(ONE, digests=[(11, bytes(32))] * 2)], BOTH).raw,
        "vtpm.eventlog.digests",
    ),
    (SimulatedEventLog([replace(ONE, digests=[(12, bytes(48))])]).raw, "vtpm.eventlog.digests"),
    (SimulatedEventLog([replace(ONE, pcr=24)]).raw, "vtpm.eventlog.pcr"),
    (SimulatedEventLog([replace(ONE, pcr=0xFFFFFFFF)]).raw, "vtpm.eventlog.pcr"),
    (SimulatedEventLog([locality_event(1)]).raw, "vtpm.eventlog.locality"),
    (SimulatedEventLog([replace(locality_event(3), pcr=1)]).raw, "vtpm.eventlog.locality"),
    (
        SimulatedEventLog([replace(locality_event(3), data=locality_event(3).data + b"\0")]).raw,
        "vtpm.eventlog.locality",
    ),
    (
        SimulatedEventLog([replace(locality_event(3), data=locality_event(3).data[:-1])]).raw,
        "vtpm.eventlog.locality",
    ),
    (SimulatedEventLog([locality_event(3), locality_event(3)]).raw, "vtpm.eventlog.locality"),
    (SimulatedEventLog([locality_event(0), locality_event(3)]).raw, "vtpm.eventlog.locality"),
    (SimulatedEventLog([PCR0, locality_event(3)]).raw, "vtpm.eventlog.locality"),
]


@pytest.mark.parametrize(("raw", "id_"), REFUSED, ids=range(len(REFUSED)))
def test_invalid_logs_are_refused(raw, id_):
    assert refusal(raw) == id_


def test_the_startup_locality_may_follow_other_pcrs():
    assert eventlog.parse(SimulatedEventLog([ONE, locality_event(3)]).raw).startup_locality == 3


def test_a_sha1_log_is_refused_for_its_header():
    old = bytes(4) + b"\x08\0\0\0" + bytes(20) + b"\x02\0\0\0" + bytes(2)
    assert refusal(old) == "vtpm.eventlog.header"


@given(st.binary() | st.binary().map(lambda tail: SimulatedEventLog([]).raw + tail))
def test_any_bytes_are_a_log_or_malformed(data):
    with contextlib.suppress(Malformed):
        eventlog.replay(eventlog.parse(data))


@given(st.integers(0, len(VALID.raw)), st.integers(0, 8), st.binary(max_size=8))
def test_a_changed_log_is_parsed_or_malformed(at, cut, new):
    raw = VALID.raw
    with contextlib.suppress(Malformed):
        eventlog.parse(raw[:at] + new + raw[at + cut :])
