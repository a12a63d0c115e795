"""The process: one signal interrupts, the others are that one again, and the last word is said."""

import io
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ccgpu.cli.main import run
from ccgpu.cli.runtime import Runtime
from ccgpu.errors import UsageProblem
from ccgpu.net.transport import CONNECT, READ, network_transport

_BEGIN = "import os, signal\nfrom ccgpu.cli import process\nprocess.begin()\n"
_TWICE = """
try:
    os.kill(os.getpid(), signal.{first})
except KeyboardInterrupt:
    os.kill(os.getpid(), signal.{second})
    print("once", signal.getitimer(signal.ITIMER_REAL)[0] > 0)
"""
_IGNORED = """
os.kill(os.getpid(), signal.SIGHUP)
print("still here")
"""


def _python(script: str) -> str:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("second", ["SIGINT", "SIGTERM"])
def test_the_first_signal_interrupts_and_starts_the_exit_timer(first, second):
    # A build that runs in the background hands down ignored signals.
    inherited = (signal.SIGINT, signal.SIGHUP)
    before = [signal.signal(one, signal.SIG_DFL) for one in inherited]
    try:
        assert _python(_BEGIN + _TWICE.format(first=first, second=second)) == "once True\n"
    finally:
        for one, handler in zip(inherited, before, strict=True):
            signal.signal(one, handler)


def test_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert _python(_BEGIN + _IGNORED) == "still here\n"
    finally:
        signal.signal(signal.SIGHUP, before)


class _Interrupting(io.StringIO):
    """A stream in the middle of whose first line a signal arrives."""

    times = 1

    def write(self, text: str) -> int:
        if self.times:
            self.times -= 1
            raise KeyboardInterrupt
        return super().write(text)


def test_an_error_is_reported_despite_a_signal(tmp_path: Path):
    said = _Interrupting()

    def nowhere(*_: object) -> Any:
        raise AssertionError

    runtime = Runtime(Console(), Console(file=said), tmp_path, tmp_path, nowhere, nowhere, nowhere)
    assert run(["nonsense"], runtime) == UsageProblem.exit_code
    assert said.times == 0
    assert said.getvalue().endswith("error: no such command 'nonsense'\n\nhint: `ccgpu --help`\n")


def test_network_timeouts_are_shorter_than_those_of_the_sdk():
    """But not before ARM has had the 60 s that it waits itself."""
    config = network_transport().connection_config
    assert (config.timeout, config.read_timeout) == (CONNECT, READ)
    assert CONNECT < 60 < READ < 120


def test_a_process_that_reads_secrets_leaves_no_image_of_itself():
    script = """
import ctypes, resource
from ccgpu.cli.main import process_runtime
process_runtime().guard()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""
    assert _python(script) == "(0, 0) 0\n"
