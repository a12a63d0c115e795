"""The log of workloads: what is read, and that it has to replay to PCR 13 of the quote."""

import contextlib
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest import workload_log
from ccgpu.attest.check import Checks, Malformed, Verified
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.reference_values import PINNED_PCRS
from ccgpu.fakeguest.evidence.cpu import SimulatedVm
from support.vms import Judge, nonce_evidence, vm
from support.workload_events import MODEL, encode, event, log_of, vm_with

_ZERO = bytes(32)
_DIGEST = f"sha256:{'00' * 32}"


def _made(data, pcrs, *, required=False):
    checks = Checks()
    outcome = workload_log.verify(data, pcrs, checks, required=required)
    return outcome, [(made.id, made.ok, made.expected, made.actual) for made in checks.made]


def _pcr(log: bytes) -> bytes:
    value = _ZERO
    for line in log.splitlines():
        value = hashlib.sha256(value + hashlib.sha256(line).digest()).digest()
    return value


def test_an_event_is_read_with_all_of_it():
    line = encode(event())
    log = workload_log.parse(line + b"\n")

    assert log.pcr == _pcr(line)
    assert log.events == (
        workload_log.WorkloadEvent(
            name="chat",
            image="registry.example/server:1.2",
            image_digest=f"sha256:{'d1' * 32}",
            command=tuple(event()["command"]),
            mounts=("/mnt/ccgpu/models/m:/models:ro",),
            model=workload_log.WorkloadModel(**MODEL),
            environment=("HF_HOME",),
            digest=hashlib.sha256(line).digest(),
        ),
    )


def test_events_stay_in_order_and_lead_to_one_value():
    log = log_of(event("one"), event("two", model=None, environment=[], mounts=[]), event("one"))
    read = workload_log.parse(log)

    assert [each.name for each in read.events] == ["one", "two", "one"]
    assert read.events[1].model is None
    assert read.pcr == _pcr(log)


def test_a_text_may_hold_any_character_but_nul():
    odd = ["sh", "-c", "a\nb\x1b[2J\u202e\U0001f600 \"'\\"]
    (read,) = workload_log.parse(log_of(event(command=odd))).events
    assert read.command == tuple(odd)


_GOOD = encode(event()).decode()
_LONG = "x" * workload_log.MAX_LINE
_VALUES: list[tuple[str, Any]] = [
    ("schema", "ccgpu.workload-event/2"),
    ("schema", None),
    ("name", ""),
    ("name", "Chat"),
    ("name", "-chat"),
    ("name", "a" * 64),
    ("name", "chat\n"),
    ("name", 1),
    ("image", ""),
    ("image", "a b"),
    ("image", "a\x1b[2J"),
    ("image", "a" * 513),
    ("image", ["a"]),
    ("image_digest", "d1" * 32),
    ("image_digest", f"sha256:{'D1' * 32}"),
    ("image_digest", f"sha256:{'d1' * 31}"),
    ("image_digest", f"sha256:{'d1' * 32}\n"),
    ("command", "run"),
    ("command", None),
    ("command", {"run": "x"}),
    ("command", ["run", 1]),
    ("command", [["run"]]),
    ("mounts", "a:b"),
    ("mounts", [None]),
    ("environment", {"A": "B"}),
    ("environment", ["A=B"]),
    ("environment", [""]),
    ("environment", ["A B"]),
    ("model", "example/small-model"),
    ("model", []),
    ("model", False),
]
_MODEL_CHANGES: list[dict[str, Any]] = [
    {"commit": "0123"},
    {"commit": MODEL["commit"].upper()},
    {"repository": ""},
    {"repository": "a b"},
    {"manifest": "5c" * 32},
    {"manifest": None},
]
_REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "workloads.log.lines"),
    "no line feed": (_GOOD.encode(), "workloads.log.lines"),
    "text after the last": (f"{_GOOD}\n{{".encode(), "workloads.log.lines"),
    "a blank line": (f"{_GOOD}\n\n".encode(), "workloads.log.json"),
    "a line feed of Windows": (f"{_GOOD}\r\n".encode(), "workloads.log.canonical"),
    "no JSON": (b"chat\n", "workloads.log.json"),
    "not UTF-8": (b"\xff\n", "workloads.log.json"),
    "no object": (b"[]\n", "workloads.log.json"),
    "null": (b"null\n", "workloads.log.json"),
    "a key twice": (
        _GOOD.replace('{"command"', '{"model":null,"command"').encode() + b"\n",
        "workloads.log.json",
    ),
    "an escaped NUL": (log_of(event(command=["\0"])), "workloads.log.json"),
    "half a surrogate pair": (log_of(event(command=["\ud800"])), "workloads.log.json"),
    "not a number": (_GOOD.replace('"chat"', "NaN").encode() + b"\n", "workloads.log.json"),
    "a space": (_GOOD.replace('":', '": ', 1).encode() + b"\n", "workloads.log.canonical"),
    "other order": (
        json.dumps(event(), separators=(",", ":")).encode() + b"\n",
        "workloads.log.canonical",
    ),
    "not ASCII": (
        encode(event(command=["é"])).decode().replace("\\u00e9", "é").encode() + b"\n",
        "workloads.log.canonical",
    ),
    "escapes that need not be": (
        _GOOD.replace("chat", "\\u0063hat").encode() + b"\n",
        "workloads.log.canonical",
    ),
    "upper-case escapes": (
        encode(event(command=["é"])).replace(b"u00e9", b"u00E9") + b"\n",
        "workloads.log.canonical",
    ),
    "a long line": (log_of(event(command=[_LONG])), "workloads.log.size"),
    "many lines": (log_of(event()) * (workload_log.MAX_EVENTS + 1), "workloads.log.size"),
    "large": (bytes(workload_log.MAX_BYTES + 1), "workloads.log.size"),
    "a member more": (log_of(event(more=1)), "workloads.log.members"),
    "a member less": (
        log_of({k: v for k, v in event().items() if k != "mounts"}),
        "workloads.log.members",
    ),
    "a member more of a model": (
        log_of(event(model={**MODEL, "more": "x"})),
        "workloads.log.members",
    ),
    "a member less of a model": (
        log_of(event(model={"repository": "a/b"})),
        "workloads.log.members",
    ),
    **{
        f"{member}: {value!r}"[:60]: (log_of(event(**{member: value})), "workloads.log.value")
        for member, value in _VALUES
    },
    **{
        f"model {changes}"[:60]: (log_of(event(model={**MODEL, **changes})), "workloads.log.value")
        for changes in _MODEL_CHANGES
    },
}


