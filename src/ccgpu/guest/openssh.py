"""The channel over this machine's OpenSSH.

One connection for each channel, with strict options (`ssh_options`), and its files in a private
folder that is removed with it. Commands, copies and forwardings are sessions of that connection. So
the host key is checked, and the user logged in, before a byte of anything else is sent.

ssh ends with 255 for its own failures, and so may a command. It was the command if the shared
connection still answers.
"""

import io
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import BinaryIO

from ccgpu.domain import hostkey
from ccgpu.errors import (
    ConnectionLost,
    CopyFailed,
    GuestNotReady,
    GuestUnreachable,
    TimedOut,
    UsageProblem,
)
from ccgpu.guest import ssh_options
from ccgpu.guest.channel import Completed, GuestTarget
from ccgpu.guest.local_ports import free_port
from ccgpu.guest.public_scripts import is_public
from ccgpu.guest.ssh_failures import not_pinned, still_there_hint
from ccgpu.guest.ssh_master import MasterConnection
from ccgpu.guest.ssh_options import SshFiles, destination
from ccgpu.guest.ssh_process import (
    MAX_OUTPUT,
    PATIENT,
    BoundedOutput,
    Pumps,
    descriptor,
    program,
    read_log,
    running,
)
from ccgpu.scheduling.durations import in_seconds
from ccgpu.scheduling.time_left import seconds_left
from ccgpu.store import atomic

# unix(7): a socket's path has at most 107 bytes, on macOS 103; ssh appends 17 while it makes one.
_MAX_BASE = 60
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/_.+-]*")
_NO_SFTP = re.compile(r"option -- '?s")  # getopt(3), of an scp that lacks -s
_FORWARD_TIMEOUT = 20.0  # seconds for an answer of this machine's own ssh
_ATTEMPTS = 5  # to find a local port that nobody takes meanwhile


