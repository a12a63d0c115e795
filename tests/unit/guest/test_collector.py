"""The client's half of the collector: what it sends, and how it reads the answer."""

import json
from dataclasses import dataclass, field

import pytest

from ccgpu.errors import EvidenceUnavailable
from ccgpu.guest import collector
from ccgpu.guest.channel import Completed
from ccgpu.guest.public_scripts import is_public

_NONCE = bytes(range(32))
_BUNDLE = {
    "schema": "ccgpu.bundle/1",
    "made_at": "2026-11-29T00:00:00+00:00",
    "tool": "ccgpu-collect/1",
    "nonce": _NONCE.hex(),
    "binding": "ccgpu-bind-v1",
    "host_key": "AAAA",
    "recipient_key": "",
    "vm_id": "390cbcf5-6c67-4d9b-98ef-c3f1699cc8fc",
    "cpu": {"hcl": "SENMQQ==", "pcrs": {"0": "00" * 32}},
    "gpus": [],
}


def answer(document, code=0, stderr=b""):
    return Completed(code, json.dumps(document).encode(), stderr)


@dataclass
class Runner:
    """A VM that answers every command in one way."""

    answer: Completed
    asked: list[tuple[list[str], bytes, float]] = field(default_factory=list)

    def run(self, argv, stdin=b"", *, timeout):
        self.asked.append((list(argv), stdin, timeout))
        return self.answer


@pytest.mark.parametrize("release", [False, True])
def test_the_vm_is_told_the_nonce_and_nothing_else(release):
    vm = Runner(answer(_BUNDLE))
    bundle = collector.collect(vm, _NONCE, release=release)
    ((argv, script, seconds),) = vm.asked
    assert argv[:-1] == ["sudo", "-n", "python3", "-I", "-S", "-", "ccgpu-collect"]
    assert json.loads(argv[-1]) == {"nonce": _NONCE.hex(), "release": release}
    assert is_public(script)
    assert seconds == collector.TIMEOUT
    assert bundle.cpu is not None
    assert (bundle.cpu.hcl, bundle.nonce) == (b"HCLA", _NONCE)


def test_an_error_of_the_vm_is_evidence_unavailable():
    error = {"schema": "ccgpu.collector-error/1", "code": "busy", "message": "an\x1b[31mother"}
    with pytest.raises(EvidenceUnavailable) as caught:
        collector.parse(answer(error, 1))
    assert str(caught.value) == ("the VM's evidence was not collected: an\\x1b[31mother (busy)")
    assert caught.value.hint == "run the same command again"
    assert caught.value.exit_code == 8


@pytest.mark.parametrize("code", [None, 7, "unheard of", ["busy"]])
def test_an_unknown_error_has_no_hint(code):
    error = {"schema": "ccgpu.collector-error/1", "code": code}
    with pytest.raises(EvidenceUnavailable) as caught:
        collector.parse(answer(error, 1))
    assert caught.value.hint is None


@pytest.mark.parametrize(
    ("done", "reason"),
    [
        (Completed(1, b"", b"x\nsudo: a password is required\n"), "1: sudo: a password is req"),
        (Completed(127, b"", b"bash: python3: not found"), "127: bash: python3: not found"),
        (Completed(0, b"", b""), "Expecting value"),
        (Completed(0, b"\xff", b""), "decode"),
        (Completed(0, b"[" * 100000, b""), "recursion"),
        (answer([]), "not an object"),
        (answer(_BUNDLE, 1), "exit code 1"),
        (answer({**_BUNDLE, "schema": "ccgpu.bundle/2"}), "schema"),
        (answer({**_BUNDLE, "more": 1}), "more"),
        (answer({**_BUNDLE, "cpu": {"hcl": "!"}}), "cpu.hcl"),
        (Completed(0, b" " * (4 * 1024 * 1024 + 1), b""), "more than 4194304 bytes"),
    ],
)
def test_another_answer_is_refused(done, reason):
    with pytest.raises(EvidenceUnavailable, match=r"cannot be read: .*" + reason):
        collector.parse(done)


@pytest.mark.parametrize("name", ["collateral", "tokens", "policy", "verdict"])
def test_the_vm_gives_evidence_and_nothing_to_judge_it_with(name):
    with pytest.raises(EvidenceUnavailable, match=f"more than evidence: {name}"):
        collector.parse(answer({**_BUNDLE, name: {}}))
