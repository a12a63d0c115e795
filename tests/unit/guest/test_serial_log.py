"""The host key in a console's output: one key, from complete blocks alone."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain import hostkey
from ccgpu.errors import HostKeyMismatch
from ccgpu.guest.serial_log import host_key, plain_lines

_START = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"
KEY, OTHER = _START + bytes(range(32)), _START + bytes(range(1, 33))
BEGIN, END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"


def _line(blob: bytes = KEY, comment: str = " root@demo") -> str:
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}{comment}"


def _block(*lines: str) -> list[str]:
    return [BEGIN, *lines, END]


def _log(*lines: str, end: str = "\r\n") -> str:
    return "".join(f"{line}{end}" for line in lines)


_RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ root@demo"
_NOISE = "[   33.902618] systemd[1]: Reached target Cloud-init target."


@pytest.mark.parametrize(
    "log",
    [
        _log(*_block(_line())),
        _log(*_block(_line()), end="\n"),
        _log(*_block(_line()), end="\r"),
        _log(*_block(_RSA, _line(), "ecdsa-sha2-nistp256 AAAA root@demo")),
        _log("noise", _NOISE, *_block(_line(comment="")), "demo login: "),
        _log(*_block(_NOISE, _line(), _NOISE)),
        _log(*(f"[   21.730115] cloud-init[911]: {line}" for line in _block(_line()))),
        _log(*(f"\x1b[0;32m{line}\x1b[0m\x1b[K" for line in _block(_line()))),
        _log("\x1b]0;console\x07" + BEGIN, "\x00" + _line() + "\x07", END + "  "),
        _log(*_block(_line()), "rebooting", *_block(_line())),
        _log(*_block(_line(), _line())),
        _log(BEGIN, _line(OTHER), "power failure", *_block(_line())),
        _log(*_block(_line()), BEGIN, _line(OTHER)),
        _log(_line(OTHER), *_block(_line()), _line(OTHER), END),
        _log(*_block(_RSA), *_block(_line())),
    ],
)
def test_the_key_of_the_complete_blocks_is_found(log):
    assert host_key(log) == KEY


@pytest.mark.parametrize(
    "log",
    [
        "",
        _log("demo login: "),
        _log(_line()),
        _log(*_block()),
        _log(*_block(_RSA)),
        _log(BEGIN, _line()),
        _log(_line(), END),
        _log(END, _line(), BEGIN),
        _log(f"x{BEGIN}", _line(), END),
        _log(BEGIN + "x", _line(), END),
        _log(*_block(f"> {_line()}")),
        _log(*_block(_line(KEY[:-1]))),
        _log(*_block(_line(KEY + b"\x00"))),
        _log(*_block(_line()[:40], _line()[40:])),
        _log(*_block(_line()[:40] + _NOISE + _line()[40:])),
        _log(*_block(_line().replace("ssh-ed25519 ", "ssh-ed25519  "))),
        _log("-----BEGIN SSH HOST KEY FINGERPRINTS-----", _line(), END),
    ],
)
def test_without_a_whole_key_in_a_complete_block_there_is_none(log):
    assert host_key(log) is None


@pytest.mark.parametrize(
    "log",
    [
        _log(*_block(_line()), *_block(_line(OTHER))),
        _log(*_block(_line(), _line(OTHER))),
        _log(*_block(_line()), *_block(_line()), *_block(_line(OTHER))),
    ],
)
def test_two_different_keys_are_refused_and_both_are_named(log):
    with pytest.raises(HostKeyMismatch, match="2 different") as caught:
        host_key(log)
    for blob in (KEY, OTHER):
        assert hostkey.fingerprint(hostkey.sha256(blob)) in str(caught.value)


@pytest.mark.slow
@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_around_a_block_leaves_its_key(before, after):
    text = (before + "\n" + _log(*_block(_line())) + after).replace("SSH HOST KEY", "")
    assert host_key(text) is None
    markers = ("BEGIN SSH", "\x1b", "END SSH")
    if not any(marker in before + after for marker in markers):
        assert host_key(before + "\n" + _log(*_block(_line())) + after) == KEY


@given(st.text(alphabet="\x1b[]0;mKA\x07\\\r\nx-", max_size=60))
def test_plain_lines_hold_no_control_character(text):
    assert all(line.isprintable() for line in plain_lines(text) if line)
