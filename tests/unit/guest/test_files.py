"""The files that ccgpu installs in a VM, as they ship."""

import os
import subprocess
import sys
import zipfile

import pytest

from ccgpu.guest.files import GuestFile, shipped_files
from support.repository import SRC

_TREE = SRC / "ccgpu" / "templates" / "guest" / "files"


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("/usr/local/lib/ccgpu/setup", "0755"),
        ("/usr/local/lib/ccgpu/steps/50-driver", "0755"),
        ("/usr/local/lib/ccgpu/lib.sh", "0644"),
        ("/usr/local/lib/other/setup", "0644"),
        ("/etc/systemd/system/ccgpu-setup.service", "0644"),
    ],
)
def test_only_the_programs_can_be_executed(path, mode):
    assert GuestFile(path, "x\n").mode == mode


def test_every_file_of_the_tree_ships_once_in_order():
    there = sorted(f"/{file.relative_to(_TREE)}" for file in _TREE.rglob("*") if file.is_file())
    assert [file.path for file in shipped_files()] == there


def test_what_ships_is_ascii_so_that_extra_parts_need_no_more_room():
    assert [file.path for file in shipped_files() if not file.text.isascii()] == []


def test_the_files_are_found_inside_an_archive_too(tmp_path):
    modules = ("__init__.py", "guest/__init__.py", "guest/files.py")
    archive = tmp_path / "ccgpu.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for name in modules:
            zipped.write(SRC / "ccgpu" / name, f"ccgpu/{name}")
        for name in ("usr/local/lib/ccgpu/setup", "etc/x.conf"):
            zipped.writestr(f"ccgpu/templates/guest/files/{name}", f"{name}\n")
    code = "from ccgpu.guest.files import shipped_files; print([*shipped_files()])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(archive)},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [
        GuestFile("/etc/x.conf", "etc/x.conf\n"),
        GuestFile("/usr/local/lib/ccgpu/setup", "usr/local/lib/ccgpu/setup\n"),
    ]
    assert done.stdout.strip() == str(expected)
