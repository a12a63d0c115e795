"""The opener under the distribution's Python, with the packages that an image has.

What the client seals, python3-cryptography of the distribution opens, with the key that the
collector has made by openssl.
"""

import json
import os
import re
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ccgpu.domain.secret import MOST_BYTES, MOST_SECRETS, Secret
from ccgpu.errors import ReleaseFailed
from ccgpu.guest import release
from ccgpu.guest.openssh import open_channel
from ccgpu.guest.release import StoredSecret
from ccgpu.templates.guest.collector.release import make_release_key
from ccgpu.templates.guest.collector.settings import LIMITS, Settings
from support.collecting import guest_pythons
from support.hpke_vectors import ASSOCIATED, CONTENT, INFO, VECTORS
from support.opening import BOUND, VERDICT, OpenerVm, mode_of
from support.repository import ROOT
from support.slow import mostly_slow

_PYTHON = "/usr/bin/python3"
_ME = os.geteuid()
_VALUE = b"hf_Canary7Q2xT9vLw4Zr8Nk1Bd6Fs3Hj5Mp0Yc"
TOKEN = Secret("hf-token", _VALUE, _ME)
_ASK = """
import json, sys
sys.path.append(sys.argv[1])
from hpke import X25519PrivateKey, CannotBeOpened, open_message
given = json.load(sys.stdin)
part = lambda name: bytes.fromhex(given[name])
private = X25519PrivateKey.from_private_bytes(part("private"))
try:
    opened = open_message(private, part("message"), part("info"), part("aad"), given["size"])
except CannotBeOpened:
    print("not opened")
else:
    print(opened.hex())
"""


@pytest.fixture(scope="module", autouse=True)
def _package() -> None:
    """The distribution's Python has the package, or nothing here can be tested."""
    asked = [_PYTHON, "-I", "-c", "import cryptography"]
    there = (
        os.access(_PYTHON, os.X_OK)
        and not subprocess.run(asked, capture_output=True, check=False).returncode
    )
    if not there:
        pytest.skip("needs /usr/bin/python3 with python3-cryptography")


@pytest.fixture
def vm(tmp_path) -> OpenerVm:
    """A VM that has booted, whose Python is the distribution's."""
    return OpenerVm(tmp_path / "root", _PYTHON).boot()


def collected_key(vm: OpenerVm) -> bytes:
    """The public half of a key that the collector has made in the VM."""
    return make_release_key(Settings(vm.root, None, ("127.0.0.1", 1), LIMITS))


def sealed_to(key: bytes, *secrets: Secret) -> bytes:
    """A message to a release key."""
    return release.seal(secrets, key, release.release_info(BOUND, VERDICT))


@pytest.mark.parametrize("vector", VECTORS.values(), ids=list(VECTORS))
def test_the_known_answers_of_the_rfc_open(vector):
    def ask(message: bytes) -> str:
        given = {
            "private": vector.private,
            "message": message.hex(),
            "info": INFO.hex(),
            "aad": ASSOCIATED.hex(),
            "size": vector.key_size,
        }
        folder = str(ROOT / "templates/guest/release")
        words = [_PYTHON, "-I", "-c", _ASK, folder]
        text = json.dumps(given).encode()
        done = subprocess.run(words, input=text, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    assert ask(vector.message) == CONTENT.hex()
    assert ask(vector.message[:-1]) == "not opened"
    assert ask(bytes(32) + vector.message[32:]) == "not opened"


@pytest.mark.slow
def test_what_the_client_seals_to_the_collectors_key_becomes_files(vm):
    sealed = sealed_to(collected_key(vm), TOKEN, Secret("other", bytes(65536), _ME))
    assert vm.open(sealed) == (
        StoredSecret("hf-token", len(_VALUE), _ME),
        StoredSecret("other", 65536, _ME),
    )
    assert vm.contents() == {
        "run/ccgpu/secrets/hf-token": _VALUE,
        "run/ccgpu/secrets/other": bytes(65536),
    }
    assert [mode_of(one) for one in (vm.secrets, vm.secrets / "hf-token")] == [0o711, 0o600]
    assert len(release.list_secrets(vm)) == 2
    release.remove_secrets(vm, ["hf-token", "other"])
    assert vm.contents() == {}


@pytest.mark.slow
def test_the_collector_makes_a_new_key_beside_the_secrets(vm):
    """The folder is one that others may pass through by then."""
    vm.open(sealed_to(collected_key(vm), TOKEN))
    vm.open(sealed_to(collected_key(vm), Secret("hf-token", b"new", _ME)))
    assert vm.contents() == {"run/ccgpu/secrets/hf-token": b"new"}


@pytest.mark.slow
@pytest.mark.skipif(_ME != 0, reason="only root gives files away")
def test_the_owner_alone_reads_a_secret(vm):
    vm.open(sealed_to(collected_key(vm), Secret("hf-token", _VALUE, 65534)))
    for path in (vm.root, *vm.root.parents):
        path.chmod(path.stat().st_mode | 0o011)
    file = str(vm.secrets / "hf-token")

    def read_as(uid: int) -> bytes:
        cat = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "cat", file]
        return subprocess.run(cat, capture_output=True, check=False).stdout

    assert read_as(65534) == _VALUE
    assert read_as(12345) == b""


