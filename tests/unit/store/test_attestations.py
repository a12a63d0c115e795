"""Recorded verdicts: private, with their evidence, and damaged ones are errors."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ccgpu.domain.attestation import AttestationRecord
from ccgpu.domain.bundle import EvidenceBundle
from ccgpu.errors import StateUnusable
from ccgpu.store.attestations import Attestations

KEY = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + bytes(32)
RECORD = AttestationRecord(
    vm_id="0f0e0d0c-0000-4000-8000-00000000c0de",
    boot_id="6c0ed2cd-5a3d-4e23-a1c9-3c0b1f7c0d7e",
    verdict="accepted",
    policy="default",
    policy_sha256=None,
    nonce=bytes(range(32)),
    host_key=KEY,
    at="2026-06-01T12:00:00Z",
)
BUNDLE = EvidenceBundle(made_at=datetime(2026, 6, 1, 12, tzinfo=UTC), tool="a test")


@pytest.fixture
def attestations(tmp_path):
    return Attestations(tmp_path / "state" / "journals")


def _file(attestations):
    return attestations.folder / "sub" / "demo.attestation"


@pytest.mark.parametrize(
    "record",
    [
        replace(RECORD, until="2026-06-02T12:00:00Z"),
        replace(RECORD, pins="/home/me/pins.json", pins_sha256="ab" * 32),
        replace(
            RECORD, image="/i.json", image_sha256="ab" * 32, config="/c", config_sha256="cd" * 32
        ),
        replace(RECORD, verdict="rejected", reasons=("policy.vm-id",), policy_sha256="00"),
    ],
)
def test_a_verdict_is_found_as_it_was_recorded(attestations, record):
    assert attestations.find("sub", "demo") is None
    attestations.record("sub", "demo", record, BUNDLE)
    assert attestations.find("sub", "demo") == record
    assert attestations.find("sub", "other") is None
    assert json.loads(attestations.bundle("sub", "demo").read_text())["tool"] == "a test"


def test_a_record_of_an_older_ccgpu_has_no_golden_values(attestations):
    attestations.record("sub", "demo", RECORD, BUNDLE)
    document = json.loads(_file(attestations).read_text())
    old = {key: value for key, value in document.items() if not key.startswith("pins")}
    _file(attestations).write_text(json.dumps(old))
    assert attestations.find("sub", "demo") == RECORD


def test_verdict_and_evidence_are_private(attestations):
    attestations.record("sub", "demo", RECORD, BUNDLE)
    for path in (_file(attestations), attestations.bundle("sub", "demo")):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_verdict_that_is_forgotten_leaves_its_evidence(attestations):
    attestations.record("sub", "demo", RECORD, BUNDLE)
    attestations.forget("sub", "demo")
    assert attestations.find("sub", "demo") is None
    assert attestations.bundle("sub", "demo").exists()
    attestations.erase("sub", "demo")
    assert list(_file(attestations).parent.iterdir()) == []


def test_between_two_verdicts_there_is_none(attestations):
    """If the new evidence cannot be written, the old verdict is not taken for one on it."""
    attestations.record("sub", "demo", RECORD, BUNDLE)
    bundle = attestations.bundle("sub", "demo")
    bundle.unlink()
    bundle.mkdir()
    with pytest.raises(StateUnusable):
        attestations.record("sub", "demo", RECORD, BUNDLE)
    assert attestations.find("sub", "demo") is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "ccgpu.attestation/2"},
        {"vm_id": "demo"},
        {"verdict": "no_verdict"},
        {"nonce": "zz"},
        {"host_key": "00"},
        {"more": 1},
        {"reasons": 1},
        {"at": None},
        {"at": "2026-06-01T12:00:00"},
        {"until": "soon"},
        {"until": 5},
        {"at": "9999-12-31T23:59:59Z"},
        {"policy": None},
        {"policy": ["default"]},
        {"boot_id": ""},
        {"pins": 7},
    ],
    ids=str,
)
def test_a_damaged_record_is_an_error(attestations, change):
    attestations.record("sub", "demo", RECORD, BUNDLE)
    document = json.loads(_file(attestations).read_text())
    _file(attestations).write_text(json.dumps(document | change))
    with pytest.raises(StateUnusable, match="is damaged"):
        attestations.find("sub", "demo")
