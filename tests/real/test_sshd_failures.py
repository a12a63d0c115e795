"""What fails over a real sshd, and what must not be sent to it."""

import io
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from ccgpu.domain import hostkey
from ccgpu.errors import ConnectionLost, GuestUnreachable, HostKeyMismatch, TimedOut
from ccgpu.guest import probe, public_scripts
from ccgpu.guest.openssh import open_channel
from ccgpu.scheduling.clock import RealClock
from support.sshd import make_key, target_at

SECRET = b"s3cret-canary-0af1"


class _Watched(io.BytesIO):
    """Input that must not be read."""

    def read(self, *_: object) -> bytes:
        raise AssertionError("it was read")

    read1 = read


def _uses(channel, tmp_path):
    """Everything that would send something, or open something."""
    out = io.BytesIO()
    return [
        lambda: channel.run(["cat"], SECRET, timeout=20),
        lambda: channel.run(["echo", "a command without input"], timeout=20),
        lambda: channel.stream(["cat"], _Watched(), out, out),
        lambda: channel.put(Path(__file__), str(tmp_path / "copy")),
        lambda: channel.get(__file__, tmp_path / "copy"),
        lambda: channel.forward(22).__enter__(),
        channel.shell,
    ]


@pytest.mark.slow
def test_a_wrong_host_key_is_fatal_and_nothing_is_sent(shared_sshd, tmp_path):
    make_key(tmp_path / "other")
    pinned = hostkey.parse((tmp_path / "other.pub").read_bytes())
    before = shared_sshd.logins
    with open_channel(shared_sshd.target(host_key=pinned)) as channel:
        for use in _uses(channel, tmp_path):
            with pytest.raises(HostKeyMismatch, match="WRONG HOST KEY") as caught:
                use()
            assert caught.value.exit_code == 9
            assert hostkey.fingerprint(hostkey.sha256(pinned)) in str(caught.value)
    assert shared_sshd.logins == before
    assert not (tmp_path / "copy").exists()


def test_a_server_without_an_ed25519_key_is_not_the_vm(sshd):
    make_key(sshd.folder / "ecdsa", "ecdsa")
    sshd.start(host_key="ecdsa")
    with open_channel(sshd.target()) as channel, pytest.raises(HostKeyMismatch):
        channel.run(["true"], timeout=20)


def test_without_a_pinned_key_only_what_is_public_is_sent(shared_sshd, tmp_path):
    before = shared_sshd.logins
    with open_channel(shared_sshd.target(host_key=None)) as channel:
        for use in _uses(channel, tmp_path):
            with pytest.raises(GuestUnreachable, match="is not known") as caught:
                use()
            assert not caught.value.transient
        assert shared_sshd.logins == before


@pytest.mark.parametrize(
    "script", sorted(Path(public_scripts.__file__).parents[1].glob("templates/guest/*.py"))
)
def test_without_a_pinned_key_a_script_of_ccgpu_is_run(shared_sshd, script):
    with open_channel(shared_sshd.target(host_key=None)) as channel:
        assert channel.run(["cat"], script.read_bytes(), timeout=20).stdout == script.read_bytes()


@pytest.mark.slow
def test_without_a_pinned_key_the_first_key_holds_for_the_channel(sshd):
    sshd.start()
    script = probe.script()
    with open_channel(sshd.target(host_key=None)) as channel:
        channel.run(["cat"], script, timeout=20)
        sshd.stop()
        make_key(sshd.folder / "other")
        sshd.start(host_key="other")
        with pytest.raises(GuestUnreachable, match="or two different ones") as caught:
            channel.run(["cat"], script, timeout=20)
        assert not caught.value.transient
        assert channel.host_key == sshd.host_key
    with open_channel(sshd.target(host_key=None)) as channel:  # nothing of it was kept
        assert channel.run(["cat"], script, timeout=20).exit_code == 0


def test_a_refused_key_is_final_and_named(shared_sshd, tmp_path):
    make_key(tmp_path / "mine")
    target = shared_sshd.target(identity=tmp_path / "mine")
    with open_channel(target) as channel, pytest.raises(GuestUnreachable) as caught:
        channel.run(["true"], timeout=20)
    assert not caught.value.transient
    assert str(tmp_path / "mine") in str(caught.value)
    assert "`ssh-add FILE`" in (caught.value.hint or "")


@pytest.mark.slow
def test_a_server_that_is_not_up_is_worth_another_try(sshd):
    with open_channel(sshd.target()) as channel:
        with pytest.raises(GuestUnreachable, match="refused") as caught:
            channel.run(["true"], timeout=20)
        assert caught.value.transient
        sshd.start()
        assert channel.run(["true"], timeout=20).exit_code == 0


def test_a_server_that_hangs_up_is_worth_another_try():
    """As behind a load balancer, or while sshd starts: the port accepts, then nothing comes."""
    server = subprocess.Popen(
        [sys.executable, "-c", _HANGS_UP], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())
        with open_channel(target_at(port)) as channel, pytest.raises(GuestUnreachable) as caught:
            channel.run(["true"], timeout=20)
        assert caught.value.transient
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


