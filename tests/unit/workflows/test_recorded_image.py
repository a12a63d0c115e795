"""The record of a verdict names the image that the VM was held to, and counts with it alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from ccgpu.domain.attestation import AttestationRecord
from ccgpu.domain.image_manifest import dump
from ccgpu.errors import InvalidFile, UsageProblem
from ccgpu.store import image_files
from ccgpu.workflows.attestation_records import image_fields, recorded_image
from support.measured_vms import CONFIG, manifest

_RECORD = AttestationRecord(
    vm_id="0" * 36,
    boot_id="",
    verdict="accepted",
    policy="measured",
    policy_sha256=None,
    nonce=b"",
    host_key=b"",
    at="2026-11-22T12:00:00Z",
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "image.json").write_bytes(dump(manifest()))
    (tmp_path / "config").write_bytes(CONFIG)
    return tmp_path


def recorded(files: Path, *, config: bool) -> AttestationRecord:
    given = image_files.load_given(files / "image.json", files / "config" if config else None)
    return replace(_RECORD, **image_fields(given))  # type: ignore[arg-type]  # all are texts


@pytest.mark.parametrize("config", [True, False])
def test_the_image_is_read_again(files, config):
    record = recorded(files, config=config)
    image = recorded_image(record)
    assert image is not None
    assert image.file.sha256 == record.image_sha256
    assert (image.config is not None) == config


def test_no_image_is_no_image():
    assert recorded_image(_RECORD) is None


def test_another_manifest_or_config_does_not_count(files):
    record = recorded(files, config=True)
    (files / "config").write_bytes(b"another")
    with pytest.raises(UsageProblem, match="has changed"):
        recorded_image(record)
    (files / "config").write_bytes(CONFIG)
    (files / "image.json").write_bytes(dump(manifest()) + b"\n")
    with pytest.raises(UsageProblem, match="has changed"):
        recorded_image(record)
    (files / "image.json").unlink()
    with pytest.raises(InvalidFile):
        recorded_image(record)
