"""The commands that reach a VM: simulated in Azure, and a real sshd inside."""

import json
import re
import socket
import subprocess
import threading
from dataclasses import dataclass

import pytest

from ccgpu.fakearm import Request, Response
from ccgpu.scheduling.clock import Clock
from ccgpu.store.keys import Keys
from support.cli import Shell
from support.faults import NthRequest
from support.guests import GuestShell
from support.slow import mostly_slow
from support.sshd import Sshd, make_key

CANARY = "canary-41c7"


@pytest.fixture
def guest(sshd, tmp_path):
    """A user with one VM that runs."""
    guest = GuestShell(Shell(tmp_path).with_key(), sshd)
    guest.create()
    sshd.start()
    return guest


def _is_serial_log(request: Request) -> bool:
    return ".blob.storage.azure.net/" in request.url


def _serial_log(text: str) -> NthRequest:
    answer = Response(200, text, {"Content-Type": "text/plain"})
    return NthRequest(0, _is_serial_log, answer, times=None)


@pytest.mark.slow
def test_exec_passes_output_and_exit_code_through(guest):
    done = guest("exec demo -- sh -c 'echo out; echo err >&2; exit 42'")
    note, said = done.err.splitlines()
    assert (done.code, done.out, said) == (42, "out\n", "err")
    assert "demo is not attested in this boot" in note
    assert guest("exec demo -- printf '%s\\n' 'a  b' '$HOME'").out == "a  b\n$HOME\n"
    assert guest("exec demo -- sh -c 'exit 255'").code == 255


@pytest.mark.slow
def test_exec_passes_its_input_through_unless_it_is_a_terminal(guest):
    guest.shell.stdin = b"line\n" * 1000
    assert guest("exec demo -- cat").out == "line\n" * 1000
    guest.shell.stdin = None
    assert guest("exec demo -- cat").out == ""


@pytest.mark.slow
def test_the_host_key_is_read_from_the_console_once_and_recorded(guest):
    assert guest("exec demo -- true").code == 0
    assert guest("exec demo -- true").code == 0

    assert guest.requests("retrievebootdiagnosticsdata") == 1
    (file,) = [path for path in guest.files() if path.suffix == ".hostkey"]
    record = json.loads(file.read_text())
    assert record["source"] == "serial-log"
    assert record["vm_id"] == guest.targets[0].vm_id
    assert file.stat().st_mode & 0o777 == 0o600
    assert {target.host_key for target in guest.targets} == {guest.sshd.host_key}
    assert guest("delete demo --yes").code == 0
    assert [path for path in guest.files() if path.suffix in (".hostkey", ".access")] == []


def _log_in(guest, words):
    """Run the words of a document's `openssh` here: the port, address and user are the server's."""
    own_key = guest.shell.home / ".ssh" / "id_ed25519"
    own_key.write_bytes(guest.sshd.identity.read_bytes())
    own_key.chmod(0o600)
    own_key.with_suffix(".pub").unlink(missing_ok=True)
    here = ["-o", "HostName=127.0.0.1", "-o", f"Port={guest.sshd.port}", "-l", guest.sshd.user]
    command = [words[0], *here, *words[1:], "echo", "logged in"]
    return subprocess.run(
        command, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=60
    )


def test_the_command_in_the_documents_logs_in_by_openssh_alone(guest):
    assert guest("show demo -o json").document["openssh"] is None  # no key is recorded yet
    assert guest("exec demo -- true").code == 0
    document = guest("show demo -o json").document
    words = document["openssh"]
    assert words[-1] == f"{document['admin_user']}@{document['public_ip']}"
    assert words[words.index("-i") + 1] == document["identity_file"]

    done = _log_in(guest, words)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"logged in\n", b"")
    assert guest.sshd.logins == 2

    guest.sshd.stop()
    make_key(guest.sshd.folder / "evil")
    guest.sshd.start(host_key="evil")
    refused = _log_in(guest, words)
    assert (refused.returncode, refused.stdout) == (255, b"")
    assert b"verification failed" in refused.stderr
    assert guest.sshd.logins == 2


