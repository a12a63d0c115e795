"""Which public keys pass, and that nothing else is ever shown."""

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain import sshkey
from support import public_keys

_ED25519 = public_keys.ed25519_line()

_BAD = [
    ("", "is not an OpenSSH public key"),
    ("hello world", "is not an OpenSSH public key"),
    ("ssh-ed25519", "is not a whole ssh-ed25519 key"),
    ("ssh-ed25519 !!!! x", "is not a whole ssh-ed25519 key"),
    (f"{_ED25519[:-8]}", "is not a whole ssh-ed25519 key"),
    (_ED25519.replace("ssh-ed25519", "ssh-rsa"), "is not a whole ssh-rsa key"),
    (public_keys.rsa_line(1024), "RSA of 1024 bits"),
    (public_keys.ecdsa_line(), "ECDSA"),
    (public_keys.unsupported_line("ssh-dss"), "DSA"),
    (public_keys.unsupported_line("sk-ecdsa-sha2-nistp256@openssh.com"), "security-key"),
    (public_keys.unsupported_line("sk-ssh-ed25519@openssh.com"), "security-key"),
    (f"{_ED25519}\n{public_keys.ed25519_line(1)}", "more than one line"),
    (f"{_ED25519}\r{public_keys.ed25519_line(1)}", "more than one line"),
    (f"{_ED25519} a\x1b[1m", "cannot be printed"),
    (public_keys.private_key(), "is a private key"),
    ("PuTTY-User-Key-File-3: ssh-ed25519", "is a private key"),
]


@pytest.mark.parametrize(("text", "fragment"), _BAD)
def test_a_key_type_that_azure_refuses_is_named(text, fragment):
    with pytest.raises(ValueError, match=fragment) as caught:
        sshkey.parse(text)
    assert not any(len(word) > 20 and word in str(caught.value) for word in text.split())
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("bits", [2048, 3072])
def test_rsa_keys_need_2048_bits(bits):
    line = public_keys.rsa_line(bits)
    assert str(sshkey.parse(line)) == line


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        (_ED25519, ""),
        (f"{_ED25519}\n", ""),
        (f"  {_ED25519}  me@here \n", "me@here"),
        (f"{_ED25519} two words", "two words"),
    ],
)
def test_comments_and_spaces_around_a_key_are_ignored(text, comment):
    key = sshkey.parse(text)

    assert key.comment == comment
    assert key.algorithm == "ssh-ed25519"
    assert base64.b64encode(key.blob).decode() == _ED25519.split()[1]
    assert str(key) == f"{_ED25519} {comment}".strip()


@pytest.mark.slow
@given(st.text())
def test_any_text_is_parsed_or_a_value_error(text):
    with suppress(ValueError):
        sshkey.parse(f"ssh-ed25519 {text}")
