"""The programs that build: what is missing, what fails, and what they get."""

import pytest

from ccgpu.errors import ImageNotBuilt, ProgramMissing
from ccgpu.imaging import programs
from ccgpu.imaging.programs import require_programs, run_program


def test_every_missing_program_is_named_with_its_package(monkeypatch, tmp_path):
    monkeypatch.setattr(programs, "_PATH", str(tmp_path))
    with pytest.raises(ProgramMissing) as caught:
        require_programs()
    assert caught.value.exit_code == 3
    assert all(name in str(caught.value) for name in programs.PROGRAMS)
    wanted = "apt dpkg mmdebstrap erofs-utils cryptsetup-bin dosfstools mtools"
    assert caught.value.hint == f"`apt-get install {wanted}` (Debian 12 or later)"


def test_without_root_nothing_begins(monkeypatch, tmp_path):
    for name in programs.PROGRAMS:
        file = tmp_path / name
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
    monkeypatch.setattr(programs, "_PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ProgramMissing, match="needs root") as caught:
        require_programs()
    assert caught.value.hint == "run it with sudo, or in a container"


def test_a_program_that_fails_is_quoted_by_its_last_lines():
    script = "for i in $(seq 40); do echo line $i >&2; done; exit 7"
    with pytest.raises(ImageNotBuilt, match="sh failed with exit code 7") as caught:
        run_program("sh", "-c", script)
    assert "line 40" in str(caught.value)
    assert "line 20" not in str(caught.value)
    assert caught.value.exit_code == 4


def test_programs_get_nothing_of_the_users_environment(monkeypatch):
    monkeypatch.setenv("MTOOLSRC", "/evil")
    monkeypatch.setenv("LC_ALL", "tr_TR.UTF-8")
    printed = run_program("env", more={"SOURCE_DATE_EPOCH": "7"}).decode()
    found = dict(line.split("=", 1) for line in printed.splitlines())
    assert "MTOOLSRC" not in found
    assert (found["LC_ALL"], found["SOURCE_DATE_EPOCH"], found["TZ"]) == ("C", "7", "UTC")