_LINES = ["exec demo -- cat", "cp demo:x x", "tunnel demo 80", "logs demo", "ssh demo"]


@pytest.mark.parametrize("line", mostly_slow(_LINES, 5))
def test_another_host_key_is_fatal_and_no_input_is_sent(guest, line):
    guest.sshd.stop()
    make_key(guest.sshd.folder / "evil")
    guest.sshd.start(host_key="evil")
    guest.shell.stdin = CANARY.encode()

    done = guest(line)

    assert done.code == 9
    assert "WRONG HOST KEY" in done.err
    assert "Nothing was sent" in done.err
    assert guest.sshd.logins == 0


@pytest.mark.slow
def test_a_vm_that_has_not_printed_its_key_is_not_connected_to(guest):
    guest.shell.arm.faults.append(_serial_log("booting\r\n"))
    guest.shell.stdin = CANARY.encode()

    done = guest("exec demo -- cat")

    assert done.code == 10
    assert "is not known" in done.err
    assert (guest.targets, guest.sshd.logins) == ([], 0)


@pytest.mark.slow
def test_a_key_that_is_printed_later_is_waited_for(guest):
    guest.shell.arm.faults.append(NthRequest(0, _is_serial_log, Response(200, "", {}), times=3))
    assert guest("exec demo -- true").code == 0
    assert guest.requests("retrievebootdiagnosticsdata") == 4


@pytest.mark.slow
def test_two_keys_at_the_console_are_refused(guest):
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{}"
    block = "-----BEGIN SSH HOST KEY KEYS-----\n{}\n-----END SSH HOST KEY KEYS-----\n"
    both = "".join(block.format(key.format(letter * 43)) for letter in "AB")
    guest.shell.arm.faults.append(_serial_log(both))

    done = guest("exec demo -- true")

    assert (done.code, guest.sshd.logins) == (9, 0)


@pytest.mark.slow
@dataclass
class _StartingServer:
    """A clock in whose first pause the server starts."""

    clock: Clock
    sshd: Sshd

    def now(self) -> float:
        return self.clock.now()

    def wall(self) -> float:
        return self.now()

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        if self.sshd.process is None:
            self.sshd.start()


@pytest.mark.slow
def test_a_server_that_comes_up_late_is_waited_for(guest):
    guest.sshd.stop()
    guest.clock = _StartingServer(guest.shell.arm.clock, guest.sshd)
    done = guest("exec demo -- echo up")
    assert (done.code, done.out) == (0, "up\n")
    assert "cannot be reached yet" in done.err


@pytest.mark.slow
def test_a_server_that_never_comes_up_ends_with_its_own_exit_code(guest):
    guest.sshd.stop()
    done = guest("exec demo --connect-timeout 20s -- true")
    assert done.code == 10
    assert "Connection refused" in done.err


@pytest.mark.slow
def test_a_stopped_vm_is_named(guest):
    guest("stop demo")
    done = guest("exec demo -- true")
    assert done.code == 10
    assert "deallocated" in done.err
    assert "`ccgpu start demo`" in done.err


@pytest.mark.slow
def test_a_command_that_takes_too_long_is_a_time_out(guest):
    done = guest("exec demo --timeout 1s -- sleep 60")
    assert done.code == 11
    assert "did not end within 1 s" in done.err


@pytest.mark.slow
def test_a_lost_connection_is_not_an_exit_code_of_the_command(guest):
    guest("exec demo -- true")
    logins = guest.sshd.logins
    timer = threading.Timer(1.5, guest.sshd.drop_connections)
    timer.start()
    done = guest("exec demo -- sleep 30")
    timer.join()
    assert guest.sshd.logins == logins + 1
    assert done.code == 10
    assert "broke off" in done.err


