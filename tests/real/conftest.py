"""Real servers on loopback."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccgpu.guest.openssh import open_channel
from support.sshd import Sshd, prepared_sshd


def _short_folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="sshd", dir="/tmp")


@pytest.fixture(scope="session")
def shared_sshd() -> Iterator[Sshd]:
    """A server that runs for all tests; they do not change it."""
    with _short_folder() as folder, prepared_sshd(Path(folder)) as server:
        server.start()
        yield server


@pytest.fixture
def sshd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A server of the test's own, which is not started yet.

    What processes leave behind that are killed goes with its folder.
    """
    with _short_folder() as folder, prepared_sshd(Path(folder)) as server:
        monkeypatch.setenv("TMPDIR", folder)
        yield server


@pytest.fixture
def channel(shared_sshd):
    """A channel to the shared server."""
    with open_channel(shared_sshd.target()) as channel:
        yield channel
