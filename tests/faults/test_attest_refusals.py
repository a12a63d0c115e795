"""What `ccgpu attest` refuses of genuine evidence that is not the answer to its question.

Each case has two simulated VMs: `demo`, which is asked, and `other`, whose guest may be hostile.
The reasons are all there are: without those checks the evidence would be accepted. Another machine
that verifies the saved evidence, and knows what was asked, finds the same.
"""

import base64
import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ccgpu.cli.backends import Backend
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.fakeguest.hardware import SimulatedHardware
from ccgpu.guest.channel import Channel, Completed, GuestTarget, OpenChannel
from faults.attesting.trial import copied
from support.attesting import Attester, WrappedChannel, another_machine, open_now
from support.cloud import vendors
from support.hostile_guests import Document, HostileGuest, saying
from support.leases import SuspendedClock
from support.slow import mostly_slow

_MAN_IN_THE_MIDDLE = bytes.fromhex("0000000b7373682d6564323535313900000020") + b"\x5a" * 32
_BOUND = ("hcl.user-data.other", "vtpm.nonce.other", "gpu.nonce.other", "gpu.nonce.claimed")


@dataclass(frozen=True)
class Pair:
    """The VM that is asked, and the other one."""

    demo: SimulatedHardware
    other: SimulatedHardware

    def honest(self, **changes: Any) -> HostileGuest:
        """The software of `demo`, which does what it should but for `changes`."""
        return _as_itself(self.demo, **changes)


def _as_itself(hardware: SimulatedHardware, **changes: Any) -> HostileGuest:
    guest = hardware.guest
    own: dict[str, Any] = {
        "hardware": hardware,
        "host_key": guest.host_key,
        "vm_id": guest.machine.vm_id,
    }
    return HostileGuest(**own | changes)


Answer = Callable[[Pair, bytes], Document]


@dataclass(frozen=True)
class Refusal:
    """An answer, and every reason to refuse it. sees: the host key of the connection."""

    name: str
    answer: Answer
    reasons: tuple[str, ...]
    sees: Callable[[Pair], bytes] = lambda pair: pair.demo.guest.host_key


def _to_nonce(change: Callable[[bytes], bytes]) -> Answer:
    """The honest guest, asked with another nonce than ours."""
    return lambda pair, nonce: pair.honest().answer(change(nonce))


def _silent(pair: Pair, _: bytes) -> Document:
    return saying(pair.honest().answer(b""), nonce=None)


