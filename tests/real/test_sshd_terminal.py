"""A shell on a terminal, and signals, over a real sshd: each in a process of its own."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ccgpu.scheduling.clock import RealClock
from support.slow import mostly_slow

_SCRIPT = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from support.sshd import Sshd
from ccgpu.guest.openssh import open_channel
target = Sshd(Path({folder!r}), {port}).target()
with open_channel(target) as channel:
    {use}
"""
# Gives a program a terminal of its own, which this process's streams stand for.
_TERMINAL = (
    "import os, pty, sys;"
    "sys.exit(os.waitstatus_to_exitcode(pty.spawn([sys.executable, '-c', sys.argv[1]])))"
)


def _code(sshd, use):
    return _SCRIPT.format(path=sys.path, folder=str(sshd.folder), port=sshd.port, use=use)


class _Terminal:
    """A process on a terminal: what it shows is read until something is seen."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.shown = b""

    def expect(self, text: bytes, typing: bytes = b"") -> None:
        """Read until the text is shown.

        typing: what is typed each second until then: who begins to read a terminal discards what
            was typed before.
        """
        assert self.process.stdout is not None
        file = self.process.stdout.fileno()
        for _ in range(30):
            while text not in self.shown and select.select([file], [], [], 1)[0]:
                more = os.read(file, 4096)
                assert more, self.shown
                self.shown += more
            if text in self.shown:
                self.shown = self.shown.partition(text)[2]
                return
            if typing:
                self.type(typing)
        raise AssertionError(self.shown)

    def type(self, text: bytes) -> None:
        """Type the text."""
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()


@contextmanager
def _terminal(code: str) -> Iterator[_Terminal]:
    process = subprocess.Popen(
        [sys.executable, "-c", _TERMINAL, code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield _Terminal(process)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


_SHELL = "code = channel.shell(); print('code', code); import os; os.system('stty -a')"


def test_a_shell_has_the_terminal_and_its_exit_code(sshd):
    sshd.start()
    with _terminal(_code(sshd, _SHELL)) as terminal:
        look = b"test -t 0 && test -t 1 && echo on-a-$((40+2))-terminal\r"
        terminal.expect(b"on-a-42-terminal", typing=look)
        terminal.expect(b"code 7", typing=b"exit 7\r")
        terminal.expect(b" icanon")  # the terminal is as it was


@pytest.mark.slow
def test_a_shell_may_ask_for_the_passphrase_of_a_key(sshd):
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-N", "open sesame", "-P", "", "-f", sshd.identity], check=True
    )
    sshd.start()
    with _terminal(_code(sshd, _SHELL)) as terminal:
        terminal.expect(b"Enter passphrase for key")
        terminal.expect(b": ")
        terminal.type(b"open sesame\r")
        terminal.expect(b"code 3", typing=b"exit 3\r")


@pytest.mark.slow
def test_a_command_never_asks_at_the_terminal(sshd):
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-N", "open sesame", "-P", "", "-f", sshd.identity], check=True
    )
    sshd.start()
    with _terminal(_code(sshd, "channel.run(['true'], timeout=20)")) as terminal:
        terminal.expect(b"GuestUnreachable")
        assert b"passphrase" not in terminal.shown


def _runs(*words: str) -> bool:
    """Whether a process of this machine was started with these words."""
    wanted = "\0".join([*words, ""]).encode()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if file.read_bytes() == wanted:
                return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("number", mostly_slow([signal.SIGINT, signal.SIGTERM], 2))
def test_a_signal_ends_the_command_the_connection_and_the_process(sshd, number):
    sshd.start()
    seconds = str(60 + number)  # by which its process is found
    use = (
        # Who starts the tests may ignore Ctrl-C: a process in the background of a shell does.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from ccgpu.cli import process; process.begin(); channel.run(['true'], timeout=20);"
        f"print('ready', flush=True); channel.run(['sleep', '{seconds}'], timeout=60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", _code(sshd, use)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    clock = RealClock()
    until = clock.now() + 20
    while not _runs("sleep", seconds) and clock.now() < until:
        clock.sleep(0.05)
    began = clock.now()
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert b"KeyboardInterrupt" in err
    assert clock.now() - began < 5
    until = clock.now() + 10
    while sshd.sessions() and clock.now() < until:
        clock.sleep(0.1)
    assert sshd.sessions() == []


_OUTPUT = (
    "from ccgpu.cli import streams; from ccgpu.cli.console import console;"
    "from ccgpu.cli.raw_output import binary; streams.begin();"
    "outputs = [binary(console(stream)) for stream in (sys.stdout, sys.stderr)];"
    "code = channel.stream({words}, None, *outputs);"
    "print(code, streams.lost(sys.stdout), file=sys.stderr)"
)


@pytest.mark.slow
def test_a_command_ends_when_nobody_reads_its_output_any_more(sshd):
    sshd.start()
    code = _code(sshd, _OUTPUT.format(words=["yes"]))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert process.wait(20) == 0
    assert process.stderr is not None
    assert process.stderr.read().endswith(b" None\n")  # which is no lost answer
    process.stderr.close()


@pytest.mark.slow
def test_output_that_cannot_be_written_is_noticed(sshd):
    sshd.start()
    code = _code(sshd, _OUTPUT.format(words=["echo", "out"]))
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, check=True
        )
    assert done.stderr == b"0 No space left on device\n"
