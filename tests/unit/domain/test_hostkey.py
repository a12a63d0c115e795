"""Host keys: what OpenSSH writes is read, exactly one key is named, nothing else is guessed."""

import base64
import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain import hostkey

BLOB = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + b"\x07" * 32
OTHER = BLOB[:-1] + b"\x08"
# As `ssh-keygen -lf` prints them of these lines.
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH"
PRINT = "SHA256:gNSIRW+2Iyiuvsdp/bgjy38bvWHw6wQm3tuoXrl3WjQ"
OTHER_LINE = f"ssh-ed25519 {base64.b64encode(OTHER).decode()}"
RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ"
ECDSA = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY"


@pytest.mark.parametrize(
    "text",
    [
        LINE,
        f"{LINE} root@demo\n",
        f"203.0.113.7 {LINE}",
        f"demo.example,203.0.113.7 {LINE} a comment",
        f"[203.0.113.7]:2222 {LINE}",
        f"|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= {LINE}",
        f"# 203.0.113.7:22 SSH-2.0-OpenSSH_9.6\n203.0.113.7 {LINE}\n",
        f"203.0.113.7 {RSA}\n203.0.113.7 {LINE}\n203.0.113.7 {ECDSA}\n",
        f"one {LINE}\r\n\r\ntwo {LINE}\r\n",
    ],
)
def test_files_written_by_openssh_are_parsed(text):
    assert hostkey.parse(text.encode()) == BLOB


def test_a_bare_key_blob_is_parsed():
    assert hostkey.parse(BLOB) == BLOB


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "holds no ssh-ed25519 key"),
        (b"# nothing\n", "holds no ssh-ed25519 key"),
        (BLOB[:-1], "51 bytes"),
        (BLOB + b"x", "51 bytes"),
        (b"\x00\x00\x00\x07ssh-rsa" + bytes(40), "51 bytes"),
        (b"\xff\xfe\x00", "neither text nor a key blob"),
        (f"{LINE}\n{OTHER_LINE}".encode(), "more than one ssh-ed25519 key"),
        (RSA.encode(), "only ssh-rsa: ccgpu-bind-v1 binds the Ed25519 host key"),
        (f"h {RSA}\nh {ECDSA}".encode(), "only ecdsa-sha2-nistp256, ssh-rsa"),
        (f"@revoked * {LINE}".encode(), "@revoked"),
        (f"@cert-authority * {LINE}".encode(), "@cert-authority"),
        (b"hello", "neither of a .pub file nor of known_hosts"),
        (b"ssh-ed25519", "neither of a .pub file nor of known_hosts"),
        (b"host ssh-ed25519", "neither of a .pub file nor of known_hosts"),
        (f"a b {LINE}".encode(), "neither of a .pub file nor of known_hosts"),
        (LINE[:-4].encode(), "not a whole ssh-ed25519 key"),
        (b"ssh-ed25519 %%%%", "not a whole ssh-ed25519 key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", "private key"),
    ],
)
def test_anything_but_one_ed25519_key_is_refused(raw, why):
    with pytest.raises(ValueError, match=r"^[a-z]") as caught:
        hostkey.parse(raw)

    assert why in str(caught.value)


def test_a_fingerprint_is_what_ssh_keygen_prints():
    digest = hashlib.sha256(BLOB).digest()

    assert hostkey.sha256(BLOB) == digest
    assert hostkey.fingerprint(digest) == PRINT
    assert hostkey.digest_of(PRINT) == digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SHA256:",
        PRINT + "=",
        PRINT[:-1],
        PRINT[:-1] + "R",  # bits that no 32 bytes have
        PRINT.lower(),
        PRINT.replace("+", "-"),
        f" {PRINT}",
        f"{PRINT}\n",
        "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
        hashlib.sha256(BLOB).hexdigest(),
    ],
)
def test_invalid_fingerprints_are_refused(text):
    with pytest.raises(ValueError, match="ssh-keygen"):
        hostkey.digest_of(text)


@given(st.binary(min_size=32, max_size=32))
def test_every_digest_has_one_spelling(digest):
    assert hostkey.digest_of(hostkey.fingerprint(digest)) == digest


@given(st.binary(max_size=200))
def test_any_bytes_are_a_key_or_refused_with_a_reason(raw):
    with suppress(ValueError):
        assert len(hostkey.parse(raw)) == hostkey.BLOB_SIZE
