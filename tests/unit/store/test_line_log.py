"""The log that lines are appended to."""

import errno
import os
import stat

import pytest

from ccgpu.store.line_log import LineLog


def test_lines_are_appended_to_what_is_there(tmp_path):
    path = tmp_path / "log"
    for number in range(2):
        log = LineLog(path)
        log.append(f"a {number}")
        log.append("ä")
    assert path.read_text("utf-8") == "a 0\nä\na 1\nä\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_disk_ends_the_log(tmp_path):
    tried: list[bytes] = []

    def fill_up(number: int, data: bytes) -> int:
        tried.append(data)
        if len(tried) > 1:
            raise OSError(errno.ENOSPC, "full")
        return os.write(number, data)

    log = LineLog(tmp_path / "log", fill_up)
    for line in ("first", "second", "third"):
        log.append(line)
    assert (tmp_path / "log").read_text() == "first\n"
    assert tried == [b"first\n", b"second\n"]


def test_a_folder_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        LineLog(tmp_path / "none" / "log")