@pytest.mark.parametrize("case", _REFUSED)
def test_a_log_in_another_form_is_refused(case):
    data, rule = _REFUSED[case]
    with pytest.raises(Malformed) as caught:
        workload_log.parse(data)
    assert caught.value.rule.id == rule
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


_SAID = [
    (b"{}", "lines that each end in a line feed", "b'{}'"),
    (b"", "lines that each end in a line feed", "no line"),
    (log_of(event(schema="x/2")), "schema ccgpu.workload-event/1", "'x/2'"),
    (log_of(event(model="m")), "model: an object or null", "'m'"),
    (log_of(event(name="A b")), "name: [a-z0-9][a-z0-9-]{0,62}", "'A b'"),
    (log_of(event(command="run")), "command: a list of texts", "'run'"),
    (log_of(event(command=[7])), "each of command: a text", "7"),
    (log_of(event(environment=["A=B"])), "each of environment: [!-<>-~]+", "'A=B'"),
    (log_of(event(mounts="\x1b" * 99)), "mounts: a list of texts", ascii("\x1b" * 99)[:100]),
    (b'{"b":1, "a":2}\n', "sorted keys, no space, ASCII", 'b\'{"b":1, "a":2}\''),
    (b'{"a":1,"a":1}\n', "no object has a duplicate key", "'a' twice"),
    (
        log_of({"b": 1, "schema": "x"}),
        "an event with command, environment, image, image_digest, model, mounts, name, schema",
        "'missing or unknown: b, command, environment, image, image_digest, model, mounts, name'",
    ),
    (
        log_of(event(model={**MODEL, "size": 1})),
        "a model with commit, manifest, repository",
        "'missing or unknown: size'",
    ),
    (log_of(event()) * 257, "at most 256 events", "257"),
    (bytes(1024 * 1024 + 1), "at most 1048576 bytes", "1048577 bytes"),
    (b"x" * 65537 + b"\n", "at most 65536 bytes of an event", "65537 bytes"),
]


@pytest.mark.parametrize(("data", "expected", "actual"), _SAID)
def test_a_refusal_says_what_is_wrong(data, expected, actual):
    with pytest.raises(Malformed) as caught:
        workload_log.parse(data)
    assert (caught.value.expected, str(caught.value.actual)) == (expected, actual)


