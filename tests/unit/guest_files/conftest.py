"""Guests in folders: one that was set up, once for all tests, and a copy of it for each."""

import platform
import shutil

import pytest

from support.guest_root import GuestRoot


@pytest.fixture(scope="session", autouse=True)
def _systemd() -> None:
    if platform.system() != "Linux" or not shutil.which("systemctl"):
        pytest.skip("needs a Linux with systemd, as guests are")


@pytest.fixture(scope="session")
def set_up_once(tmp_path_factory) -> GuestRoot:
    """A guest whose set-up has ended; tests take a copy."""
    root = GuestRoot(tmp_path_factory.mktemp("guest"))
    done = root.run("setup")
    assert (done.returncode, root.status["state"]) == (0, "done"), done.stderr
    return root


@pytest.fixture
def guest(set_up_once, tmp_path) -> GuestRoot:
    """A guest of its own, set up."""
    return GuestRoot(tmp_path, of=set_up_once)


@pytest.fixture
def new_guest(tmp_path) -> GuestRoot:
    """A guest that has booted for the first time."""
    return GuestRoot(tmp_path)
