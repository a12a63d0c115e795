"""The client of the opener: what it sends, and what it makes of the answers."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ccgpu.domain.secret import Secret
from ccgpu.errors import ReleaseFailed
from ccgpu.guest import release
from ccgpu.guest.channel import Completed
from ccgpu.guest.public_scripts import is_public
from ccgpu.guest.release import StoredSecret

_BOUND, _VERDICT = b"B" * 64, b"v" * 32


class _Guest:
    """A guest that gives one answer."""

    def __init__(self, document, exit_code=0, stderr=b""):
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answer = Completed(exit_code, raw, stderr)
        self.asked = []

    def run(self, argv, stdin=b"", *, timeout):
        self.asked.append((list(argv), stdin, timeout))
        return self.answer


def _listed(*secrets):
    return {"schema": "ccgpu.release/1", "secrets": list(secrets)}


_TOKEN = {"name": "hf-token", "size": 37, "owner": 1000}


def test_the_sealed_message_is_in_the_script_and_not_in_the_arguments():
    guest = _Guest(_listed(_TOKEN))
    stored = release.open_in_guest(guest, b"\xffsealed", _BOUND, _VERDICT, timeout=7)
    assert stored == (StoredSecret("hf-token", 37, 1000),)
    assert stored[0].path == "/run/ccgpu/secrets/hf-token"
    ((argv, script, timeout),) = guest.asked
    assert argv[:6] == ["sudo", "-n", "python3", "-I", "-", "ccgpu-release"]
    request = {"action": "open", "bound": _BOUND.hex(), "verdict": _VERDICT.hex()}
    assert json.loads(argv[6]) == request
    assert len(argv) == timeout == 7
    assert script == release.script(b"\xffsealed")
    assert b"'/3NlYWxlZA=='" in script
    compile(script, "script", "exec")


def test_listing_and_removing_send_no_message():
    guest = _Guest(_listed(_TOKEN))
    assert release.list_secrets(guest) == release.remove_secrets(guest, ["hf-token"])
    requests = [json.loads(argv[-1]) for argv, _, _ in guest.asked]
    assert requests == [{"action": "list"}, {"action": "remove", "names": ["hf-token"]}]
    assert {script for _, script, _ in guest.asked} == {release.script()}


def test_a_script_with_a_message_is_never_public():
    assert not is_public(release.script(b"sealed"))
    assert not is_public(release.script())


def test_a_refusal_is_told_with_its_hint():
    code = "crypto.absent"
    document = {"schema": "ccgpu.release-error/1", "code": code, "message": "no\x1b[31m package"}
    with pytest.raises(ReleaseFailed, match=r"no\\x1b\[31m package \(crypto.absent\)") as caught:
        release.list_secrets(_Guest(document, 1))
    assert caught.value.reason == code
    assert "apt-get install python3-cryptography" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("answer", "exit_code", "words"),
    [
        (b"", 0, "no JSON"),
        (b"", 1, "no JSON; it ended with exit code 1: sudo: a password is required"),
        (b"[]", 0, "not an object"),
        ({"schema": "ccgpu.release/2", "secrets": []}, 0, "schema 'ccgpu.release/2'"),
        (_listed(), 3, "exit code 3"),
        ({"schema": "ccgpu.release/1"}, 0, "KeyError"),
        (_listed({"name": "../a", "size": 1, "owner": 0}), 0, "no usable name"),
        (_listed({"name": "a", "size": True, "owner": 0}), 0, "are numbers"),
        (_listed({"name": "a", "size": 1}), 0, "KeyError"),
        (_listed("a"), 0, "TypeError"),
        (b"1" * (1024 * 1024 + 1), 0, "more than 1048576 bytes"),
        (b"[" * 100_000, 0, "no JSON"),
    ],
)
def test_what_is_no_answer_is_refused(answer, exit_code, words):
    guest = _Guest(answer, exit_code, b"Traceback: canary\nsudo: a password is required\n")
    with pytest.raises(ReleaseFailed) as caught:
        release.list_secrets(guest)
    assert words in str(caught.value)
    assert "canary" not in str(caught.value)
    assert caught.value.reason == "answer"


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), bytes(32), b"\x01" + bytes(31)])
def test_nothing_is_sealed_to_a_key_that_is_none(key):
    with pytest.raises(ReleaseFailed, match="no usable X25519 key"):
        release.seal([Secret("a", b"x")], key, b"")


def test_a_sealed_message_hides_the_values():
    public = X25519PrivateKey.generate().public_key().public_bytes_raw()
    message = release.seal([Secret("hf-token", b"canary-value")], public, b"")
    assert b"canary" not in message
    assert b"hf-token" not in message
