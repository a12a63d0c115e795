"""Guests in folders: one that was set up, once for all tests, and a copy of it for each."""

import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import stub_server
from support.guest_root import GuestRoot


@pytest.fixture(scope="session", autouse=True)
def _systemd() -> None:
    if platform.system() != "Linux" or not shutil.which("systemctl"):
        pytest.skip("needs a Linux with systemd, as guests are")


@pytest.fixture(scope="session")
def stub(tmp_path_factory) -> Iterator[Path]:
    """The script that stands for each program that a test machine lacks."""
    with stub_server.stubs(tmp_path_factory.mktemp("stub")) as file:
        yield file


@pytest.fixture(scope="session")
def set_up_once(tmp_path_factory, stub) -> GuestRoot:
    """A guest whose set-up has ended; tests take a copy."""
    root = GuestRoot(tmp_path_factory.mktemp("guest"), stub)
    done = root.run("setup")
    assert (done.returncode, root.status["state"]) == (0, "done"), done.stderr
    return root


@pytest.fixture
def guest(set_up_once, tmp_path, stub) -> GuestRoot:
    """A guest of its own, set up."""
    return GuestRoot(tmp_path, stub, of=set_up_once)


@pytest.fixture
def new_guest(tmp_path, stub) -> GuestRoot:
    """A guest that has booted for the first time."""
    return GuestRoot(tmp_path, stub)