def test_checks_that_were_made_before_do_not_count():
    log, checks = log_of(event()), Checks()
    checks.record(workload_log.REPLAY, False, "another", "matter")
    found = workload_log.verify(log, {13: _pcr(log)}, checks, required=False)
    assert isinstance(found, Verified)


def test_the_limits_can_be_reached():
    line = encode(event())
    wide = encode(event(command=["x" * (workload_log.MAX_LINE - len(encode(event(command=[""]))))]))
    assert len(wide) == workload_log.MAX_LINE
    assert len(workload_log.parse(wide + b"\n").events) == 1
    assert len(workload_log.parse((line + b"\n") * workload_log.MAX_EVENTS).events) == 256
    longest = event("a" * 63, image="a" * 512, environment=["a" * 999])
    assert len(workload_log.parse(log_of(longest)).events) == 1


def test_a_log_of_the_largest_size_is_read():
    room = workload_log.MAX_BYTES // 16 - 1 - len(encode(event(command=[""])))
    log = log_of(*[event(command=["x" * room])] * 16)
    assert len(log) == workload_log.MAX_BYTES
    assert len(workload_log.parse(log).events) == 16


def test_a_log_that_replays_is_verified():
    log = log_of(event("one"), event("two"))
    outcome, made = _made(log, {13: _pcr(log), 7: _ZERO})

    value = f"PCR 13 {_pcr(log).hex()}"
    assert made == [
        ("workloads.log", True, "a log of workloads", "a log of workloads"),
        ("workloads.pcr.unquoted", True, "PCR 13", "PCR 13"),
        ("workloads.log.replay", True, value, value),
    ]
    assert isinstance(outcome, Verified)
    assert [each.replayed for each in workload_log.shown_events(outcome)] == [True, True]


def test_a_log_that_does_not_replay_is_shown_as_that():
    log = log_of(event("one"))
    outcome, made = _made(log, {13: b"\x01" * 32})

    assert made[-1] == (
        "workloads.log.replay", False, f"PCR 13 {'01' * 32}", f"PCR 13 {_pcr(log).hex()}",
    )  # fmt: skip
    assert not isinstance(outcome, Verified)
    assert [(each.name, each.replayed) for each in workload_log.shown_events(outcome)] == [
        ("one", False)
    ]


def test_a_log_beside_a_zero_pcr_is_refused():
    log = log_of(event())
    _, made = _made(log, {13: _ZERO})
    assert made[-1] == (
        "workloads.log.unmeasured", False, f"PCR 13 {_pcr(log).hex()}", "PCR 13 is zero",
    )  # fmt: skip


@pytest.mark.parametrize(("pcrs", "found"), [({}, "no PCR"), ({7: _ZERO, 6: _ZERO}, "6, 7")])
def test_a_log_needs_a_quote_of_its_pcr(pcrs, found):
    outcome, made = _made(log_of(event()), pcrs)
    assert made[-1] == ("workloads.pcr.unquoted", False, "PCR 13", found)
    assert not isinstance(outcome, Verified)


@pytest.mark.parametrize("required", [True, False])
def test_an_unreadable_log_is_none(required):
    outcome, made = _made(b"x", {13: _ZERO}, required=required)
    assert outcome is None
    assert [(id_, ok) for id_, ok, *_ in made] == [("workloads.log.lines", False)]
    assert workload_log.shown_events(outcome) == ()


@pytest.mark.parametrize("pcrs", [{}, {13: _ZERO}, {13: b"\x01" * 32}])
def test_without_a_log_nothing_is_checked_unless_it_is_required(pcrs):
    assert _made(None, pcrs) == (None, [])


_NO_LOG = [
    ({13: _ZERO}, "workloads.log.absent", True, "PCR 13 is zero, and no log"),
    ({13: b"\x01" * 32}, "workloads.log.absent", False, f"PCR 13 {'01' * 32}, and no log"),
    ({7: _ZERO}, "workloads.pcr.unquoted", False, "7"),
    ({}, "workloads.pcr.unquoted", False, "no PCR"),
]


@pytest.mark.parametrize(("pcrs", "id_", "ok", "found"), _NO_LOG)
def test_without_a_log_a_policy_demands_that_nothing_was_measured(pcrs, id_, ok, found):
    outcome, made = _made(None, pcrs, required=True)
    assert (made[-1][0], made[-1][1], made[-1][3]) == (id_, ok, found)
    assert isinstance(outcome, Verified) is ok


# Verdicts on whole evidence.