@pytest.mark.slow
def test_an_unknown_deployment_is_named(guest):
    done = guest("exec other -- true")
    assert done.code == 4
    assert "there is no VM other" in done.err


@pytest.mark.slow
def test_cp_copies_both_ways(guest, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "script").write_bytes(b"\x00\xff")
    (tmp_path / "folder" / "script").chmod(0o750)
    there, back = tmp_path / "there", tmp_path / "back"

    assert guest(f"cp -r {tmp_path / 'folder'} demo:{there}").code == 0
    assert guest(f"cp demo:{there}/script {back}").code == 0

    assert back.read_bytes() == b"\x00\xff"
    assert back.stat().st_mode & 0o777 == 0o750
    missing = guest(f"cp demo:{tmp_path}/nothing {back}")
    assert (missing.code, "nothing: No such file" in missing.err) == (4, True)


@pytest.mark.slow
@pytest.mark.parametrize("form", mostly_slow(["text", "json"], 2))
def test_a_tunnel_prints_its_address_and_ends_with_an_interrupt(guest, form):
    """It leads to the server itself, which greets."""
    greetings: list[bytes] = []

    def pause(_: float) -> None:
        if greetings:
            raise KeyboardInterrupt
        (port,) = re.findall(r"127\.0\.0\.1:(\d+)", guest.shell.out.getvalue())
        with socket.create_connection(("127.0.0.1", int(port)), 10) as client:
            greetings.append(client.recv(4))

    guest.shell.pause = pause
    done = guest(f"tunnel demo {guest.sshd.port} -o {form}")
    assert (done.code, greetings) == (0, [b"SSH-"])
    notes = done.err.splitlines()
    assert all("is not attested in this boot" in note for note in notes)
    assert len(notes) <= 1
    if form == "json":
        assert done.document["port"] == guest.sshd.port
        assert done.document["address"] == f"127.0.0.1:{done.document['local_port']}"


@pytest.mark.slow
def test_the_generated_key_is_used_where_the_vm_was_created_with_it(sshd, tmp_path):
    guest = GuestShell(Shell(tmp_path), sshd, own_identity=True)
    guest.create()
    keys = Keys(guest.shell.state, "demo", guest.shell.home)
    (sshd.folder / "authorized_keys").write_bytes(keys.public.read_bytes())
    sshd.start()
    assert guest("exec demo -- echo in").out == "in\n"
    assert guest.targets[-1].identity == keys.private

    make_key(tmp_path / "mine")
    refused = guest(f"exec demo -i {tmp_path / 'mine'} -- true")
    assert refused.code == 10
    assert str(tmp_path / "mine") in refused.err
    assert guest("exec demo -- true").code == 0  # what led nowhere is not remembered
    assert guest("exec demo -i none -- true").code == 0
    assert guest(f"exec demo -i {tmp_path / 'missing'} -- true").code == 2


@pytest.mark.slow
def test_a_private_vm_needs_a_way_which_is_remembered(sshd, tmp_path):
    guest = GuestShell(Shell(tmp_path).with_key(), sshd)
    guest.create("--private")
    sshd.start()
    private = guest("show demo -o json").document["private_ip"]

    lost = guest("exec demo -- true")
    assert lost.code == 10
    assert "--jump" in lost.err
    assert guest("exec demo --reachable -- true").code == 0
    assert guest("exec demo -- true").code == 0
    assert {target.host for target in guest.targets} == {private}
    assert guest("exec demo --no-reachable -- true").code == 10


@pytest.mark.slow
def test_a_secret_from_stdin_is_stored_and_told_nowhere(guest):
    guest.shell.stdin = CANARY.encode()
    done = guest("exec demo -- sh -c 'cat >/dev/null; exit 3'")
    assert done.code == 3
    assert CANARY not in str(done)
    assert [path for path in guest.files() if CANARY.encode() in path.read_bytes()] == []
