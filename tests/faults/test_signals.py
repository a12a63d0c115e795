"""Signals, hang-ups and closed streams in real processes: the final report is true.

Requests hang in the real thread pool: a process that waited for them would never exit.
"""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm
from ccgpu.store.journals import Journals
from support.cloud import PUBLIC_KEY
from support.repository import ROOT
from support.slow import mostly_slow

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32 --no-attest"
_PUT = ("PUT", "/virtualMachines/")
_SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
_SIGN_IN = ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET")
_ID = "00000000-0000-4000-8000-000000000002"  # of tenant, client and subscription
_SOON = 5.0  # GitHub Actions sends the next signal after 7.5 s


@dataclass
class User:
    """A user of the command line and the simulated subscription."""

    folder: Path
    home: Path

    @property
    def world(self) -> Path:
        return self.folder / "world"

    def start_until_hanging(
        self, line: str, method: str, part: str, **more: Any
    ) -> subprocess.Popen[str]:
        """Start a command; return its process once the request hangs."""
        mark = self.folder / "mark"
        mark.unlink(missing_ok=True)
        own = [str(self.world), str(mark), method, part]
        process = self.start(["support.hanging", *own, *line.split()], **more)
        while not mark.exists():
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.01)  # noqa: TID251  # another process's time
        return process

    def create(self) -> None:
        """Create a complete deployment and its journal."""
        process = self.start(["support.hanging", str(self.world), "-", "NO", "-", *_CREATE.split()])
        _, said = process.communicate()
        assert process.returncode == 0, said

    def start(self, words: list[str], **more: Any) -> subprocess.Popen[str]:
        """Start a process of this Python with default signal handlers."""
        more = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE} | more
        env = {
            **more.pop("env", os.environ),
            "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT / "tests"))),
        }
        # Under nohup the tests' own SIGHUP is ignored, and a child would inherit that.
        before = [signal.signal(one, signal.SIG_DFL) for one in _SIGNALS]
        try:
            return subprocess.Popen([sys.executable, "-m", *words], text=True, env=env, **more)
        finally:
            for one, old in zip(_SIGNALS, before, strict=True):
                signal.signal(one, old)

    def there(self) -> set[str]:
        """The ids of all existing resources."""
        arm = FakeArm(self.world)
        arm.advance(3600)
        try:
            return {one["id"] for one in arm.show()["resources"]}
        finally:
            arm.close()

    def journal(self) -> set[str]:
        """The ids in the journal."""
        journals = Journals(self.home / "state" / "ccgpu" / "journals")
        with journals.locked(FAKE_SUBSCRIPTION, "demo", lambda: None) as file:
            found = file.read()
        return {record.id for record in found.records} if found else set()


@pytest.fixture
def user(tmp_path: Path, home: Path) -> User:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id_ed25519.pub").write_text(f"{PUBLIC_KEY} me\n")
    return User(tmp_path, home)


def _error_after_signals(process: subprocess.Popen[str], *numbers: int) -> Any:
    """Send these signals one after the other; return the error document of the process."""
    with process:
        try:
            for number in numbers:
                process.send_signal(number)
            _, said = process.communicate(timeout=_SOON)
        finally:
            process.kill()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    error = json.loads(said.splitlines()[-1])
    assert (error["code"], error["exit_code"]) == ("Interrupted", 130)
    return error


def _ids_named_by_azure(ids: set[str]) -> set[str]:
    """Ids of resources that Azure names itself; the report names their VM instead."""
    return {id_ for id_ in ids if "/networkInterfaces/" in id_ or "-ip" in id_.casefold()}


def _ids_in_state(error: Any, state: str) -> set[str]:
    return {one["id"] for one in error["resources"] if one["state"] == state}


@pytest.mark.slow
@pytest.mark.parametrize(
    "numbers",
    mostly_slow(
        [*((one,) for one in _SIGNALS), (signal.SIGINT,) * 2, (signal.SIGINT, signal.SIGTERM)], 5, 2
    ),
    ids=lambda numbers: "+".join(signal.Signals(one).name for one in numbers),
)
def test_an_interrupted_create_with_a_hanging_request_exits_and_lists_resources(numbers, user):
    process = user.start_until_hanging(f"{_CREATE} -o json", *_PUT)
    error = _error_after_signals(process, *numbers)
    there = user.there()
    exists, unknown = _ids_in_state(error, "exists"), _ids_in_state(error, "unknown")
    assert any("/virtualMachines/" in id_ for id_ in unknown)
    assert exists
    assert exists <= there
    assert there - _ids_named_by_azure(there) <= exists | unknown
    assert there - _ids_named_by_azure(there) <= user.journal()


