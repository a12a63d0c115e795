"""Cloud-init parts named by their files: what is read, what is remembered, what is refused."""

import os

import pytest

from ccgpu.errors import InvalidFile
from ccgpu.store import cloud_init_files, specs

_PART = "#cloud-config\npackages: [vim]\n"


def _problem(entry: str, **given):
    with pytest.raises(InvalidFile) as caught:
        specs.build("demo", flags={"guest": {"cloud_init": [entry]}}, **given)
    (problem,) = caught.value.problems
    assert (problem.path, problem.source) == ("guest.cloud_init.0", "--cloud-init")
    return problem


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ("extras.yaml", True),
        ("~/extras.yaml", True),
        ("./a b", True),
        ("packages: [vim]", True),
        (_PART, False),
        ("#!/bin/sh\n", False),
        ("#cloud-config", False),
        ("", False),
        ("a\nb", False),
        ("a\0b", False),
    ],
)
def test_paths_and_parts_are_distinguished(entry, path):
    assert cloud_init_files.is_path(entry) is path


def test_paths_are_relative_to_the_spec_file_or_working_folder(tmp_path, monkeypatch):
    for folder in ("specs", "work"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "extras.yaml").write_text(f"#cloud-config\nhostname: {folder}\n")
    monkeypatch.chdir(tmp_path / "work")
    file = tmp_path / "specs" / "vm.yaml"
    file.write_text("guest: {cloud_init: [extras.yaml]}\n")

    from_file = specs.build("demo", file=file)
    assert from_file.guest.cloud_init == ("#cloud-config\nhostname: specs\n",)
    flags = {"guest": {"cloud_init": ["extras.yaml"]}}
    from_flag = specs.build("demo", file=file, flags=flags)
    assert from_flag.guest.cloud_init == ("#cloud-config\nhostname: work\n",)


def test_a_part_may_stand_in_the_spec_itself(tmp_path):
    file = tmp_path / "vm.yaml"
    file.write_text("guest:\n  cloud_init:\n    - |\n      #cloud-config\n      packages: [vim]\n")
    assert specs.build("demo", file=file).guest.cloud_init == (_PART,)


def test_a_byte_order_mark_is_left_out(tmp_path):
    (tmp_path / "bom").write_bytes(b"\xef\xbb\xbf" + _PART.encode())
    assert cloud_init_files.part_text("bom", tmp_path) == _PART


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must begin with #cloud-config"),
        (b"packages: [vim]\n", "must begin with #cloud-config"),
        (b"#cloud-config\n\xff\n", "not UTF-8"),
        (b"#!/bin/sh\n" + b"x" * 40_000, "more than 32 KiB"),
        (b"#cloud-config\na: [1\n", "is not YAML in its line 3"),
        (b"#cloud-config\na: &x 1\nb: *y\n", "is not YAML in its line 3"),
        (b"#cloud-config\n- a\n", "is not a mapping"),
        (b"#cloud-config\n", "is not a mapping"),
        (b"#cloud-config\nx: 2026-99-99\n", "is not YAML that cloud-init can read"),
        (b"#cloud-config\nx: !!python/none\n", "is not YAML in its line 2"),
    ],
)
def test_a_file_that_is_no_part_is_refused(content, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part").write_bytes(content)
    assert words in _problem("part").message


def test_what_is_no_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert "No such file" in _problem("nothing").message
    assert "is a folder, name a file" in _problem("folder").message
    assert "is not a plain file" in _problem("pipe").message


def test_a_refusal_never_quotes_a_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n"
    (tmp_path / "part").write_text(f"#!/bin/sh\necho '{key}'\n")
    message = _problem("part").message
    assert "holds a private key" in message
    assert "b3Bl" not in message


@pytest.mark.parametrize("driver", ["610", "595.91.07", "550.90.07", "latest"])
def test_a_driver_that_cannot_be_attested_is_refused_with_its_place(driver, tmp_path):
    file = tmp_path / "vm.yaml"
    file.write_text(f"guest:\n  driver: {driver}\n")
    (problem,) = specs.check(file)
    assert (problem.path, problem.line, problem.column) == ("guest.driver", 2, 3)
    assert "; choose 595 (595.71.05)," in problem.message
