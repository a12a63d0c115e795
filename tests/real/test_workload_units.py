"""The units of workloads under a real systemd and journald, in a booted guest.

The engine is scripted: its containers are processes of the guest. The TPM is one in software on
this machine, which the guest reaches through a socket.
"""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ccgpu.domain.workload.values import RestartPolicy
from ccgpu.guest import openssh, workload
from ccgpu.guest.workload_answers import AllWorkloads, OneWorkload, WorkloadStarted
from ccgpu.guest.workload_requests import (
    FollowWorkload,
    ListWorkloads,
    StartWorkload,
    StatusOfWorkload,
    StopWorkload,
)
from support import real_guest
from support.paravisor import read_message
from support.real_guest import SET_UP_SECONDS
from support.swtpm import software_tpm
from support.workload_parts import SCRIPTED_ENGINE

pytestmark = pytest.mark.slow

_DIGEST = f"sha256:{'ab' * 32}"
_IMAGE = "registry.example/org/server:1"
_CONFIG = "#cloud-config\nssh_pwauth: false\n"
# Opens the TPM's socket, then becomes the Python that reads the script.
_WITH_TPM = """\
import os, socket, sys
tpm = socket.socket(socket.AF_UNIX)
tpm.connect("/srv/tpm/socket")
os.set_inheritable(tpm.fileno(), True)
words = [*sys.argv[1:], "--tpm", f"fd:{tpm.fileno()}"]
os.execv("/usr/bin/python3", ["python3", "-I", "-S", "-", *words])
"""
_ODD = ("$HOME", "${X}", "%n", "a b", '"', "'", "\\", ";", "", "ü", "a\nb", "\x01", "\\x41")
_FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.05; done'


@contextmanager
def socket_of_tpm(tpm, folder: Path) -> Iterator[None]:
    """A socket in a folder behind which the TPM answers, one connection after the other."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener, tpm))
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def serve(listener, tpm):
    while True:
        try:
            stream, _ = listener.accept()
        except OSError:
            return
        with stream, tpm.connected() as connection:
            while command := read_message(stream):
                stream.sendall(connection.exchange(command))


@pytest.fixture
def guest(layers, identity, tmp_path):
    """A guest that has booted, with an engine and a TPM."""
    upper = tmp_path / "guest/upper"
    engine, image = upper / "usr/bin/docker", upper / "srv/engine/registry.json"
    for file in (engine, image):
        file.parent.mkdir(parents=True)
    engine.write_text("#!/bin/bash\n" + SCRIPTED_ENGINE.format(root="/srv/engine"))
    engine.chmod(0o755)
    known = [f"registry.example/org/server@{_DIGEST}"]
    image.write_text(json.dumps([{"Id": _DIGEST, "RepoDigests": known}]))
    public = identity.with_suffix(".pub").read_text()
    for name in ("tpm", "state"):
        (tmp_path / name).mkdir()
    with (
        software_tpm(tmp_path / "state") as tpm,
        socket_of_tpm(tpm, tmp_path / "tpm"),
        real_guest.booted(
            *(layers, tmp_path / "guest", _CONFIG, public), binds=[f"{tmp_path}/tpm:/srv/tpm"]
        ) as running,
    ):
        running.wait(
            "sshd", lambda: running.answers() and "HOST KEY KEYS" in running.console, SET_UP_SECONDS
        )
        yield running


def ask(channel, request, form):
    words = ["sudo", "-n", "python3", "-I", "-c", _WITH_TPM, *workload.command_line(request)[-2:]]
    return workload.parse(channel.run(words, workload.script(), timeout=120), form)


def follow(channel, **given):
    words = workload.command_line(FollowWorkload(name="a", **given))
    done = channel.run(words, workload.script(), timeout=120)
    there = workload.parse_line(done.exit_code, done.stderr, b"", OneWorkload).workload
    return done.stdout, there


def job(script, *arguments, **changes):
    options = ("--rm", "--name", "ccgpu-a", "--pull=never", "-e", 'ODD=%i $x "q"')
    words = ("/bin/bash", "-c", script, "sh", *arguments)
    return StartWorkload(name="a", image=_IMAGE, options=options, arguments=words, **changes)


def test_units_under_systemd(guest, identity):
    with openssh.open_channel(guest.target(identity)) as channel:
        _check_words_and_exit_code(channel)
        _check_success_is_kept(channel)
        _check_restarts(channel)
        _check_stop(channel)
        ask(channel, job(_FOREVER), WorkloadStarted)
        before = ask(channel, ListWorkloads(), AllWorkloads)
        later = "systemd-run --on-active=1 --timer-property=AccuracySec=1ms systemctl reboot"
        channel.run(["sudo", "-n", *later.split()], timeout=30)
    assert [one.state for one in before.workloads] == ["running"]

    # After a restart nothing of it is there, until somebody runs it anew.
    shown = guest.console.count("Welcome to")
    guest.wait("a reboot", lambda: guest.console.count("Welcome to") > shown, SET_UP_SECONDS)
    guest.wait("sshd", guest.answers, SET_UP_SECONDS)
    with openssh.open_channel(guest.target(identity)) as channel:
        after = ask(channel, ListWorkloads(), AllWorkloads)
    assert (after.boot != before.boot, after.workloads) == (True, ())


def _check_words_and_exit_code(channel):
    script = 'printf "%s\\0" "$@" | base64 -w0; echo; printf "\\xff\\n"; exit 7'
    started = ask(channel, job(script, *_ODD), WorkloadStarted)
    log, there = follow(channel, since=started.started_at)
    assert (there.state, there.exit_code, there.result) == ("failed", 7, "exit-code")
    first, second = log.splitlines()
    assert base64.b64decode(first).split(b"\0")[:-1] == [word.encode() for word in _ODD]
    assert second == b"\xff"


def _check_success_is_kept(channel):
    started = ask(channel, job("for i in 1 2 3; do echo $i; sleep 0.2; done"), WorkloadStarted)
    log, there = follow(channel, since=started.started_at)
    assert (log, there.state, there.exit_code) == (b"1\n2\n3\n", "exited", 0)
    channel.run(["sudo", "-n", "systemctl", "daemon-reload"], timeout=30)
    again = ask(channel, StatusOfWorkload(name="a"), OneWorkload).workload
    assert (again.state, again.exit_code) == ("exited", 0)
    assert abs(again.since - there.since) < 1
    assert follow(channel, lines=1)[0] == b"3\n"


def _check_restarts(channel):
    restart = RestartPolicy(attempts=2, window_seconds=600, delay_seconds=0)
    started = ask(channel, job("echo try; exit 3", restart=restart), WorkloadStarted)
    log, there = follow(channel, since=started.started_at)
    assert log == b"try\n" * 3
    assert (there.state, there.exit_code) == ("failed", 3)
    assert there.restarts >= 2


def _check_stop(channel):
    ask(channel, job(f"echo up; {_FOREVER}", restart=RestartPolicy(attempts=5)), WorkloadStarted)
    stopped = ask(channel, StopWorkload(name="a"), OneWorkload).workload
    assert (stopped.state, stopped.exit_code) == ("stopped", None)
    assert ask(channel, ListWorkloads(), AllWorkloads).workloads == ()
    done = channel.run(["systemctl", "list-units", "--all", "ccgpu-workload-*"], timeout=30)
    assert b"0 loaded units" in done.stdout
