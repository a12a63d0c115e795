"""The shared connection of a channel: one ssh that logs in, over which the sessions run.

It runs `cat` in the VM, which ends when this process does, even if that is killed: then its input
ends, and with it the connection. Nothing is left behind, and no time-out has to be chosen.
"""

import subprocess
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from math import ceil
from pathlib import Path

from ccgpu.errors import GuestUnreachable
from ccgpu.guest.channel import GuestTarget
from ccgpu.guest.ssh_failures import connection_error, last_line
from ccgpu.guest.ssh_options import CONNECT_TIMEOUT, SshFiles, destination, master_arguments
from ccgpu.guest.ssh_process import read_log, running
from ccgpu.scheduling.durations import in_seconds
from ccgpu.scheduling.time_left import seconds_left

# Seconds for the log-in as a whole: `ssh_options.CONNECT_TIMEOUT` holds for its first half alone.
_LOGIN_TIMEOUT = 30.0
_SHORTEST = 0.1  # seconds
_READY = b"ccgpu-connected"
_MAX_GREETING = 64 * 1024  # bytes that a shell's start-up files may print first


class MasterConnection:
    """One ssh process that owns the control socket; it is not opened again."""

    def __init__(
        self, ssh: str, target: GuestTarget, files: SshFiles, *, interactive: bool
    ) -> None:
        """Connect and log in.

        Raises:
            GuestUnreachable: no connection could be made.
            HostKeyMismatch: what answers has not the pinned host key.
        """
        self._ssh, self._target, self._files = ssh, target, files
        self._log, self._stderr = files.folder / "log", files.folder / "stderr"
        for file in (self._log, self._stderr, files.control):
            file.unlink(missing_ok=True)
        self._stack = ExitStack()
        # No longer than the request that needs the connection; a user may take any time to type.
        left = seconds_left()
        self._patience = max(_SHORTEST, min(_LOGIN_TIMEOUT, left))
        self._connect_timeout = max(1, ceil(min(CONNECT_TIMEOUT, left)))
        try:
            self._process = self._start(interactive)
            self._await_login(None if interactive else self._patience)
        except BaseException:
            self.close()
            raise

    def _start(self, interactive: bool) -> "subprocess.Popen[bytes]":
        connect = self._connect_timeout
        words = master_arguments(
            self._target, self._files, interactive=interactive, connect=connect
        )
        command = f"echo {_READY.decode()}; exec cat >/dev/null"
        argv = [self._ssh, "-E", str(self._log), *words, "--", destination(self._target), command]
        # A jump host's ssh writes to stderr; it must not be taken for ours.
        stderr = self._stack.enter_context(self._stderr.open("wb"))
        return self._stack.enter_context(
            running(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                # Without the terminal, Ctrl-C reaches it through this process alone.
                start_new_session=not interactive,
            )
        )

    def _await_login(self, timeout: float | None) -> None:
        timer = threading.Timer(timeout, self._process.kill) if timeout is not None else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            ready = self._read_greeting()
        finally:
            if timer is not None:
                timer.cancel()
        if not ready:
            raise self._error(self._process.wait())

    def _read_greeting(self) -> bool:
        """Whether the VM's shell has run the first command."""
        output = self._process.stdout
        left = _MAX_GREETING
        while output is not None and left > 0 and (line := output.readline(left)):
            if line.strip() == _READY:
                return True
            left -= len(line)
        self._process.kill()
        return False

    def _error(self, code: int) -> Exception:
        log, stderr = read_log(self._log), read_log(self._stderr)
        if code < 0:
            return GuestUnreachable(
                f"{self._target.name} did not let us log in within {in_seconds(self._patience)}",
                transient=True,
            )
        if code != 255:
            said = last_line(stderr) or f"exit code {code}"
            return GuestUnreachable(
                f"the login shell of {self._target.user} runs no commands: {said}"
            )
        return connection_error(self._target, log, stderr)

    def is_alive(self) -> bool:
        """Whether sessions can run over it, by its own answer."""
        if self._process.poll() is not None:
            return False
        check = [*self._control("check"), "--", destination(self._target)]
        with running(
            check, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                return process.wait(max(_SHORTEST, min(_LOGIN_TIMEOUT, seconds_left()))) == 0
            except subprocess.TimeoutExpired:
                return False

    def messages(self) -> str:
        """The last message of the connection's ssh."""
        logs = (self._log, self._stderr)
        return next(filter(None, map(last_line, map(read_log, logs))), "without a message")

    def close(self) -> None:
        """End the connection, and so all of its sessions."""
        self._stack.close()

    def _control(self, verb: str) -> Sequence[str]:
        control: Path = self._files.control
        return [self._ssh, "-F", "/dev/null", "-o", f"ControlPath={control}", "-O", verb]
