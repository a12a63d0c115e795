"""The channel to a simulated guest: commands, files, ports, and how it fails."""

import io
import socket
import stat
from dataclasses import replace

import pytest

from ccgpu.errors import CcgpuError, GuestUnreachable, TimedOut, UsageProblem
from ccgpu.fakeguest import forwarding
from support.arm import resource_path, rule
from support.simulated_guests import GuestBench


@pytest.mark.parametrize(
    ("argv", "stdin", "code", "out", "err"),
    [
        (["true"], b"", 0, b"", b""),
        (["/usr/bin/false"], b"", 1, b"", b""),
        (["echo", "a b", "ü\n'"], b"", 0, "a b ü\n'\n".encode(), b""),
        (["cat"], bytes(range(256)), 0, bytes(range(256)), b""),
        (["cat", "-", "/etc/hostname"], b"in ", 0, b"in vm\n", b""),
        (["cat", "nothing"], b"", 1, b"", b"cat: nothing: No such file or directory\n"),
        (["cat", "/etc"], b"", 1, b"", b"cat: /etc: Is a directory\n"),
        (["sh", "-c", "exit 130"], b"", 130, b"", b""),
        (["sh", "-c", "exit 256"], b"", 0, b"", b""),
        (["uname", "-m"], b"", 0, b"x86_64\n", b""),
        (["hostname"], b"", 0, b"vm\n", b""),
        (["whoami"], b"", 0, b"azureuser\n", b""),
        (["sudo", "-n", "whoami"], b"", 0, b"root\n", b""),
        (["no-such"], b"", 127, b"", b"no-such: command not found\n"),
        ([], b"", 127, b"", b": command not found\n"),
    ],
)
def test_commands_end_as_in_a_real_guest(bench, argv, stdin, code, out, err):
    done = bench.channel.run(argv, stdin, timeout=5)
    assert (done.exit_code, done.stdout, done.stderr) == (code, out, err)
    outs, errs = io.BytesIO(), io.BytesIO()
    assert bench.channel.stream(argv, io.BytesIO(stdin), outs, errs) == code
    assert (outs.getvalue(), errs.getvalue()) == (out, err)


@pytest.mark.parametrize("script", ["echo a; echo b", "exit", "exit 1000", "true && false"])
def test_a_shell_script_is_refused_and_not_guessed(bench, script):
    done = bench.channel.run(["sh", "-c", script], timeout=5)
    assert (done.exit_code, done.stdout) == (127, b"")
    assert b"no shell" in done.stderr


