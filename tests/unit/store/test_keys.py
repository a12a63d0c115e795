"""The SSH key of a VM whose spec names none."""

import pytest

from ccgpu.domain import sshkey
from ccgpu.errors import InvalidFile, StateUnusable
from ccgpu.store.keys import TO_BE_MADE, Keys
from support import public_keys


@pytest.fixture
def keys(tmp_path):
    return Keys(tmp_path / "state", "demo", tmp_path)


def _own(keys, text):
    keys.own.parent.mkdir()
    keys.own.write_text(text)


def test_an_existing_key_of_the_user_is_used(keys):
    _own(keys, f"\n{public_keys.ed25519_line()} me\n")
    assert keys.planned() == keys.default() == (f"{public_keys.ed25519_line()} me",)
    assert keys.identity is None
    assert not keys.state.exists()


def test_a_created_key_is_private_and_used_again(keys):
    assert keys.planned() == (TO_BE_MADE,)
    first = keys.default()
    assert keys.default() == keys.planned() == first
    assert sshkey.parse(first[0]).comment == "ccgpu demo"
    assert keys.identity == keys.private
    assert keys.private.stat().st_mode & 0o777 == 0o600
    assert keys.private.parent.stat().st_mode & 0o777 == 0o700
    assert keys.private.read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")


def test_a_missing_public_key_is_derived_again(keys):
    first = keys.default()
    secret = keys.private.read_bytes()
    keys.public.unlink()
    assert keys.default() == first
    assert keys.private.read_bytes() == secret


@pytest.mark.parametrize("text", ["half a key", "", "-----BEGIN OPENSSH PRIVATE KEY-----\n"])
def test_a_file_that_is_no_created_key_is_never_replaced(keys, text):
    keys.private.parent.mkdir(parents=True)
    keys.private.write_text(text)
    with pytest.raises(StateUnusable, match="not replaced"):
        keys.default()
    assert keys.private.read_text() == text
    assert not keys.public.exists()


@pytest.mark.parametrize("half", ["private", "public"])
def test_keys_are_not_written_through_symlinks(keys, tmp_path, half):
    keys.private.parent.mkdir(parents=True)
    getattr(keys, half).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateUnusable):
        keys.default()
    assert not (tmp_path / "elsewhere").exists()
    assert getattr(keys, half).is_symlink()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("nonsense\n", "is not an OpenSSH public key"),
        (public_keys.ecdsa_line(), "ECDSA"),
        (public_keys.private_key(), "private key"),
        ("x" * 20000, "KiB"),
    ],
    ids=["empty", "nonsense", "ecdsa", "private", "large"],
)
@pytest.mark.parametrize("which", ["planned", "default"])
def test_an_unusable_key_of_the_user_is_an_error_naming_the_file(keys, text, words, which):
    _own(keys, text)
    with pytest.raises(InvalidFile, match=words) as caught:
        getattr(keys, which)()
    assert str(keys.own) in str(caught.value)
    assert "PRIVATE KEY-----" not in str(caught.value)


def test_an_unwritable_state_folder_is_an_error(keys):
    keys.state.write_text("a file")
    with pytest.raises(StateUnusable, match="cannot make an SSH key"):
        keys.default()
