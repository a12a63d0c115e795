"""What others may have written in the state folder counts for nothing, and they write nothing."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ccgpu.domain.access import Access
from ccgpu.domain.challenge import ChallengeRecord
from ccgpu.domain.journal import Journal
from ccgpu.errors import StateUnusable
from ccgpu.fakearm.store import Store
from ccgpu.store import folders, own_files
from ccgpu.store.access import AccessRecords
from ccgpu.store.challenges import Challenges
from ccgpu.store.journals import Journals
from ccgpu.store.keys import Keys
from support.vms import HOST_KEY, NONCE

_OTHER_USER = 65534  # nobody
_CHALLENGE = ChallengeRecord(NONCE, None, HOST_KEY, datetime(2026, 1, 1, tzinfo=UTC))


def _write_challenge(state: Path) -> None:
    Challenges(state / "challenges").write(_CHALLENGE)


def _write_access(state: Path) -> None:
    AccessRecords(state / "journals").record("s", "demo", Access())


def _write_journal(state: Path) -> None:
    with Journals(state / "journals").locked("s", "demo", lambda: None) as file:
        file.write(Journal("demo", "s", "g", "r1", "2026-01-01T00:00:00Z"))


_READ = {
    _write_challenge: lambda state: Challenges(state / "challenges").find(NONCE),
    _write_access: lambda state: AccessRecords(state / "journals").find("s", "demo"),
    _write_journal: lambda state: Journals(state / "journals").peek("s", "demo"),
}


@pytest.mark.parametrize("write", _READ)
def test_a_record_of_others_is_not_read(tmp_path, write):
    write(tmp_path)
    (file,) = (one for one in tmp_path.rglob("*") if one.is_file() and one.suffix != ".lock")
    read = _READ[write]
    assert read(tmp_path) is not None
    file.chmod(0o620)
    with pytest.raises(StateUnusable, match="may be written by others"):
        read(tmp_path)
    if os.geteuid():
        pytest.skip("needs root, to give a file away")
    file.chmod(0o600)
    os.chown(file, _OTHER_USER, -1)
    with pytest.raises(StateUnusable, match="is another user's file"):
        read(tmp_path)


@pytest.mark.parametrize("half", ["public", "private"])
def test_a_key_of_others_lets_nobody_log_in(tmp_path, half):
    keys = Keys(tmp_path, "demo", tmp_path / "home")
    made = keys.default()
    file = getattr(keys, half)
    if half == "private":
        keys.public.unlink()
    assert keys.default() == made
    if half == "private":
        keys.public.unlink()
    file.chmod(0o660)
    with pytest.raises(StateUnusable, match="may be written by others"):
        keys.default()


def test_a_link_or_a_pipe_is_not_read(tmp_path):
    (tmp_path / "file").write_text("{}")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(StateUnusable, match="cannot read the record"):
            own_files.read(tmp_path / name, "the record", 10)
    (tmp_path / "file").chmod(0o600)
    assert own_files.read(tmp_path / "file", "the record", 1) == b"{"
    assert own_files.read(tmp_path / "none", "the record", 1) is None


@pytest.mark.parametrize(
    "write",
    [
        *_READ,
        lambda state: Keys(state, "demo", state / "home").default(),
        lambda state: Store(state / "fake.sqlite", 0.0).close(),
        lambda state: folders.make_private(state / "a" / "b"),
    ],
)
def test_every_folder_that_is_made_is_the_users_alone_whatever_the_umask(tmp_path, write):
    before = os.umask(0)
    try:
        write(tmp_path / "above" / "state")
    finally:
        os.umask(before)
    made = [one for one in tmp_path.rglob("*") if one.is_dir()]
    assert len(made) > 1
    assert {one.stat().st_mode & 0o777 for one in made} == {0o700}
    files = {one.stat().st_mode & 0o777 for one in tmp_path.rglob("*") if one.is_file()}
    assert files <= {0o600}
