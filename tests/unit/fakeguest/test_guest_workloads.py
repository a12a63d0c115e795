"""A simulated guest that starts workloads: its log, PCR 13, and guests that lie about them."""

import base64
import hashlib

import pytest

from ccgpu.fakeguest import workload_log
from support.guest_evidence import collect, hardware_of, judge, judge_with
from support.guest_evidence import fetch as fetch_collateral
from support.workload_events import event, log_of

_ONE, _TWO, _THREE = event("one"), event("two"), event("three")


def _start(bench, *events):
    with hardware_of(bench) as hardware:
        return [workload_log.append_event(hardware.guest, each) for each in events]


def _log(document):
    return base64.b64decode(document["cpu"]["workload_log"])


def test_a_new_guest_has_no_log_and_a_zero_pcr(bench):
    document = collect(bench)
    assert "workload_log" not in document["cpu"]
    assert document["cpu"]["pcrs"]["13"] == "00" * 32


def test_a_guest_measures_and_logs_what_it_starts(bench):
    lines = _start(bench, _ONE, _TWO)
    document = collect(bench)

    value = bytes(32)
    for line in lines:
        value = hashlib.sha256(value + hashlib.sha256(line).digest()).digest()
    assert document["cpu"]["pcrs"]["13"] == value.hex()
    assert _log(document) == log_of(_ONE, _TWO)
    done = bench.channel.run(["cat", workload_log.PATH], b"", timeout=60)
    assert done.stdout == log_of(_ONE, _TWO)

    found = judge(bench, document)
    assert (found.verdict, found.reasons) == ("accepted", ())
    assert [(each.name, each.replayed) for each in found.workloads] == [
        ("one", True),
        ("two", True),
    ]


def test_log_and_pcr_begin_anew_at_a_boot(bench):
    _start(bench, _ONE)
    bench.reboot()
    document = collect(bench)
    assert "workload_log" not in document["cpu"]
    assert document["cpu"]["pcrs"]["13"] == "00" * 32

    _start(bench, _TWO)
    document = collect(bench)
    assert _log(document) == log_of(_TWO)
    assert judge(bench, document).verdict == "accepted"


def _remove(guest):
    workload_log.write_log(guest, log_of(_ONE, _THREE))


def _swap(guest):
    workload_log.write_log(guest, log_of(_TWO, _ONE, _THREE))


def _edit(guest):
    log = workload_log.read_log(guest) or b""
    workload_log.write_log(guest, log.replace(b"server:1.2", b"server:1.3"))


def _cut(guest):
    workload_log.write_log(guest, (workload_log.read_log(guest) or b"")[:-1])


def _extend(guest):
    guest.extend_pcr13(hashlib.sha256(workload_log.encode_event(event("hidden"))).digest())


def _add(guest):
    log = workload_log.read_log(guest) or b""
    workload_log.write_log(guest, log + log_of(event("never-started")))


_HOSTILE = {
    "a line removed": (_remove, "workloads.log.replay"),
    "two lines swapped": (_swap, "workloads.log.replay"),
    "a line edited": (_edit, "workloads.log.replay"),
    "the last line cut off": (_cut, "workloads.log.lines"),
    "extended without a line": (_extend, "workloads.log.replay"),
    "a line without extending": (_add, "workloads.log.replay"),
}


@pytest.mark.parametrize("case", _HOSTILE)
def test_a_guest_whose_log_is_not_what_it_measured_is_refused(bench, case):
    change, reason = _HOSTILE[case]
    _start(bench, _ONE, _TWO, _THREE)
    with hardware_of(bench) as hardware:
        change(hardware.guest)
    assert judge(bench, collect(bench)).reasons == (reason,)


def test_a_log_of_what_was_never_measured_is_refused(bench):
    with hardware_of(bench) as hardware:
        _add(hardware.guest)
    assert judge(bench, collect(bench)).reasons == ("workloads.log.unmeasured",)


def test_a_guest_that_hides_its_log_is_not_believed_to_have_run_nothing(bench):
    _start(bench, _ONE)
    with hardware_of(bench) as hardware:
        workload_log.write_log(hardware.guest, None)
    found = judge(bench, collect(bench))
    assert found.verdict == "accepted"
    assert "what PCR 13 was extended with: the evidence has no log of workloads" in found.not_proven


def test_the_log_of_an_earlier_answer_is_refused(bench):
    _start(bench, _ONE)
    before = collect(bench)
    _start(bench, _TWO)
    document = dict(collect(bench))
    document["cpu"] = {**document["cpu"], "workload_log": before["cpu"]["workload_log"]}
    assert judge(bench, document).reasons == ("workloads.log.replay",)


@pytest.mark.slow
def test_a_changed_byte_of_the_log_is_refused(bench):
    _start(bench, _ONE)
    document = dict(collect(bench))
    fetched, log = fetch_collateral(bench, document), _log(document)
    for position in range(0, len(log), 29):
        changed = bytearray(log)
        changed[position] ^= 1 + position % 255
        text = base64.b64encode(bytes(changed)).decode()
        document["cpu"] = {**document["cpu"], "workload_log": text}
        assert judge_with(bench, document, fetched).verdict == "rejected", position