@pytest.mark.slow
def test_a_create_interrupted_before_the_first_put_lists_no_resources(user):
    assert (
        _error_after_signals(
            user.start_until_hanging(f"{_CREATE} -o json", "GET", "/skus"), signal.SIGINT
        )["resources"]
        == []
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", mostly_slow(_SIGNALS, 3, 3))
def test_an_interrupted_delete_reports_every_resource_as_unknown(number, user):
    user.create()
    process = user.start_until_hanging("delete demo --yes -o json", "DELETE", "/virtualMachines/")
    error = _error_after_signals(process, number)
    there = user.there()
    assert _ids_in_state(error, "exists") == set()
    assert there
    assert there <= _ids_in_state(error, "unknown")


@pytest.mark.slow
def test_an_interrupted_delete_without_a_journal_names_the_resources_found(user, home):
    user.create()
    (home / "state" / "ccgpu").rename(home / "elsewhere")
    process = user.start_until_hanging("delete demo --yes -o json", "DELETE", "/virtualMachines/")
    error = _error_after_signals(process, signal.SIGINT)
    there = user.there()
    assert there - _ids_named_by_azure(there) <= _ids_in_state(error, "unknown")
    assert _ids_in_state(error, "exists") == set()


@pytest.mark.slow
def test_a_full_pipe_does_not_delay_the_exit(user):
    read, write = os.pipe()
    process = user.start_until_hanging(_CREATE, *_PUT, stderr=write, stdout=write)
    _fill(write)
    with process:
        try:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=7) == 130
        finally:
            process.kill()
    os.close(read)
    os.close(write)


def _fill(pipe: int) -> None:
    os.set_blocking(pipe, False)
    with suppress(BlockingIOError):
        while True:
            os.write(pipe, b"x" * 4096)
    os.set_blocking(pipe, True)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(theirs)


@pytest.mark.slow
def test_create_completes_after_the_terminal_closes(home, terminal):
    """As after `nohup` or `disown`: each write to the terminal fails."""
    ours, theirs = terminal
    command = [sys.executable, "-m", "ccgpu", *_CREATE.split(), "--backend", "fake"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(ours)
        assert process.wait() == 0
    assert _simulated_state(home) == "ready"


@pytest.mark.slow
@pytest.mark.parametrize(
    "closed", mostly_slow(["<&- >&- 2>&-", "2>&-", ">&-", ">&- 2>&-", "<&-"], 5, 2)
)
def test_create_succeeds_with_streams_closed_at_start(closed, home):
    command = f"{sys.executable} -m ccgpu {_CREATE} --backend fake {closed}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr
    assert _simulated_state(home) == "ready"


@pytest.mark.slow
def test_create_succeeds_without_a_reader_of_its_result(home):
    command = f"{sys.executable} -m ccgpu {_CREATE} --backend fake | head -0"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], check=False)
    assert done.returncode == 0
    assert _simulated_state(home) == "ready"


def _simulated_state(home: Path) -> str:
    assert home.is_dir()
    line = "list --backend fake --query deployments[0].state -o json"
    command = [sys.executable, "-m", "ccgpu", *line.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout))


@pytest.mark.slow
@pytest.mark.parametrize("number", mostly_slow(_SIGNALS, 3))
def test_an_unresponsive_network_does_not_delay_the_exit(number, user):
    """The real sign-in and transport connect through a proxy that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        named = {f"AZURE_{one}": _ID for one in _SIGN_IN}
        proxy = {"HTTPS_PROXY": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        line = f"ccgpu {_CREATE} -o json --subscription {_ID}"
        process = user.start(line.split(), env=os.environ | named | proxy)
        connection, _ = silent.accept()
        with connection:
            assert _error_after_signals(process, number)["resources"] == []
