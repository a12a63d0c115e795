"""Files and ports over a real sshd."""

import http.client
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ccgpu.errors import ConnectionLost, CopyFailed, UsageProblem
from ccgpu.guest.openssh import open_channel
from ccgpu.scheduling.clock import RealClock
from support.quiet_server import QuietServer
from support.slow import mostly_slow

BINARY = os.urandom(1024 * 1024)
NAMES = [
    "plain",
    "two words",
    "a*b?[c]",
    "quo'te\"",
    "back\\slash",
    "$HOME",
    "new\nline",
    "漢字",
    "-r",
]


def _tree(folder: Path) -> dict[str, tuple[int, bytes | None]]:
    """Mode and content of everything in a folder, by its path there."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode & 0o777,
            path.read_bytes() if path.is_file() else None,
        )
        for path in folder.rglob("*")
    }


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "source"
    (source / "inner" / "empty").mkdir(parents=True)
    (source / "inner").chmod(0o750)
    for name, mode in (("script", 0o755), ("secret", 0o600), ("inner/data", 0o444)):
        (source / name).write_bytes(BINARY + name.encode())
        (source / name).chmod(mode)
    return source


@pytest.mark.parametrize("name", mostly_slow(NAMES, 3))
def test_a_file_of_any_name_is_copied_in_and_out(channel, tmp_path, name):
    here, there, back = (tmp_path / each for each in ("here", "there", "back"))
    for one in (here, there, back):
        one.mkdir()
    (here / name).write_bytes(BINARY)
    (here / name).chmod(0o640)

    channel.put(here / name, str(there / name))
    channel.get(str(there / name), back / name)

    assert _tree(here) == _tree(there) == _tree(back)


def test_a_pattern_in_the_vm_is_a_name_and_not_expanded(channel, tmp_path):
    (tmp_path / "vm").mkdir()
    (tmp_path / "vm" / "ab").write_text("another")
    with pytest.raises(CopyFailed, match="No such file"):
        channel.get(str(tmp_path / "vm" / "a*"), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.slow
def test_a_folder_is_copied_in_and_out_with_its_permissions(channel, folder, tmp_path):
    channel.put(folder, str(tmp_path / "there"), recursive=True)
    channel.get(str(tmp_path / "there"), tmp_path / "back", recursive=True)

    assert _tree(folder) == _tree(tmp_path / "there") == _tree(tmp_path / "back")
    assert len(_tree(folder)) == 5


@pytest.mark.slow
def test_a_path_of_the_vm_is_relative_to_the_home(channel, tmp_path):
    home = channel.run(["pwd"], timeout=30).stdout.decode().strip()
    name = f"ccgpu-test-{tmp_path.name}"
    try:
        (tmp_path / "file").write_text("x")
        channel.put(tmp_path / "file", name)
        assert (Path(home) / name).read_text() == "x"
    finally:
        (Path(home) / name).unlink(missing_ok=True)


@pytest.mark.slow
def test_a_copy_that_fails_names_the_file_and_the_reason(channel, folder, tmp_path):
    with pytest.raises(CopyFailed, match=r"nothing.*No such file"):
        channel.put(tmp_path / "nothing", "x")
    with pytest.raises(CopyFailed, match=r"nothing.*No such file"):
        channel.get(str(tmp_path / "nothing"), tmp_path / "x")
    with pytest.raises(CopyFailed, match="not a regular file"):
        channel.put(folder, str(tmp_path / "x"))
    with pytest.raises(CopyFailed, match=r"none/x"):
        channel.put(folder / "script", str(tmp_path / "none" / "x"))
    assert not (tmp_path / "x").exists()


def test_an_scp_that_cannot_copy_by_sftp_is_told_to_be_too_old(shared_sshd, tmp_path, monkeypatch):
    old = tmp_path / "bin" / "scp"  # the messages of OpenSSH 8.2
    old.parent.mkdir()
    old.write_text(
        "#!/bin/sh\necho 'unknown option -- s' >&2\necho 'usage: scp [-346BCpqrTv]' >&2\nexit 1\n"
    )
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    too_old = pytest.raises(CopyFailed, match=r"OpenSSH 8\.7 or later")
    with open_channel(shared_sshd.target()) as channel, too_old:
        channel.put(Path(__file__), str(tmp_path / "copy"))


class _Pages(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body[::-1])

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def _pages() -> Iterator[int]:
    server = QuietServer(("127.0.0.1", 0), _Pages)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _post(port: int, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/", body)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_a_tunnel_carries_http_and_ends_with_its_context(channel):
    with _pages() as port:
        with channel.forward(port) as local:
            assert local != port
            assert _post(local, BINARY) == BINARY[::-1]
            assert _post(local, b"again") == b"niaga"
        with pytest.raises(ConnectionRefusedError):
            _post(local, b"closed")


def test_a_tunnel_listens_on_loopback_alone(channel):
    with _pages() as port, channel.forward(port) as local:
        listening = [
            line.split()[1]
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            if line.split()[3] == "0A" and int(line.split()[1].split(":")[1], 16) == local
        ]
        assert listening == [f"0100007F:{local:04X}"]  # 127.0.0.1, little-endian


def test_a_local_port_that_is_taken_is_refused(channel):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(UsageProblem, match=f"127.0.0.1:{number}"), channel.forward(9, number):
            pass


@pytest.mark.slow
def test_a_tunnel_that_lost_its_connection_is_not_silently_opened_anew(sshd):
    sshd.start()
    with open_channel(sshd.target()) as channel:
        with channel.forward(sshd.port):
            channel.run(["true"], timeout=30)
            sshd.drop_connections()
            RealClock().sleep(0.5)
            with pytest.raises(ConnectionLost):
                channel.run(["true"], timeout=30)
        assert channel.run(["true"], timeout=30).exit_code == 0
