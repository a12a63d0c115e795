"""The collector's answer, changed by whoever can change it: a guest, or somebody on the way."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ccgpu.guest import collector
from ccgpu.guest.channel import Completed, GuestTarget
from faults.attesting.guest_faults import Ask, GuestFault, Meet, answering, instead
from faults.attesting.trial import DONE, REJECTED, UNAVAILABLE, Case
from support.attesting import Attester, open_now
from support.cloud import make_backend

Document = dict[str, Any]
Edit = Callable[[Document], object]
_OTHER_KEY = bytes.fromhex("0000000b7373682d6564323535313900000020") + b"\x5a" * 32
_LARGE = 5 * 1024 * 1024


def editing(edit: Edit) -> GuestFault:
    """The answer with one edit."""

    def change(done: Completed) -> Completed:
        document = json.loads(done.stdout)
        edit(document)
        return Completed(0, json.dumps(document).encode(), b"")

    return GuestFault("collect", answering(change))


def putting(value: object, *path: Any) -> Edit:
    """Put a value there."""

    def edit(document: Document) -> None:
        *way, last = path
        place: Any = document
        for name in way:
            place = place[name]
        place[last] = value

    return edit


def removing(*path: Any) -> Edit:
    """Leave a field out."""

    def edit(document: Document) -> None:
        *way, last = path
        place: Any = document
        for name in way:
            place = place[name]
        del place[last]

    return edit


def in_bytes(change: Callable[[bytes], bytes], *path: Any) -> Edit:
    """Change a field of bytes."""

    def edit(document: Document) -> None:
        place: Any = document
        for name in path[:-1]:
            place = place[name]
        data = base64.b64decode(place[path[-1]])
        place[path[-1]] = base64.b64encode(change(data)).decode()

    return edit


def _flip(data: bytes) -> bytes:
    """One bit of the byte in the middle."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _not_known(_: Ask) -> Completed:
    raise AssertionError("install it first")


_PARTS: dict[str, tuple[Any, ...]] = {
    "hcl": ("cpu", "hcl"),
    "quote": ("cpu", "quote"),
    "signature": ("cpu", "signature"),
    "event-log": ("cpu", "event_log"),
    "thim": ("cpu", "thim"),
    "gpu-report": ("gpus", 0, "report"),
    "gpu-chain": ("gpus", 0, "chain"),
    "gpu-state": ("gpus", 0, "state_document"),
}


def damaged_cases() -> Iterator[Case]:
    """Each part of the evidence: with one bit changed, half of it, nothing of it."""
    for name, path in _PARTS.items():
        edits: dict[str, Edit] = {
            "bit": in_bytes(_flip, *path),
            "half": in_bytes(_half, *path),
            "empty": in_bytes(lambda _: b"", *path),
        }
        for what, edit in edits.items():
            yield Case(f"{name}:{what}", editing(edit), REJECTED, "reasons")
    yield Case("pcrs:one", editing(putting("00" * 32, "cpu", "pcrs", "7")), REJECTED, "vtpm.pcr")
    yield Case("pcrs:fewer", editing(removing("cpu", "pcrs", "7")), REJECTED, "vtpm.pcr")