@contextmanager
def open_channel(target: GuestTarget) -> "Iterator[OpenSshChannel]":
    """The channel to a VM; it connects when it is first used. The context ends the connection.

    Raises:
        GuestUnreachable: ssh is not installed, or the target is not one.
    """
    try:
        ssh_options.check_target(target)
    except ValueError as err:
        raise GuestUnreachable(f"{target.name} cannot be reached: {err}") from err
    ssh, scp = program("ssh"), program("scp")
    folder = Path(tempfile.mkdtemp(prefix="ccgpu-", dir=_base_folder()))  # mode 0700
    try:
        files = SshFiles(folder)
        atomic.create(files.known_hosts, ssh_options.known_hosts_line(target).encode("ascii"))
        channel = OpenSshChannel(target, files, ssh, scp)
        try:
            yield channel
        finally:
            channel.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class OpenSshChannel:
    """Implements `guest.channel.Channel`; its methods may be called from several threads."""

    def __init__(self, target: GuestTarget, files: SshFiles, ssh: str, scp: str) -> None:
        self._target, self._files = target, files
        self._ssh, self._scp = ssh, scp
        self._master: MasterConnection | None = None
        self._lock = threading.Lock()
        self._numbers = count()
        self._users = 0  # forwardings, and contexts that keep the connection

    @property
    def host_key(self) -> bytes | None:
        """The pinned key, else the one that ssh has recorded in this channel's known hosts."""
        if self._target.host_key is not None:
            return self._target.host_key
        recorded = self._files.known_hosts.read_bytes()
        return hostkey.parse(recorded) if recorded.strip() else None

    def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout: float) -> Completed:
        """Run a command to its end, within `timeout` seconds from the time it is sent."""
        if self._target.host_key is None and not is_public(stdin):
            raise not_pinned(self._target, "the command was not run")
        command = ssh_options.remote_command(argv, timeout)
        self._connect()
        timeout = min(timeout, seconds_left())
        log = self._new_log()
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with running(self._session(log, command), **streams) as process:
            out, err = BoundedOutput(process), BoundedOutput(process)
            pumps = Pumps(process, io.BytesIO(stdin), out, err)
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                raise self._timed_out(argv, timeout) from None
            if not pumps.finish(timeout):
                raise self._timed_out(argv, timeout)
        if out.failed or err.failed:
            raise GuestNotReady(
                f"{argv[0]} in {self._target.name} printed more than {MAX_OUTPUT // 1024**2} MiB"
            )
        return Completed(self._exit_code(code, log), out.getvalue(), err.getvalue())

    def stream(
        self,
        argv: Sequence[str],
        stdin: BinaryIO | None,
        stdout: BinaryIO,
        stderr: BinaryIO,
        *,
        timeout: float | None = None,
    ) -> int:
        """Run a command with these streams; those with a descriptor are handed to ssh itself."""
        self._require_pinned("the command was not run")
        command = ssh_options.remote_command(argv, timeout)
        self._connect()
        log = self._new_log()
        given = [descriptor(stream) for stream in (stdin, stdout, stderr)]
        ins, outs, errs = (subprocess.PIPE if one is None else one for one in given)
        words = self._session(log, command)
        with running(words, stdin=ins, stdout=outs, stderr=errs) as process:
            pumps = Pumps(process, stdin, stdout, stderr)
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                raise self._timed_out(argv, timeout or 0.0) from None
            pumps.finish()
        return self._exit_code(code, log)

    @contextmanager
    def keep(self) -> Iterator[None]:
        """Make no connection in place of one that is lost, during the context."""
        self._connect()
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1

    def put(self, local: Path, remote: str, *, recursive: bool = False) -> None:
        """Copy a file, or a folder, into the VM, with its permissions and times."""
        self._copy(str(local.absolute()), f"{destination(self._target)}:{remote}", recursive)

    def get(self, remote: str, local: Path, *, recursive: bool = False) -> None:
        """Copy a file, or a folder, out of the VM, with its permissions and times."""
        source = ssh_options.remote_source(remote)
        self._copy(f"{destination(self._target)}:{source}", str(local.absolute()), recursive)

    @contextmanager
    def forward(self, port: int, local_port: int = 0) -> Iterator[int]:
        """Forward a loopback port of this machine to one of the VM, during the context."""
        self._require_pinned("no port was forwarded")
        self._connect()
        chosen = self._open_forwarding(port, local_port)
        self._users += 1
        try:
            yield chosen
        finally:
            self._users -= 1
            self._control_forwarding("cancel", port, chosen)

    def shell(self) -> int:
        """A login shell on this terminal; ssh may ask there for the passphrase of a key."""
        self._require_pinned("no shell was opened")
        self._connect(interactive=sys.stdin.isatty())
        log = self._new_log()
        with running(self._session(log, None), PATIENT) as process:
            code = process.wait()
        return self._exit_code(code, log)

    def close(self) -> None:
        """End the connection."""
        if self._master is not None:
            self._master.close()
            self._master = None

    def _connect(self, *, interactive: bool = False) -> None:
        """Make the shared connection, unless there is one that works."""
        with self._lock:
            if self._master is not None:
                if self._master.is_alive():
                    return
                if self._users:
                    raise self._lost()
                self.close()
            self._master = MasterConnection(
                self._ssh, self._target, self._files, interactive=interactive
            )

    def _session(self, log: Path, command: str | None) -> list[str]:
        words = ssh_options.client_arguments(self._target, self._files)
        start = [self._ssh, "-E", str(log), *words, "--", destination(self._target)]
        return start if command is None else [*start, command]

    def _exit_code(self, code: int, log: Path) -> int:
        """The command's exit code, if it was the command that ended."""
        said = read_log(log)
        log.unlink(missing_ok=True)
        if "Session open refused" in said or "session request failed" in said:
            raise GuestUnreachable(
                f"{self._target.name} accepts no further session of this connection now",
                transient=True,
            )
        if code < 0 or (code == 255 and not self._is_alive()):
            raise self._lost()
        return code

    def _copy(self, source: str, target: str, recursive: bool) -> None:
        self._require_pinned("nothing was copied")
        self._connect()
        words = ssh_options.client_arguments(self._target, self._files)
        # -s: by SFTP, so that no shell in the VM sees the path, and this side chooses local names.
        flags = ["-q", "-p", "-s", *(["-r"] if recursive else []), "-S", self._ssh]
        argv = [self._scp, *words, *flags, "--", source, target]
        none, pipe = subprocess.DEVNULL, subprocess.PIPE
        with running(argv, stdin=none, stdout=none, stderr=pipe) as process:
            _, messages = process.communicate()
        if process.returncode != 0:
            if not self._is_alive():
                raise self._lost()
            raise CopyFailed(_copy_message(messages))

    def _open_forwarding(self, port: int, local_port: int) -> int:
        chosen = local_port
        for _ in range(1 if local_port else _ATTEMPTS):
            chosen = local_port or free_port()
            if self._control_forwarding("forward", port, chosen):
                return chosen
        if not self._is_alive():
            raise self._lost()
        said = self._master.messages() if self._master else ""
        raise UsageProblem(
            f"127.0.0.1:{chosen} on this machine cannot be used: {said or 'it is in use'}",
            hint="choose another local port, or none",
        )

    def _control_forwarding(self, verb: str, port: int, local_port: int) -> bool:
        """Open or close a forwarding; whether that worked."""
        words = ssh_options.forwarding_arguments(self._target, self._files)
        between = f"127.0.0.1:{local_port}:127.0.0.1:{port}"
        log = self._new_log()
        start = [self._ssh, "-E", str(log), *words]
        argv = [*start, "-O", verb, "-L", between, "--", destination(self._target)]
        none = subprocess.DEVNULL
        with running(argv, stdin=none, stdout=none, stderr=none) as process:
            try:
                return process.wait(_FORWARD_TIMEOUT) == 0
            except subprocess.TimeoutExpired:
                return False

    def _require_pinned(self, consequence: str) -> None:
        if self._target.host_key is None:
            raise not_pinned(self._target, consequence)

    def _is_alive(self) -> bool:
        return self._master is not None and self._master.is_alive()

    def _new_log(self) -> Path:
        return self._files.folder / f"log-{next(self._numbers)}"

    def _lost(self) -> ConnectionLost:
        said = f" ({self._master.messages().rstrip('.')})" if self._master else ""
        return ConnectionLost(
            f"the connection to {self._target.name} broke off{said}: whether the command "
            "has ended in the VM is unknown",
            hint=still_there_hint(self._target),
        )

    def _timed_out(self, argv: Sequence[str], timeout: float) -> TimedOut:
        return TimedOut(
            f"{argv[0]} in {self._target.name} did not end within {in_seconds(timeout)}",
            hint="it is ended there, too, if it can be: give more time with `--timeout`",
        )


def _copy_message(messages: bytes) -> str:
    lines = messages.decode("utf-8", "replace").splitlines()
    if lines and _NO_SFTP.search(lines[0]):
        return "this machine's scp is too old to copy by SFTP: install OpenSSH 8.7 or later"
    told = [re.sub(r"^\S*scp: ", "", line).strip() for line in lines if line.strip()]
    return "; ".join(told[:3]) or "scp failed without a message"


def _base_folder() -> str:
    base = tempfile.gettempdir()
    return base if _PLAIN_PATH.fullmatch(base) and len(base) <= _MAX_BASE else "/tmp"  # noqa: S108