@pytest.mark.parametrize(
    "what", mostly_slow(["other key", "other info", "cut", "used", "rebooted"], 5)
)
def test_a_message_that_is_not_for_this_vm_and_boot_does_not_open(vm, what, tmp_path):
    sealed, context = sealed_to(collected_key(vm), TOKEN), (BOUND, VERDICT)
    if what == "other key":
        sealed = sealed_to(X25519PrivateKey.generate().public_key().public_bytes_raw(), TOKEN)
    elif what == "other info":
        context = (VERDICT * 2, VERDICT)
    elif what == "cut":
        sealed = sealed[:-1]
    elif what == "used":
        vm.open(sealed)
        release.remove_secrets(vm, ["hf-token"])
    else:
        vm.root = tmp_path / "rebooted"
        vm.boot()
        collected_key(vm)
    with pytest.raises(ReleaseFailed) as caught:
        vm.open(sealed, *context)
    assert caught.value.reason == ("key.absent" if what == "used" else "seal")
    assert vm.contents() == {}


@pytest.mark.parametrize("python", mostly_slow(guest_pythons(), 9))
def test_each_python_answers_with_and_without_the_package(vm, python):
    vm.python = python
    assert release.list_secrets(vm) == ()
    hidden = b"import sys; sys.modules['cryptography'] = None\n"
    request = {"action": "open", "bound": BOUND.hex(), "verdict": VERDICT.hex()}
    assert vm.refusal(request, hidden + release.script(b"sealed")) == "crypto.absent"


@pytest.mark.slow
def test_a_value_goes_to_its_file_and_nowhere_else(vm, tmp_path):
    """Every system call of the opener is looked at: programs, files, sockets, output."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace")
    trace = tmp_path / "trace"
    tracer = tmp_path / "python"
    words = f"{strace} -f -qq -s 1048576 -o {trace} {_PYTHON}"
    tracer.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    tracer.chmod(0o755)
    vm.python = str(tracer)
    sealed = sealed_to(collected_key(vm), TOKEN)
    vm.open(sealed)
    lines = trace.read_text(errors="replace").splitlines()
    shown = [line for line in lines if _VALUE.decode() in line]
    assert len(shown) == 1
    assert re.fullmatch(rf'\d+ +write\((\d+), "{_VALUE.decode()}", {len(_VALUE)}\) = .*', shown[0])
    made = [line for line in lines if " openat(" in line and "O_CREAT" in line]
    assert len(made) == 1
    assert '".hf-token.' in made[0]
    assert "O_EXCL" in made[0]
    assert "O_NOFOLLOW" in made[0]
    assert sum(" execve(" in line for line in lines) == 1
    assert not any(re.search(r" socket\(AF_(?!UNIX)", line) for line in lines)
    gone = next(line for line in lines if " unlink" in line and ".taken." in line)
    assert lines.index(gone) < lines.index(made[0])  # the key goes before a secret comes
    assert any("PR_SET_DUMPABLE, SUID_DUMP_DISABLE" in line for line in lines)


@pytest.mark.slow
def test_the_largest_release_goes_over_ssh(vm, shared_sshd):
    """Sixteen secrets of 64 KiB, in one script on the input of the distribution's Python."""
    many = [Secret(f"s{number:02}", os.urandom(MOST_BYTES), _ME) for number in range(MOST_SECRETS)]
    sealed = sealed_to(collected_key(vm), *many)
    request = {"action": "open", "bound": BOUND.hex(), "verdict": VERDICT.hex()}
    words = [_PYTHON, *release.command_line(request)[3:], "--root", str(vm.root)]
    with open_channel(shared_sshd.target()) as channel:
        stored = release.parse(channel.run(words, release.script(sealed), timeout=60))
    assert len(stored) == MOST_SECRETS
    assert vm.contents() == {f"run/ccgpu/secrets/{one.name}": one.value for one in many}
