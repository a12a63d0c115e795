"""A machine for each test, and a current folder for the files that it writes."""

import pytest

from support.cli import Shell
from support.prepared import Prepared


@pytest.fixture
def shell(tmp_path, monkeypatch) -> Shell:
    """A user with an SSH key, in an empty folder."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return Shell(tmp_path).with_key()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Prepared:
    """`prepared(shell, line)`: as if that command had run. It runs once for all tests."""
    return Prepared(tmp_path_factory.mktemp("prepared"))