_HANGS_UP = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    server.accept()[0].close()
"""


@pytest.mark.parametrize(
    "changes",
    [
        {"user": "-oProxyCommand=touch x"},
        {"user": ""},
        {"host": "-oProxyCommand=x"},
        {"host": "demo.example"},
        {"vm_id": "x y"},
        {"deployment": "a b"},
    ],
)
def test_a_target_that_could_be_an_option_is_refused(changes):
    with pytest.raises(GuestUnreachable), open_channel(target_at(22, **changes)):
        pass


@pytest.mark.slow
def test_a_dropped_connection_is_not_an_exit_code(sshd):
    sshd.start()
    with open_channel(sshd.target()) as channel:
        channel.run(["true"], timeout=20)
        threading.Timer(0.5, sshd.drop_connections).start()
        with pytest.raises(ConnectionLost) as caught:
            channel.run(["sleep", "20"], timeout=20)
        assert caught.value.exit_code == 10
        assert channel.run(["true"], timeout=20).exit_code == 0  # connects again


def test_a_killed_command_is_not_a_lost_connection(channel):
    done = channel.run(["sh", "-c", "kill -KILL $$"], timeout=20)
    assert done.exit_code in (137, 255)


def _masters() -> list[int]:
    """The shared connections that this process has opened."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            parent = int((path.parent / "stat").read_text().rsplit(")")[-1].split()[1])
            if b"ControlMaster=yes" in words and parent == os.getpid():
                found.append(int(path.parent.name))
    return found


@pytest.mark.slow
def test_a_master_that_is_gone_is_not_an_exit_code(channel):
    channel.run(["true"], timeout=20)
    (master,) = _masters()
    threading.Timer(0.5, os.kill, (master, signal.SIGKILL)).start()
    with pytest.raises(ConnectionLost):
        channel.run(["sleep", "20"], timeout=20)
    assert channel.run(["echo", "again"], timeout=20).stdout == b"again\n"


def test_a_command_that_takes_too_long_is_ended_here_and_there(channel, tmp_path):
    file = tmp_path / "pid"
    with pytest.raises(TimedOut):
        channel.run(["sh", "-c", f"echo $$ > {file}; exec sleep 60"], timeout=1)
    process = Path(f"/proc/{file.read_text().strip()}")
    clock = RealClock()
    until = clock.now() + 15
    while process.exists() and clock.now() < until:
        clock.sleep(0.1)
    assert not process.exists()


@pytest.mark.slow
def test_a_stream_that_takes_too_long_is_ended(channel):
    out, clock = io.BytesIO(), RealClock()
    channel.run(["true"], timeout=20)
    began = clock.now()
    with pytest.raises(TimedOut):
        channel.stream(["sleep", "9"], None, out, out, timeout=0.5)
    assert clock.now() - began < 2
    assert channel.run(["true"], timeout=20).exit_code == 0


@pytest.mark.slow
def test_nothing_is_left_when_the_channel_is_closed(shared_sshd, home, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(home))
    before = set(_masters())
    with open_channel(shared_sshd.target()) as channel:
        channel.run(["true"], timeout=20)
        assert set(_masters()) - before
    assert set(_masters()) == before


_KILLED = """
import sys, os
sys.path[:0] = {path!r}
from pathlib import Path
from support.sshd import Sshd
from ccgpu.guest.openssh import open_channel
with open_channel(Sshd(Path({folder!r}), {port}).target()) as channel:
    channel.run(["true"], timeout=20)
    print("ready", flush=True)
    channel.run(["sleep", "60"], timeout=60)
"""


@pytest.mark.slow
def test_a_killed_ccgpu_leaves_no_connection(sshd):
    sshd.start()
    code = _KILLED.format(path=sys.path, folder=str(sshd.folder), port=sshd.port)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait()
    process.stdout.close()
    clock = RealClock()
    until = clock.now() + 15
    while sshd.sessions() and clock.now() < until:
        clock.sleep(0.1)
    assert sshd.sessions() == []


def test_a_channel_tells_the_host_key_that_it_has_seen(shared_sshd):
    pinned = shared_sshd.host_key
    with open_channel(shared_sshd.target(host_key=pinned)) as channel:
        assert channel.host_key == pinned
    with open_channel(shared_sshd.target(host_key=None)) as channel:
        assert channel.host_key is None
        channel.run(["cat"], probe.script(), timeout=20)
        assert channel.host_key == pinned


def test_no_connection_is_made_in_place_of_one_that_is_kept(channel, tmp_path):
    with channel.keep():
        channel.put(Path(__file__), str(tmp_path / "first"))
        (master,) = _masters()
        os.kill(master, signal.SIGKILL)
        with pytest.raises(ConnectionLost):
            channel.put(Path(__file__), str(tmp_path / "second"))
    assert [one.name for one in tmp_path.glob("[fs]*")] == ["first"]
    assert channel.run(["true"], timeout=20).exit_code == 0
