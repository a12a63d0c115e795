"""Public keys named by their files."""

import os

import pytest

from ccgpu.errors import InvalidFile
from ccgpu.store import keyfiles, specs
from support import public_keys

_LINE = public_keys.ed25519_line()


def _problem(entry: str, **given):
    with pytest.raises(InvalidFile) as caught:
        specs.build("demo", flags={"ssh_keys": [entry]}, **given)
    (problem,) = caught.value.problems
    assert (problem.path, problem.source) == ("ssh_keys.0", "--ssh-key")
    return problem


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ("~/.ssh/id_ed25519.pub", True),
        ("/keys/id", True),
        ("./id", True),
        ("../id", True),
        ("my key.pub", True),
        ("id_rsa", True),
        ("", False),
        (_LINE, False),
        (f"{_LINE} laptop.pub", True),
        ("ssh-rsa", False),
        ("./a\0b", False),
        ("my laptop", False),
        (f"{_LINE}\n./x.pub", False),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", False),
    ],
)
def test_paths_and_keys_are_distinguished(entry, path):
    assert keyfiles.is_path(entry) is path


def test_key_paths_are_relative_to_the_spec_file_or_working_folder(tmp_path, monkeypatch):
    for folder, number in (("specs", 1), ("work", 2)):
        (tmp_path / folder).mkdir()
        key = public_keys.ed25519_line(number)
        (tmp_path / folder / "id.pub").write_text(f"{key} me\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "work")
    file = tmp_path / "specs" / "vm.yaml"
    file.write_text("ssh_keys: [id.pub]\n", encoding="utf-8")

    assert specs.build("demo", file=file).ssh_keys == (f"{public_keys.ed25519_line(1)} me",)
    from_flag = specs.build("demo", file=file, flags={"ssh_keys": ("id.pub",)})
    assert from_flag.ssh_keys == (f"{public_keys.ed25519_line(2)} me",)


def test_key_paths_may_start_with_a_tilde(home):
    (home / "id.pub").write_text(_LINE, encoding="utf-8")
    assert specs.build("demo", sets=["ssh_keys=[~/id.pub]"]).ssh_keys == (_LINE,)


def test_the_same_key_as_line_and_file_is_a_duplicate(tmp_path):
    (tmp_path / "id.pub").write_text(f"{_LINE} file", encoding="utf-8")
    with pytest.raises(InvalidFile, match="same key twice"):
        specs.build("demo", flags={"ssh_keys": [_LINE, str(tmp_path / "id.pub")]})


def test_a_private_key_file_is_refused_without_showing_it(tmp_path):
    secret = public_keys.private_key()
    (tmp_path / "id").write_text(secret, encoding="utf-8")
    problem = _problem(str(tmp_path / "id"))

    assert "with .pub" in problem.message
    assert not any(line in problem.message for line in secret.splitlines())


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"", "empty file"),
        (b" \n", "empty file"),
        (b"x" * (16 * 1024 + 1), "more than 16 KiB"),
        (b"\xff\xfe\x00secret", "cannot be printed"),
        (b"secret", "is not an OpenSSH public key"),
        (f"{_LINE}\n{_LINE}\n".encode(), "more than one line"),
    ],
)
def test_a_file_without_a_public_key_is_refused_without_showing_it(content, fragment, tmp_path):
    (tmp_path / "id.pub").write_bytes(content)
    problem = _problem(str(tmp_path / "id.pub"))

    assert fragment in problem.message
    assert "secret" not in problem.message


def test_a_key_file_of_16_kib_is_read(tmp_path):
    text = f"{_LINE} ".ljust(16 * 1024, "x")
    (tmp_path / "id.pub").write_text(text, encoding="utf-8")
    assert specs.build("demo", flags={"ssh_keys": [f"{tmp_path}/id.pub"]}).ssh_keys == (text,)


def test_a_path_that_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo.pub")
    assert "is a folder" in _problem(f"{tmp_path}/").message
    assert "not a plain file" in _problem(str(tmp_path / "fifo.pub")).message
    assert "No such file" in _problem(str(tmp_path / "none.pub")).message
    assert "too long" in _problem(f"/{'x' * 300}").message
    assert "cannot be printed" in _problem("/a\0b").message


def test_an_unknown_home_is_refused():
    assert "no home folder" in _problem("~nobody-of-this-name/id.pub").message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_key_file_is_refused(tmp_path):
    (tmp_path / "id.pub").write_text(_LINE, encoding="utf-8")
    (tmp_path / "id.pub").chmod(0)
    assert "Permission denied" in _problem(str(tmp_path / "id.pub")).message


def test_ssh_keys_that_are_no_list_are_left_to_the_model():
    with pytest.raises(InvalidFile, match="must be a list"):
        specs.build("demo", sets=["ssh_keys=~/id.pub"])
