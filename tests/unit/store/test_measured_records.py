"""What this machine remembers of a deployment's measured image."""

import hashlib
import json
from dataclasses import replace

import pytest

from ccgpu.domain.measured_record import MeasuredRecord
from ccgpu.errors import StateUnusable
from ccgpu.store.measured_records import MeasuredRecords

CONFIG = b"x" * 20_000  # more than other small records have
RECORD = MeasuredRecord("/i/image.json", "ab" * 32, CONFIG, hashlib.sha256(CONFIG).hexdigest())


@pytest.fixture
def records(tmp_path):
    return MeasuredRecords(tmp_path / "state" / "journals")


def test_what_was_recorded_is_found_until_it_is_forgotten(records):
    assert records.find("sub", "demo") is None
    records.record("sub", "demo", RECORD)
    file = records.config_file("sub", "demo")
    assert records.find("sub", "demo") == replace(RECORD, config_file=str(file))
    assert records.config_file("sub", "demo").read_bytes() == CONFIG
    assert records.find("sub", "other") is None
    records.forget("sub", "demo")
    assert records.find("sub", "demo") is None
    assert list((records.folder / "sub").iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [{"schema": "ccgpu.measured-deployment/2"}, {"manifest": 7}, {"manifest_sha256": "AB" * 32}],
)
def test_a_damaged_record_is_an_error(records, changes):
    records.record("sub", "demo", RECORD)
    file = records.folder / "sub" / "demo.image"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    with pytest.raises(StateUnusable, match="is damaged"):
        records.find("sub", "demo")


@pytest.mark.parametrize("config", [None, b"another"])
def test_a_config_that_is_not_the_recorded_one_is_an_error(records, config):
    records.record("sub", "demo", RECORD)
    file = records.config_file("sub", "demo")
    file.unlink() if config is None else file.write_bytes(config)
    with pytest.raises(StateUnusable, match="does not have the recorded SHA-256"):
        records.find("sub", "demo")
