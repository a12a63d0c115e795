"""A machine for each test, and a current folder for the files that it writes."""

import pytest

from support.cli import Shell


@pytest.fixture
def shell(tmp_path, monkeypatch) -> Shell:
    """A user with an SSH key, in an empty folder."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return Shell(tmp_path).with_key()