_CLAIMS: dict[str, tuple[Edit, int, str]] = {
    "nonce:other": (putting("00" * 32, "nonce"), REJECTED, "freshness.nonce.other"),
    "nonce:short": (putting("ab" * 31, "nonce"), REJECTED, "freshness.nonce.length"),
    "nonce:no-hex": (putting("zz", "nonce"), UNAVAILABLE, "nonce"),
    "host-key:other": (
        putting(base64.b64encode(_OTHER_KEY).decode(), "host_key"),
        REJECTED,
        "identity.host-key.other",
    ),
    "vm-id:other": (
        putting("00000000-0000-4000-8000-000000000009", "vm_id"),
        REJECTED,
        "identity.vm-id.other",
    ),
    "recipient-key": (
        putting(base64.b64encode(b"\x05" * 32).decode(), "recipient_key"),
        REJECTED,
        "hcl.user-data.other",
    ),
    "binding:none": (putting("nonce", "binding"), REJECTED, "binding.kind"),
    "binding:unknown": (putting("ccgpu-bind-v0", "binding"), UNAVAILABLE, "binding"),
    "no-cpu": (removing("cpu"), REJECTED, "evidence.cpu.absent"),
    "no-hcl": (removing("cpu", "hcl"), REJECTED, "evidence.hcl.absent"),
    "no-quote": (removing("cpu", "quote"), REJECTED, "quote"),
    "no-gpu": (putting([], "gpus"), REJECTED, "evidence.gpu.absent"),
    "no-gpu-state": (removing("gpus", 0, "state_document"), REJECTED, "policy.gpu"),
    "two-gpus": (lambda made: made["gpus"].append(made["gpus"][0]), REJECTED, "policy.gpu.count"),
    "schema": (putting("ccgpu.bundle/2", "schema"), UNAVAILABLE, "schema"),
    "vm-id:upper-case": (
        lambda made: made.update(vm_id=made["vm_id"].upper()),
        *(UNAVAILABLE, "vm_id"),
    ),
    "unknown-field": (putting(1, "more"), UNAVAILABLE, "more"),
    "own-collateral": (putting({}, "collateral"), UNAVAILABLE, "more than evidence"),
    "own-verdict": (putting({"verdict": "accepted"}, "verdict"), UNAVAILABLE, "more than evidence"),
    "own-policy": (putting({"name": "gpu-only"}, "policy"), UNAVAILABLE, "more than evidence"),
}
# What is nobody's but the caller's: nonce, vmId, host key and the simulation's roots count as this
# machine knows them.
_HARMLESS: dict[str, Edit] = {
    "no-roots": removing("simulated_roots"),
    "other-roots": putting({"ark": "AAAA", "nvidia-device": "AAAA"}, "simulated_roots"),
    "no-nonce": removing("nonce"),
    "no-vm-id": removing("vm_id"),
    "no-host-key": removing("host_key"),
    "long-ago": putting("2001-01-01T00:00:00Z", "made_at"),
    "in-the-future": putting("2051-01-01T00:00:00Z", "made_at"),
    "another-tool": putting("somebody else", "tool"),
}


def claim_cases() -> Iterator[Case]:
    """What the answer says of itself, and what it holds."""
    for name, (edit, code, says) in _CLAIMS.items():
        yield Case(name, editing(edit), code, says)
    for name, edit in _HARMLESS.items():
        yield Case(name, editing(edit), DONE)
    yield Case(
        "large", GuestFault("collect", instead(0, b" " * _LARGE, b"")), UNAVAILABLE, "4194304"
    )
    for why in ("busy", "claims.late", "gpu.hung", "imds.slow", "tpm.absent", "tpm.error"):
        refusal = {"schema": "ccgpu.collector-error/1", "code": why, "message": "so it is"}
        fault = GuestFault("collect", instead(1, json.dumps(refusal).encode(), b""))
        yield Case(f"refused:{why}", fault, UNAVAILABLE, f"so it is ({why})")


@dataclass
class AnotherAnswer(GuestFault):
    """Another genuine answer: to another nonce of this VM, or that of the VM `other`."""

    step: str = "collect"
    meet: Meet = _not_known
    of: str = "demo"

    def install(self, attester: Attester) -> Attester:
        """The same machine, which gets that answer."""
        self.meet = instead(0, _genuine_answer(attester, self.of), b"")
        return super().install(attester)


def _genuine_answer(attester: Attester, name: str) -> bytes:
    """What a VM of the subscription answers to somebody else."""
    shown = attester.shell(f"show {name} --backend fake -o json").document
    target = GuestTarget(name, shown["vm_id"], shown["public_ip"], "azureuser")
    channel = open_now(make_backend(attester.shell.arm, attester.shell.state).channels, target)
    done = channel.run(collector.command_line(bytes(32)), collector.script(), timeout=60)
    assert done.exit_code == 0, done
    return done.stdout


def other_answer_cases() -> Iterator[Case]:
    """Genuine evidence of another time, or of another VM."""
    old, foreign = AnotherAnswer(of="demo"), AnotherAnswer(of="other")
    yield Case("answer:of-another-nonce", old, REJECTED, "freshness.nonce.other")
    yield Case("answer:of-another-vm", foreign, REJECTED, "identity.vm-id.other")