class _Unread(io.RawIOBase):
    """A stream that nobody may read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError(f"{size} bytes were read")


def test_a_command_that_reads_nothing_leaves_the_input_alone(bench):
    assert bench.channel.stream(["true"], _Unread(), io.BytesIO(), io.BytesIO()) == 0


def test_only_root_sets_the_ready_state(bench):
    done = bench.channel.run(["nvidia-smi", "conf-compute", "-srs", "1"], timeout=5)
    assert done.exit_code != 0
    assert "not-ready" in bench.texts()["ready"]


def test_sleep_takes_virtual_time_and_the_limit_ends_it(bench):
    arm = bench.az.arm
    before = arm.now()
    assert bench.channel.run(["sleep", "30"], timeout=60).exit_code == 0
    assert arm.now() == before + 30
    with pytest.raises(TimedOut):
        bench.channel.run(["sleep", "30"], timeout=10)
    assert arm.now() == before + 40


def test_a_command_takes_no_time(bench):
    before = bench.az.arm.now()
    bench.answer()
    assert bench.az.arm.now() == before


def test_files_come_back_as_they_were_put(bench, tmp_path):
    tree = tmp_path / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "run").write_bytes(bytes(range(256)) * 40)
    (tree / "run").chmod(0o750)
    (tree / "below" / "note ü").write_text("x")
    channel = bench.channel
    channel.put(tree, "copied", recursive=True)
    channel.put(tree, "/tmp", recursive=True)  # a folder that exists: below it
    channel.put(tree / "run", "/opt/")
    for remote in ("copied", "/tmp/tree", "~/copied"):
        local = tmp_path / remote.replace("/", "_")
        channel.get(remote, local, recursive=True)
        assert (local / "run").read_bytes() == (tree / "run").read_bytes()
        assert stat.S_IMODE((local / "run").stat().st_mode) == 0o750
        assert (local / "below" / "note ü").read_text() == "x"
    channel.get("/opt/run", tmp_path)
    assert (tmp_path / "run").read_bytes() == (tree / "run").read_bytes()
    assert channel.run(["ls", "copied"], timeout=5).stdout == b"below\nrun\n"


def test_a_copy_that_cannot_be_made_is_an_error(bench, tmp_path):
    (tmp_path / "folder").mkdir()
    channel = bench.channel
    for attempt in (
        lambda: channel.put(tmp_path / "missing", "x"),
        lambda: channel.put(tmp_path / "folder", "x"),
        lambda: channel.get("missing", tmp_path / "x"),
        lambda: channel.get("/etc", tmp_path / "x"),
        lambda: channel.get("/etc/hostname", tmp_path / "no" / "folder"),
    ):
        with pytest.raises(CcgpuError):
            attempt()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder"]


@pytest.mark.slow
def test_a_guest_holds_64_mib_of_files(bench, tmp_path):
    (tmp_path / "large").write_bytes(bytes(33 << 20))
    bench.channel.put(tmp_path / "large", "one")
    bench.channel.put(tmp_path / "large", "one")  # it replaces the first
    with pytest.raises(CcgpuError, match="No space left"):
        bench.channel.put(tmp_path / "large", "two")


def test_a_forwarded_port_where_nothing_listens_is_closed(bench):
    with (
        bench.channel.forward(8000) as port,
        socket.create_connection(("127.0.0.1", port), 5) as it,
    ):
        it.settimeout(5)
        assert it.recv(1) == b""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 5)


def test_a_service_of_the_guest_answers_at_the_forwarded_port():
    def shout(connection: socket.socket) -> None:
        connection.sendall(connection.recv(100).upper())

    with forwarding.forward(lambda: shout) as port:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port), 5) as it:
                it.sendall(b"hello")
                assert it.recv(100) == b"HELLO"


def test_a_local_port_in_use_is_refused(bench):
    with bench.channel.forward(8000) as port, pytest.raises(UsageProblem, match=str(port)):
        bench.channel.forward(8000, port)


def test_there_is_no_login_shell(bench):
    with pytest.raises(UsageProblem, match="ccgpu exec demo --backend fake"):
        bench.channel.shell()


def test_without_a_known_key_only_the_probe_runs(bench, tmp_path):
    unknown = bench.pinned(None)
    channel = unknown.channel
    assert unknown.texts()["cc"] == "CC status: ON"
    for attempt in (
        lambda: channel.run(["cat"], b"secret", timeout=5),
        lambda: channel.run(["sudo", "-n", "/usr/local/lib/ccgpu/setup"], timeout=5),
        lambda: channel.stream(["true"], None, io.BytesIO(), io.BytesIO()),
        lambda: channel.put(tmp_path, "x", recursive=True),
        lambda: channel.get("x", tmp_path),
        lambda: channel.forward(80),
        channel.shell,
    ):
        with pytest.raises(GuestUnreachable, match="host key of demo is not known") as caught:
            attempt()
        assert not caught.value.transient


def test_another_user_is_refused(bench):
    other = GuestBench(bench.az, replace(bench.target, user="somebody"))
    with pytest.raises(GuestUnreachable, match="refuses the user somebody") as caught:
        other.channel.run(["true"], timeout=5)
    assert not caught.value.transient


def test_an_unknown_address_is_not_waited_for(bench):
    other = GuestBench(bench.az, replace(bench.target, host="192.0.2.1"))
    with pytest.raises(GuestUnreachable, match="no VM has this address") as caught:
        other.channel.run(["true"], timeout=5)
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("changes", "open_"),
    [
        ({}, True),
        ({"destinationPortRange": "20-30"}, True),
        ({"destinationPortRange": "*", "protocol": "*"}, True),
        ({"access": "Deny"}, False),
        ({"destinationPortRange": "443"}, False),
        ({"direction": "Outbound"}, False),
        ({"protocol": "Udp"}, False),
    ],
)
def test_the_security_group_decides_who_reaches_a_public_address(bench, changes, open_):
    group = resource_path("Microsoft.Network/networkSecurityGroups", "nsg")
    properties = {"securityRules": [rule(**changes)]}
    bench.az.complete("PUT", group, {"location": "eastus2", "properties": properties})
    private = GuestBench(bench.az, replace(bench.target, host="10.0.0.4"))
    assert private.channel.run(["true"], timeout=5).exit_code == 0
    if open_:
        assert bench.channel.run(["true"], timeout=5).exit_code == 0
    else:
        with pytest.raises(GuestUnreachable, match="timed out"):
            bench.channel.run(["true"], timeout=5)
