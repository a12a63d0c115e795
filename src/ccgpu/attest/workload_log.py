"""The log of workloads, and its replay to PCR 13 of the quote (docs/trust.md).

The guest measures each workload before it starts it: PCR 13 = SHA-256(PCR 13 ‖ SHA-256(line)), from
32 zero bytes, where a line is one event in canonical JSON. The log itself is signed by nobody. It
counts only if it replays to the PCR 13 that a verified quote covers.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ccgpu.attest import strict_json
from ccgpu.attest.check import Checks, Malformed, Outcome, Rule, Verified
from ccgpu.attest.vtpm import layout

PCR = 13
MAX_BYTES = 1024 * 1024
MAX_LINE = 64 * 1024  # bytes of an event
MAX_EVENTS = 256
SCHEMA = "ccgpu.workload-event/1"

_FORMAT = "docs/evidence.md, the log of workloads"
_EXTEND = "TPM 2.0 Part 3, TPM2_PCR_Extend"

READABLE = Rule("workloads.log", "the log of workloads can be read", _FORMAT)
SIZE = Rule("workloads.log.size", "the log of workloads is of a sane size", _FORMAT)
LINES = Rule("workloads.log.lines", "the log of workloads is whole lines, one or more", _FORMAT)
JSON = Rule("workloads.log.json", "each line is a JSON object that all read alike", "RFC 7493")
CANONICAL = Rule("workloads.log.canonical", "each line is canonical JSON", _FORMAT)
MEMBERS = Rule("workloads.log.members", "an event has the members of its schema", _FORMAT)
VALUE = Rule("workloads.log.value", "a member of an event has a value of its kind", _FORMAT)
UNQUOTED = Rule("workloads.pcr.unquoted", "a verified quote covers PCR 13", _EXTEND)
ABSENT = Rule("workloads.log.absent", "there is a log of what PCR 13 was extended with", _EXTEND)
UNMEASURED = Rule(
    "workloads.log.unmeasured", "PCR 13 was extended, where there is a log of it", _EXTEND
)
REPLAY = Rule("workloads.log.replay", "the log of workloads replays to PCR 13", _EXTEND)

_ZERO = bytes(layout.DIGEST_SIZE)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PRINTABLE = re.compile(r"[!-~]{1,512}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_VARIABLE = re.compile(r"[!-<>-~]+")  # the name of a variable alone: no `=`, no value
_MEMBERS = {
    *("schema", "name", "image", "image_digest", "command", "mounts", "model", "environment"),
}
_MODEL_MEMBERS = {"repository", "commit", "manifest"}
_SHOWN = 100  # characters of what is wrong


@dataclass(frozen=True, slots=True)
class WorkloadModel:
    """The model of a workload. commit: 40 hex digits. manifest: `sha256:…` of its list of files."""

    repository: str
    commit: str
    manifest: str


@dataclass(frozen=True, slots=True)
class WorkloadEvent:
    """A workload that the guest measured before it started it.

    image_digest: `sha256:…`. command: the run line after the engine's name. environment: names of
    variables. digest: SHA-256 of the line (32 bytes), which PCR 13 was extended with. replayed: the
    log leads to the PCR 13 of a verified quote. Text may hold control characters.
    """

    name: str
    image: str
    image_digest: str
    command: tuple[str, ...]
    mounts: tuple[str, ...]
    model: WorkloadModel | None
    environment: tuple[str, ...]
    digest: bytes
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class WorkloadLog:
    """The events in order, and the PCR 13 (32 bytes) that they lead to."""

    events: tuple[WorkloadEvent, ...] = ()
    pcr: bytes = _ZERO


def parse(data: bytes) -> WorkloadLog:
    """Parse a log: JSON Lines, each of them one event in canonical JSON. Else `Malformed`."""
    if len(data) > MAX_BYTES:
        raise Malformed(SIZE, f"at most {MAX_BYTES} bytes", f"{len(data)} bytes")
    *lines, rest = data.split(b"\n")
    if rest or not lines:
        raise Malformed(LINES, "lines that each end in a line feed", _shown(rest) or "no line")
    if len(lines) > MAX_EVENTS:
        raise Malformed(SIZE, f"at most {MAX_EVENTS} events", len(lines))
    events = tuple(map(_event, lines))
    return WorkloadLog(events, _replay(events))


def verify(
    data: bytes | None, pcrs: Mapping[int, bytes], checks: Checks, *, required: bool
) -> Outcome[WorkloadLog] | None:
    """Check the log against the PCRs (index to 32 bytes) of a verified quote.

    None if the log is unreadable, or if there is none and nothing requires one. Without a log,
    `required` demands that PCR 13 is zero: nothing was measured.
    """
    if data is None and not required:
        return None
    since = checks.checkpoint()
    log = WorkloadLog()
    if data is not None:
        read = checks.parse(READABLE, parse, data, "a log of workloads")
        if read is None:
            return None
        log = read
    quoted = pcrs.get(PCR)
    checks.record(UNQUOTED, quoted is not None, "PCR 13", _covered(pcrs))
    if quoted is not None:
        _check_replay(log, quoted, checks, present=data is not None)
    return checks.conclude(log, since)


def shown_events(outcome: Outcome[WorkloadLog] | None) -> Sequence[WorkloadEvent]:
    """The events for display, each marked if the log is verified."""
    if outcome is None:
        return ()
    replayed = isinstance(outcome, Verified)
    return tuple(replace(each, replayed=replayed) for each in outcome.value.events)


def _check_replay(log: WorkloadLog, quoted: bytes, checks: Checks, *, present: bool) -> None:
    """Record one check, under the rule that describes the difference best."""
    same = hmac.compare_digest(log.pcr, quoted)
    if not present:
        found = "PCR 13 is zero, and no log" if same else f"PCR 13 {quoted.hex()}, and no log"
        checks.record(ABSENT, same, "a log, or PCR 13 zero", found)
        return
    if quoted == _ZERO:
        checks.record(UNMEASURED, False, f"PCR 13 {log.pcr.hex()}", "PCR 13 is zero")
        return
    checks.record(REPLAY, same, f"PCR 13 {quoted.hex()}", f"PCR 13 {log.pcr.hex()}")


def _covered(pcrs: Mapping[int, bytes]) -> str:
    return "PCR 13" if PCR in pcrs else ", ".join(map(str, sorted(pcrs))) or "no PCR"


def _replay(events: Sequence[WorkloadEvent]) -> bytes:
    value = _ZERO
    for event in events:
        value = hashlib.sha256(value + event.digest).digest()
    return value


def _event(line: bytes) -> WorkloadEvent:
    document = _load(line)
    _require_members(document, _MEMBERS, "an event")
    if document["schema"] != SCHEMA:
        raise Malformed(VALUE, f"schema {SCHEMA}", _shown(document["schema"]))
    return WorkloadEvent(
        name=_text(document, "name", _NAME),
        image=_text(document, "image", _PRINTABLE),
        image_digest=_text(document, "image_digest", _DIGEST),
        command=_texts(document, "command"),
        mounts=_texts(document, "mounts"),
        model=_model(document["model"]),
        environment=_texts(document, "environment", _VARIABLE),
        digest=hashlib.sha256(line).digest(),
    )


def _load(line: bytes) -> dict[str, object]:
    """A line as an object: strict JSON, in its one canonical spelling."""
    if len(line) > MAX_LINE:
        raise Malformed(SIZE, f"at most {MAX_LINE} bytes of an event", f"{len(line)} bytes")
    try:
        document = strict_json.load(line, MAX_LINE)
    except Malformed as err:
        raise Malformed(JSON, err.rule.what, err.actual) from err
    if json.dumps(document, sort_keys=True, separators=(",", ":")).encode() != line:
        raise Malformed(CANONICAL, "sorted keys, no space, ASCII", _shown(line))
    return document


def _model(value: object) -> WorkloadModel | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Malformed(VALUE, "model: an object or null", _shown(value))
    _require_members(value, _MODEL_MEMBERS, "a model")
    return WorkloadModel(
        repository=_text(value, "repository", _PRINTABLE),
        commit=_text(value, "commit", _COMMIT),
        manifest=_text(value, "manifest", _DIGEST),
    )


def _require_members(document: Mapping[str, object], wanted: set[str], what: str) -> None:
    if document.keys() != wanted:
        others = sorted(document.keys() ^ wanted)
        expected = f"{what} with {', '.join(sorted(wanted))}"
        raise Malformed(MEMBERS, expected, _shown(f"missing or unknown: {', '.join(others)}"))


def _text(document: Mapping[str, object], member: str, form: re.Pattern[str]) -> str:
    value = document[member]
    if not isinstance(value, str) or not form.fullmatch(value):
        raise Malformed(VALUE, f"{member}: {form.pattern}", _shown(value))
    return value


def _texts(
    document: Mapping[str, object], member: str, form: re.Pattern[str] | None = None
) -> tuple[str, ...]:
    values = document[member]
    if not isinstance(values, list):
        raise Malformed(VALUE, f"{member}: a list of texts", _shown(values))
    for value in values:
        if not isinstance(value, str) or (form and not form.fullmatch(value)):
            wanted = form.pattern if form else "a text"
            raise Malformed(VALUE, f"each of {member}: {wanted}", _shown(value))
    return tuple(values)


def _shown(value: object) -> str:
    """The beginning of an untrusted value, in ASCII."""
    return ascii(value)[:_SHOWN] if value else ""