def _with_log(found: Evidence, log: bytes | None) -> Evidence:
    assert found.cpu is not None
    return replace(found, cpu=replace(found.cpu, workload_log=log))


def _reasons(machine: SimulatedVm, log: bytes | None) -> tuple[str, ...]:
    return tuple(Judge()(_with_log(nonce_evidence(machine), log)).reasons)


_THREE = (event("one"), event("two"), event("three"))


def test_a_vm_that_started_workloads_is_accepted_with_their_log():
    found = Judge()(nonce_evidence(vm_with(*_THREE)))
    assert (found.verdict, found.reasons) == ("accepted", ())
    assert [(each.name, each.replayed) for each in found.workloads] == [
        ("one", True), ("two", True), ("three", True),
    ]  # fmt: skip
    assert any(line.startswith("the workloads: software in the VM") for line in found.not_proven)


_HOSTILE = {
    "the first removed": log_of(*_THREE[1:]),
    "the last removed": log_of(*_THREE[:2]),
    "one in the middle removed": log_of(_THREE[0], _THREE[2]),
    "two swapped": log_of(_THREE[1], _THREE[0], _THREE[2]),
    "one edited": log_of(event("one", image="registry.example/other:1"), *_THREE[1:]),
    "one added": log_of(*_THREE, event("four")),
    "one twice": log_of(*_THREE, _THREE[2]),
    "of another VM": log_of(event("other")),
}


@pytest.mark.parametrize("case", _HOSTILE)
def test_another_log_is_refused(case):
    assert _reasons(vm_with(*_THREE), _HOSTILE[case]) == ("workloads.log.replay",)


def test_a_log_of_what_was_never_measured_is_refused():
    assert _reasons(vm(), log_of(event())) == ("workloads.log.unmeasured",)


def test_a_workload_that_was_measured_but_not_logged_is_refused():
    assert _reasons(vm_with(*_THREE), log_of(*_THREE[:1])) == ("workloads.log.replay",)


def test_a_measured_pcr_without_a_log_is_not_proven():
    found = Judge()(_with_log(nonce_evidence(vm_with(*_THREE)), None))
    assert found.verdict == "accepted"
    assert found.workloads == ()
    assert "what PCR 13 was extended with: the evidence has no log of workloads" in found.not_proven


def test_nothing_is_said_of_a_vm_that_started_nothing():
    found = Judge()(nonce_evidence(vm()))
    assert found.verdict == "accepted"
    assert not any("workload" in line or "PCR 13" in line for line in found.not_proven)
    assert not any(check.id.startswith("workloads") for check in found.checks)


def test_a_damaged_quote_verifies_no_log():
    found = nonce_evidence(vm_with(*_THREE))
    assert found.cpu is not None
    assert found.cpu.signature is not None
    broken = bytes(reversed(found.cpu.signature))
    verdict = Judge()(replace(found, cpu=replace(found.cpu, signature=broken)))
    assert {"vtpm.quote.signature", "workloads.pcr.unquoted"} <= set(verdict.reasons)
    assert not any(each.replayed for each in verdict.workloads)


@given(st.data())
def test_any_edit_of_a_log_is_refused(data):
    log = log_of(*_THREE)
    position = data.draw(st.integers(0, len(log) - 1))
    kind = data.draw(st.sampled_from(["changed", "removed", "added"]))
    byte = data.draw(st.integers(0, 255))
    if kind == "changed":
        other = log[:position] + bytes([byte]) + log[position + 1 :]
    else:
        kept = position + 1 if kind == "removed" else position
        other = log[:position] + (b"" if kind == "removed" else bytes([byte])) + log[kept:]
    outcome, made = _made(other, {13: _pcr(log)})
    if other == log:
        assert isinstance(outcome, Verified)
    else:
        assert not isinstance(outcome, Verified)
        assert not all(ok for _, ok, *_ in made)


@given(st.permutations(range(4)), st.integers(0, 4))
def test_only_the_whole_log_in_its_order_replays(order, length):
    events = [event(name) for name in ("one", "two", "three", "four")]
    outcome, _ = _made(
        log_of(*(events[index] for index in order[:length])), {13: _pcr(log_of(*events))}
    )
    assert isinstance(outcome, Verified) is (order[:length] == [0, 1, 2, 3])


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_malformed(data):
    with contextlib.suppress(Malformed):
        workload_log.parse(data)


def test_golden_values_never_have_the_pcr_of_workloads():
    assert workload_log.PCR not in PINNED_PCRS
