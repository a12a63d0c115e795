"""The config in the guest: it is measured first, and used as a whole or not at all."""

import hashlib
import json
import os
from typing import Any

import pytest

from ccgpu.domain.image_pcrs import config_digest
from ccgpu.templates.guest.image import config
from ccgpu.templates.guest.image.config import ConfigRefused, parse_config

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIuMM/R2EQJK4bYWS4LWrID11U+mDanO6KXZzC6EWsmT"
GOOD = {"schema": "ccgpu.guest-config/1", "user": "owner", "ssh_keys": [KEY]}


def test_keys_a_ca_and_a_policys_digest_are_taken():
    document = {**GOOD, "ssh_ca": [f"{KEY} ca"], "policy_sha256": "ab" * 32}
    assert parse_config(json.dumps(document).encode()) == document


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "ccgpu.guest-config/2"},
        {"user": "root; reboot"},
        {"user": None},
        {"ssh_keys": [f'command="sh" {KEY}']},
        {"ssh_keys": [f"{KEY}\n{KEY}"]},
        {"ssh_keys": KEY},
        {"ssh_keys": [KEY] * 65},
        {"ssh_ca": ["ssh-dss AAAAB3NzaC1kc3MAAACB"]},
        {"policy_sha256": "AB" * 32},
        {"password": "x"},
    ],
)
def test_anything_else_is_refused_as_a_whole(change):
    with pytest.raises(ConfigRefused):
        parse_config(json.dumps({**GOOD, **change}).encode())


@pytest.mark.parametrize("raw", [b"", b"[]", b"none", b"\xff\xfe", b"[" * 100000])
def test_what_is_no_document_is_refused(raw):
    with pytest.raises(ConfigRefused):
        parse_config(raw)


class _Guest:
    """The guest's steps, in the order in which they happen."""

    def __init__(self, monkeypatch, folder, given):
        self.steps: list[Any] = []
        monkeypatch.setattr(config, "MEASURED", folder / "measured")
        monkeypatch.setattr(config, "COPY", folder / "copy")
        monkeypatch.setattr(config, "LOGIN", folder / "login")
        monkeypatch.setattr(config, "TPM", os.devnull)
        monkeypatch.setattr(config, "fetch_config", lambda: given)
        steps = self.steps

        class Tpm:
            def __init__(self, _descriptor, _seconds):
                pass

            def pcr_extend(self, pcr, digest):
                steps.append((pcr, digest))

        monkeypatch.setattr(config, "RawTpm", Tpm)
        monkeypatch.setattr("subprocess.run", lambda words, **_: steps.append(words[-1]))


def test_the_config_is_measured_before_anything_of_it_is_used(monkeypatch, tmp_path):
    raw = json.dumps(GOOD).encode()
    guest = _Guest(monkeypatch, tmp_path, raw)
    assert config.main([]) == 0
    assert guest.steps == [(8, hashlib.sha256(raw).digest()), "owner"]
    assert guest.steps[0][1] == config_digest(raw)
    assert (tmp_path / "login" / "authorized_keys").read_text() == f"{KEY}\n"
    assert (tmp_path / "login" / "ca.pub").read_text() == ""
    assert (tmp_path / "copy").read_bytes() == raw


def test_a_config_that_is_refused_was_measured_all_the_same(monkeypatch, tmp_path):
    guest = _Guest(monkeypatch, tmp_path, b"evil")
    assert config.main([]) == 1
    assert guest.steps == [(8, hashlib.sha256(b"evil").digest())]
    assert (tmp_path / "login" / "authorized_keys").read_bytes() == b""


def test_without_a_config_a_fixed_word_is_measured_and_nobody_gets_in(monkeypatch, tmp_path):
    guest = _Guest(monkeypatch, tmp_path, b"")
    assert config.main([]) == 0
    assert guest.steps == [(8, config_digest(None))]
    assert (tmp_path / "login" / "authorized_keys").read_bytes() == b""


def test_a_boot_measures_one_config(monkeypatch, tmp_path):
    guest = _Guest(monkeypatch, tmp_path, b"")
    config.main([])
    with pytest.raises(FileExistsError):
        config.main([])
    assert len(guest.steps) == 1
