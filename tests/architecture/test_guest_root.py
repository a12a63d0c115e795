"""Where the root of test guests is, and when it counts as built."""

import os
from pathlib import Path

import pytest

import guest_root


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"CCGPU_GUEST_ROOT": "/srv/root", "XDG_CACHE_HOME": "/c"}, "/srv/root"),
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c/ccgpu-tests/guest-bookworm"),
        ({"HOME": "/h"}, "/h/.cache/ccgpu-tests/guest-bookworm"),
        ({}, "/var/cache/.cache/ccgpu-tests/guest-bookworm"),
    ],
)
def test_the_root_lies_where_the_environment_says(environ, folder):
    assert guest_root.folder_of(environ) == Path(folder)


def test_a_root_of_other_packages_is_built_anew(tmp_path):
    assert not guest_root.is_ready(tmp_path)
    (tmp_path / "ccgpu-root").write_text("bookworm\nsystemd-sysv")
    assert not guest_root.is_ready(tmp_path)


def test_without_its_tools_nothing_is_begun_and_the_hint_names_them(tmp_path, monkeypatch):
    monkeypatch.setenv("CCGPU_GUEST_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = "debootstrap, systemd-nspawn" if not os.geteuid() else ""
    with pytest.raises(
        SystemExit, match=rf"no {missing}[^\n]*\n\nhint: apt-get install debootstrap"
    ):
        guest_root.guest_root([])
    assert not (tmp_path / "root").exists()
