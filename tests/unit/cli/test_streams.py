"""Streams of the process that take every write, and remember what they could not pass on."""

import errno
import io
import os
import pty
import resource
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from rich.console import Console

from ccgpu.cli.console import confirm
from ccgpu.cli.streams import Unfailing, lost


def _text(number, *, resumes=False):
    raw = Unfailing(number, resumes=resumes)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", newline="\n")


@pytest.fixture
def full():
    number = os.open("/dev/full", os.O_WRONLY)
    yield number
    os.close(number)


def test_writes_to_a_full_disk_are_recorded_as_lost(full):
    with _text(full) as stream:
        for size in (1, 10_000, 100_000):
            print("x" * size, file=stream, flush=True)
        assert lost(stream) == "No space left on device"


def test_lost_buffered_output_is_detected(full):
    with _text(full) as stream:
        stream.write("x")
        assert lost(stream) == "No space left on device"


def test_a_closed_pipe_is_no_loss():
    read, write = os.pipe()
    os.close(read)
    with _text(write) as stream:
        print("x", file=stream, flush=True)
        assert lost(stream) is None
        assert stream.buffer.raw.failure.errno == errno.EPIPE
    os.close(write)


def test_a_terminal_that_has_hung_up_is_no_loss():
    ours, theirs = pty.openpty()
    os.close(ours)
    with _text(theirs) as stream:
        print("x", file=stream, flush=True)
        assert stream.buffer.raw.failure.errno == errno.EIO
        assert lost(stream) is None
    os.close(theirs)


def test_a_read_only_descriptor_is_a_loss(tmp_path):
    (tmp_path / "file").touch()
    number = os.open(tmp_path / "file", os.O_RDONLY)
    with _text(number) as stream:
        print("x", file=stream, flush=True)
        assert lost(stream) == "Bad file descriptor"
    os.close(number)


def test_a_full_non_blocking_pipe_is_waited_for():
    read, write = os.pipe()
    os.set_blocking(write, False)
    got = bytearray()

    def take() -> None:
        while part := os.read(read, 4096):
            got.extend(part)

    reader = threading.Thread(target=take)
    with _text(write) as stream:
        text = "x" * 1_000_000
        starter = threading.Timer(0.05, reader.start)
        starter.start()
        stream.write(text)
        assert lost(stream) is None
    os.close(write)
    starter.join()
    reader.join()
    assert got == text.encode()
    os.close(read)


def _write_with_size_limit(path, *, resumes):
    """Write to a file that may have 1,000 bytes, and then more again."""
    code = (
        "import io, os, resource, sys; from ccgpu.cli.streams import Unfailing\n"
        f"number = os.open({str(path)!r}, os.O_WRONLY | os.O_CREAT)\n"
        f"out = Unfailing(number, resumes={resumes})\n"
        "stream = io.TextIOWrapper(io.BufferedWriter(out), encoding='utf-8', newline='\\n')\n"
        f"hard = resource.getrlimit({resource.RLIMIT_FSIZE})[1]\n"
        f"resource.setrlimit({resource.RLIMIT_FSIZE}, (1000, hard))\n"
        "for n in range(30): print('%04d' % n + 'x' * 60, file=stream, flush=True)\n"
        f"resource.setrlimit({resource.RLIMIT_FSIZE}, (hard, hard))\n"
        "print('the last word', file=stream, flush=True)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    return path.read_text().splitlines()


def test_after_a_loss_the_error_starts_on_a_new_line(tmp_path):
    lines = _write_with_size_limit(tmp_path / "log", resumes=True)
    assert lines[-1] == "the last word"
    assert lines[:15] == [f"{n:04}" + "x" * 60 for n in range(15)]


def test_nothing_is_written_after_a_lost_part_of_the_result(tmp_path):
    assert len((tmp_path / "log").name) == 3
    assert "the last word" not in _write_with_size_limit(tmp_path / "log", resumes=False)


@pytest.mark.parametrize(
    ("said", "answer"),
    [("y\n", True), (" YES \n", True), ("n\n", False), ("\n", False), ("what\nyes\n", True)],
)
def test_confirmations_are_asked_on_stderr_and_default_to_no(said, answer, capsys):
    err = io.StringIO()
    assert confirm(Console(file=err, width=200), io.StringIO(said), "Go on?") is answer
    assert err.getvalue().startswith("Go on? [y/N]: ")
    assert capsys.readouterr() == ("", "")


def test_end_of_input_at_a_confirmation_interrupts():
    with pytest.raises(EOFError):
        confirm(Console(file=io.StringIO()), io.StringIO(""), "Go on?")
    ours, theirs = pty.openpty()
    os.close(ours)
    with closing(os.fdopen(theirs, "r")) as answers, pytest.raises(EOFError):
        confirm(Console(file=io.StringIO()), answers, "Go on?")
