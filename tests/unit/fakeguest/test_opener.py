"""The simulated opener answers as the script that is sent to real VMs."""

import base64
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from ccgpu.guest import collector, release
from ccgpu.guest.channel import Channel, GuestTarget
from support.attesting import make_demo, open_now
from support.cli import Shell
from support.cloud import make_backend
from support.opening import BOUND, VERDICT, OpenerVm
from support.prepared import Prepared
from support.slow import mostly_slow

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_INFO = release.release_info(BOUND, VERDICT)
_OPEN = {"action": "open", "bound": BOUND.hex(), "verdict": VERDICT.hex()}
_VALUE = base64.b64encode(b"value").decode()
_ENTRY = {"name": "a", "owner": os.geteuid(), "value": _VALUE}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A subscription with the VM `demo`; it is made once."""
    return Prepared(tmp_path_factory.mktemp("prepared"))


class _Simulated:
    """The simulated VM."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        shown = shell("show demo --backend fake -o json").document
        backend = make_backend(shell.arm, shell.state)
        open_ = GuestTarget("demo", None, shown["public_ip"], "azureuser")
        first = open_now(backend.channels, open_)
        collector.collect(first, bytes(range(32)))
        pinned = GuestTarget("demo", None, open_.host, open_.user, first.host_key)
        self.channel: Channel = open_now(backend.channels, pinned)

    def make_key(self) -> bytes:
        """A new release key."""
        bundle = collector.collect(self.channel, bytes(range(32)), release=True)
        return bundle.recipient_key


@pytest.fixture
def simulated(tmp_path, prepared) -> _Simulated:
    """The simulated VM."""
    return _Simulated(prepared(Shell(tmp_path).with_key(), make_demo))


@pytest.fixture
def real(tmp_path) -> OpenerVm:
    """A folder in which the real script runs."""
    return OpenerVm(tmp_path / "root").boot()


def _content(**changes: Any) -> bytes:
    return json.dumps({"schema": "ccgpu.secrets/1", "secrets": [_ENTRY]} | changes).encode()


def _sealed(content: bytes, info: bytes = _INFO) -> Callable[[bytes], bytes]:
    return lambda key: _SUITE.encrypt(content, X25519PublicKey.from_public_bytes(key), info)


def _nothing(_: bytes) -> bytes:
    return b""


# A request, and the message that goes with it, made of the release key.
CASES: dict[str, tuple[Any, Callable[[bytes], bytes]]] = {
    "list": ({"action": "list"}, _nothing),
    "opened": (_OPEN, _sealed(_content())),
    "no message": (_OPEN, _nothing),
    "other info": (_OPEN, _sealed(_content(), b"other")),
    "no secrets": (_OPEN, _sealed(_content(secrets=[]))),
    "other schema": (_OPEN, _sealed(_content(schema="x"))),
    "no json": (_OPEN, _sealed(b"{")),
    "twice": (_OPEN, _sealed(_content(secrets=[_ENTRY, _ENTRY]))),
    "bad name": (_OPEN, _sealed(_content(secrets=[{**_ENTRY, "name": "../a"}]))),
    "bad owner": (_OPEN, _sealed(_content(secrets=[{**_ENTRY, "owner": -1}]))),
    "empty": (_OPEN, _sealed(_content(secrets=[{**_ENTRY, "value": ""}]))),
    "not base64": (_OPEN, _sealed(_content(secrets=[{**_ENTRY, "value": "!"}]))),
    "short binding": ({**_OPEN, "bound": "00"}, _nothing),
    "no hex": ({**_OPEN, "verdict": "zz" * 32}, _nothing),
    "unknown action": ({"action": "close"}, _nothing),
    "more than asked": ({"action": "list", "more": 1}, _nothing),
    "remove none": ({"action": "remove", "names": ["a"]}, _nothing),
    "remove no name": ({"action": "remove", "names": ["A"]}, _nothing),
    "remove twice": ({"action": "remove", "names": ["a", "a"]}, _nothing),
}


@pytest.mark.parametrize("case", mostly_slow(CASES, 5))
def test_both_give_the_same_answer(simulated, real, case):
    request, message = CASES[case]
    answers = []
    for run, key in ((simulated.channel.run, simulated.make_key()), (real.run, real.make_key())):
        script = release.script(message(key))
        done = run(release.command_line(request), script, timeout=60)
        document = json.loads(done.stdout)
        answers.append((done.exit_code, document.get("code"), document.get("secrets")))
    assert answers[0] == answers[1]


def test_another_user_than_root_is_refused(simulated):
    words = release.command_line({"action": "list"})[2:]
    done = simulated.channel.run(words, release.script(), timeout=60)
    assert json.loads(done.stdout)["code"] == "folder"


@pytest.mark.slow
def test_a_request_that_is_no_json_is_refused(simulated):
    words = [*release.command_line({})[:-1], "{"]
    done = simulated.channel.run(words, release.script(), timeout=60)
    assert json.loads(done.stdout)["code"] == "request"


def test_a_key_is_gone_once_it_was_tried(simulated):
    sealed = _sealed(_content())(simulated.make_key())
    for code in (None, "key.absent"):
        done = simulated.channel.run(release.command_line(_OPEN), release.script(sealed), timeout=9)
        assert json.loads(done.stdout).get("code") == code