def _flip(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def _swapped_key(pair: Pair, nonce: bytes) -> Document:
    made = pair.honest(recipient_key=b"\x05" * 32).answer(nonce)
    return saying(made, recipient_key=base64.b64encode(b"\x06" * 32).decode())


def _bound_to(user_data: Callable[[bytes], bytes]) -> Answer:
    return lambda pair, nonce: pair.honest(user_data=user_data).answer(nonce)


def _claiming(claims: Callable[[bytes], bytes]) -> Answer:
    return lambda pair, nonce: pair.honest(claims=claims).answer(nonce)


def _without_user_data(claims: bytes) -> bytes:
    document = json.loads(claims)
    del document["user-data"]
    return json.dumps(document).encode()


def _twice(claims: bytes) -> bytes:
    return claims.replace(b'"user-data":', b'"user-data":"' + b"00" * 64 + b'","user-data":', 1)


def _relay(**own: str) -> Answer:
    """`other` binds what the client expects: our vmId, and a host key."""

    def answer(pair: Pair, nonce: bytes) -> Document:
        guest = pair.demo.guest
        key = (pair.other if own["key"] == "its own" else pair.demo).guest.host_key
        gpu = pair.demo if own.get("gpu") == "ours" else None
        hostile = HostileGuest(pair.other, key, guest.machine.vm_id, gpu=gpu)
        return hostile.answer(nonce)

    return answer


def _honest_other(pair: Pair, nonce: bytes) -> Document:
    return _as_itself(pair.other).answer(nonce)


def _gpu_of_other(pair: Pair, nonce: bytes) -> Document:
    """Evidence of both, put together on the way."""
    return saying(pair.honest().answer(nonce), gpus=_honest_other(pair, nonce)["gpus"])


def _gpu_swapped_on_the_way(pair: Pair, nonce: bytes) -> Document:
    """The other GPU was asked with the right nonce, but not by our guest."""
    ours = pair.honest().answer(nonce)
    right = bytes.fromhex(ours["gpus"][0]["nonce"])
    report, chain = (base64.b64encode(part).decode() for part in pair.other.gpu_evidence(right))
    return saying(ours, gpus=[{**ours["gpus"][0], "report": report, "chain": chain}])


def _gpu_asked_by_other(pair: Pair, nonce: bytes) -> Document:
    """Our guest hands in the report of the other GPU, which answered its own VM."""
    return pair.honest(gpu=pair.other, gpu_nonce=_flip).answer(nonce)


def _of_two_chips(pair: Pair, nonce: bytes) -> Document:
    ours, theirs = pair.honest().answer(nonce), _honest_other(pair, nonce)
    report = base64.b64decode(theirs["cpu"]["hcl"])[32:1216]
    return saying(ours, cpu={**ours["cpu"], "report": base64.b64encode(report).decode()})


_OTHER_NONCE = ("freshness.nonce.other", *_BOUND)
_LENGTH = "freshness.nonce.length"
REFUSALS = [
    Refusal("01-nonce-absent", _silent, _BOUND),
    Refusal("02-nonce-short", _to_nonce(lambda nonce: nonce[:31]), (*_OTHER_NONCE, _LENGTH)),
    Refusal("02-nonce-long", _to_nonce(lambda nonce: nonce + b"\0"), (*_OTHER_NONCE, _LENGTH)),
    Refusal(
        "03-nonce-prefix",
        _to_nonce(lambda nonce: nonce[:16] + bytes(16)),
        (*_OTHER_NONCE, "freshness.nonce.prefix"),
    ),
    Refusal("04-nonce-one-bit", _to_nonce(_flip), _OTHER_NONCE),
    Refusal("07-another-session", _to_nonce(lambda _: bytes(range(32))), _OTHER_NONCE),
    Refusal(
        "08-host-key-of-a-man-in-the-middle",
        lambda pair, nonce: pair.honest().answer(nonce),
        ("identity.host-key.other", *_BOUND),
        sees=lambda _: _MAN_IN_THE_MIDDLE,
    ),
    Refusal("09-recipient-key-swapped", _swapped_key, _BOUND),
    Refusal(
        "10-another-vm",
        _honest_other,
        ("identity.vm-id.other", "identity.host-key.other", *_BOUND, "policy.vm-id"),
    ),
    Refusal(
        "10-relay-with-its-own-key",
        _relay(key="its own"),
        ("policy.vm-id",),
        sees=lambda pair: pair.other.guest.host_key,
    ),
    Refusal("10-relay-with-our-key", _relay(key="ours"), ("policy.vm-id",)),
    Refusal("11-cpu-of-the-other", _relay(key="ours", gpu="ours"), ("policy.vm-id",)),
    Refusal(
        "11-gpu-of-the-other",
        _gpu_of_other,
        ("vtpm.nonce.other", "gpu.nonce.other", "gpu.nonce.claimed"),
    ),
    Refusal("11-gpu-swapped-on-the-way", _gpu_swapped_on_the_way, ("vtpm.nonce.other",)),
    Refusal("11-gpu-asked-by-the-other", _gpu_asked_by_other, ("gpu.nonce.other",)),
    Refusal("12-two-chips", _of_two_chips, ("evidence.report.other",)),
    Refusal(
        "13-user-data-prefix",
        _bound_to(lambda bound: bound[:32] + bytes(32)),
        ("hcl.user-data.other",),
    ),
    Refusal("13-user-data-absent", _claiming(_without_user_data), ("hcl.user-data.absent",)),
    Refusal(  # claims that cannot be read name no vTPM's key either
        "13-user-data-twice",
        _claiming(_twice),
        ("json.duplicate", "vtpm.ak.absent", "gpu.nonce.unasked"),
    ),
]


def _hardware(attester: Attester, name: str) -> SimulatedHardware:
    """What a VM runs on, as it is now."""
    shown = attester.shell(f"show {name} --backend fake -o json").document
    with attester.shell.arm.machine_at(shown["public_ip"]) as machine:
        assert machine is not None
        return SimulatedHardware(vendors(), SimulatedGuest(machine))


def _answered(attester: Attester, refusal: Refusal) -> Attester:
    """The machine, whose collector's answer is that one."""
    pair = Pair(_hardware(attester, "demo"), _hardware(attester, "other"))

    def wrap(channels: OpenChannel, target: GuestTarget) -> Channel:
        inner = open_now(channels, target)

        def run(argv: Any, stdin: bytes, timeout: float) -> Completed:
            if "ccgpu-collect" not in argv:
                return inner.run(argv, stdin, timeout=timeout)
            nonce = bytes.fromhex(json.loads(argv[-1])["nonce"])
            document = refusal.answer(pair, nonce)
            return Completed(0, json.dumps(document).encode(), b"")

        return WrappedChannel(inner, run, refusal.sees(pair))

    return attester.through(wrap)


@pytest.fixture
def attester(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attester]:
    """A machine that has two VMs, and an empty folder."""
    monkeypatch.chdir(tmp_path)
    with copied(prepared, tmp_path / "machine") as found:
        yield found


@pytest.mark.parametrize(
    "refusal", mostly_slow([pytest.param(one, id=one.name) for one in REFUSALS], 20, 2)
)
def test_an_answer_to_another_question_is_refused_for_that_alone(
    attester: Attester, refusal: Refusal, tmp_path: Path
) -> None:
    done = _answered(attester, refusal)("--save b.json")

    assert done.code == 9, done
    assert sorted(done.document["reasons"]) == sorted(refusal.reasons)
    assert all(reason in done.error["message"] for reason in refusal.reasons)
    assert attester.shown["state"] == "rejected"
    assert not attester.ready
    known = attester.known_key()
    assert known is None or known.source != "attested"
    told = done.document
    asked = {"nonce": told["nonce"], "vm-id": told["vm_id"], "host-key": told["host_key"]}
    words = shlex.join(word for pair in asked.items() for word in (f"--{pair[0]}", pair[1]))
    verify = f"verify b.json --backend fake --at {told['at']} -o json"
    elsewhere = another_machine(tmp_path, attester.shell.arm)(f"{verify} {words}")
    assert elsewhere.code == 9, elsewhere
    assert elsewhere.document["reasons"] == told["reasons"]
    # This machine finds the question by the nonce in the evidence: it may know of none.
    assert attester.shell(verify).code == 9


@pytest.mark.slow
def test_05_an_answer_that_was_good_once_is_refused(attester: Attester) -> None:
    kept: list[Document] = []

    def answer(pair: Pair, nonce: bytes) -> Document:
        kept.append(pair.honest().answer(nonce))
        return kept[0]

    replaying = _answered(attester, Refusal("05-reused", answer, ()))
    assert replaying().code == 0
    done = replaying("--save b.json")
    assert done.code == 9
    again = attester.shell(f"verify b.json --backend fake --nonce {done.document['nonce']} -o json")
    assert "freshness.nonce.earlier" in again.document["reasons"]
    assert sorted(done.document["reasons"]) == sorted((*_OTHER_NONCE, "freshness.nonce.earlier"))
    assert attester.shown["state"] == "rejected"


@pytest.mark.slow
def test_06_an_answer_that_comes_too_late_gives_no_verdict(attester: Attester) -> None:
    clock = SuspendedClock(attester.shell.arm.clock)

    def answer(pair: Pair, nonce: bytes) -> Document:
        clock.slept = 301.0  # the machine was asleep: no time limit of ssh has passed
        return pair.honest().answer(nonce)

    def with_that_clock(made: Backend) -> Backend:
        made.scheduler.clock = clock
        return made

    there = attester.with_backend(with_that_clock)
    done = _answered(there, Refusal("06-expired", answer, ()))()
    assert done.code == 11
    assert "more than 300 s after its nonce" in done.error["message"]
    assert attester.shown["attestation"] is None
    assert not attester.ready


@pytest.mark.slow
def test_10_the_case_of_a_vm_id_does_not_matter(attester: Attester) -> None:
    def answer(pair: Pair, nonce: bytes) -> Document:
        vm_id = pair.demo.guest.machine.vm_id.upper()
        return saying(pair.honest(vm_id=vm_id).answer(nonce), vm_id=vm_id.lower())

    assert _answered(attester, Refusal("10-case", answer, ()))().code == 0


@pytest.mark.slow
def test_11_a_gpu_that_our_own_guest_borrows_is_not_noticed(attester: Attester) -> None:
    """The limit of it, until a GPU proves which VM it is in: docs/trust.md says so."""

    def answer(pair: Pair, nonce: bytes) -> Document:
        return pair.honest(gpu=pair.other).answer(nonce)

    assert _answered(attester, Refusal("11-borrowed", answer, ()))().code == 0
