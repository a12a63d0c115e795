"""Runs a program on this machine whose standard output is a secret.

No shell reads the command. What the program prints to its standard error goes to the user as it is.
Its output is kept in memory alone, and no error shows it.
"""

import os
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Timer

from ccgpu.errors import TimedOut, UsageProblem
from ccgpu.guest.ssh_process import running
from ccgpu.scheduling.durations import in_seconds

_LOOK_AGAIN = 0.1  # seconds
_CHUNK = 64 * 1024


def read_output(
    argv: Sequence[str], environ: Mapping[str, str], limit: int, timeout: float
) -> bytes:
    """What a program prints, or the first `limit` + 1 bytes of it: then it is ended.

    argv: the path of the program, and its arguments. Its standard input is empty. It is ended if
    this fails, and after `timeout` seconds.

    Raises:
        UsageProblem: It could not be started, or has failed.
        TimedOut: It did not end in time.
    """
    name = argv[0]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "bufsize": 0}
    late: list[bool] = []
    try:
        with (
            running(argv, env=dict(environ), **pipes) as process,
            _killed_after(timeout, process, late),
        ):
            output = _read_pipe(process, limit)
            code = process.wait() if len(output) <= limit else 0
    except (OSError, ValueError) as err:
        what = err.strerror if isinstance(err, OSError) else "an argument cannot be passed"
        raise UsageProblem(f"{name} cannot be started: {what}") from None
    if late:
        raise TimedOut(f"{name} has not ended after {in_seconds(timeout)}")
    if code:
        raise UsageProblem(
            f"{name} failed: {_ending(code)}; what it printed is not used",
            hint="run it by itself to see why",
        )
    return output


@contextmanager
def _killed_after(
    seconds: float, process: "subprocess.Popen[bytes]", late: list[bool]
) -> Iterator[None]:
    """Kill the program if the context lasts so long, and note it in `late`."""

    def kill() -> None:
        late.append(True)
        process.kill()

    timer = Timer(seconds, kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _read_pipe(process: "subprocess.Popen[bytes]", limit: int) -> bytes:
    """The output until the program has ended, though a program of its own may hold the pipe."""
    if process.stdout is None:
        raise AssertionError("the program was started without a pipe")
    pipe, output = process.stdout.fileno(), bytearray()
    while len(output) <= limit:
        has_ended = process.poll() is not None
        if select.select([pipe], [], [], 0 if has_ended else _LOOK_AGAIN)[0]:
            part = os.read(pipe, min(_CHUNK, limit + 1 - len(output)))
            if not part:
                break
            output += part
        elif has_ended:
            break
    return bytes(output)


def _ending(code: int) -> str:
    """How a program ended, by Popen's `returncode`."""
    if code > 0:
        return f"exit code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"
