"""Challenges that this machine sent: found by their nonce, whole or an error."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ccgpu.domain.challenge import ChallengeRecord
from ccgpu.errors import StateUnusable
from ccgpu.store.challenges import Challenges
from support.vms import HOST_KEY, NONCE

SENT = datetime(2026, 11, 22, 11, 59, tzinfo=UTC)
VM_ID = "390cbcf5-6c67-4d9b-98ef-c3f1699cc8fc"
RECORD = ChallengeRecord(NONCE, VM_ID, HOST_KEY, SENT)


@pytest.fixture
def challenges(tmp_path):
    return Challenges(tmp_path / "state" / "challenges")


def test_a_challenge_is_found_only_by_its_nonce(challenges):
    challenges.write(RECORD)

    assert challenges.find(NONCE) == RECORD
    assert challenges.find(NONCE[::-1]) is None
    assert challenges.find(b"") is None


def test_an_unrecorded_challenge_is_not_found(challenges):
    assert challenges.find(NONCE) is None


def test_a_challenge_record_is_private_and_never_replaced(challenges):
    challenges.write(RECORD)

    assert [path.stat().st_mode & 0o777 for path in challenges.folder.iterdir()] == [0o600]
    assert challenges.folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(StateUnusable, match="record"):
        challenges.write(replace(RECORD, vm_id="11111111-2222-3333-4444-555555555555"))
    assert challenges.find(NONCE) == RECORD


def test_a_challenge_to_a_machine_whose_vm_id_nobody_told_is_kept_as_such(challenges):
    challenges.write(replace(RECORD, vm_id=None))
    assert challenges.find(NONCE) == replace(RECORD, vm_id=None)


def test_vm_ids_are_stored_in_lower_case(challenges):
    challenges.write(replace(RECORD, vm_id=VM_ID.upper()))

    assert challenges.find(NONCE) == RECORD


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "ccgpu.challenge/2"},
        {"nonce": "00" * 32},
        {"nonce": 5},
        {"vm_id": "390cbcf5"},
        {"vm_id": ""},
        {"host_key": HOST_KEY.hex() + "00"},
        {"host_key": "xyz"},
        {"sent_at": "2026-11-22T11:59:00"},
        {"sent_at": "yesterday"},
        {"sent_at": "9999-12-31T23:59:59-05:00"},
    ],
)
def test_a_damaged_record_is_an_error(challenges, changes):
    challenges.write(RECORD)
    (file,) = challenges.folder.iterdir()
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    with pytest.raises(StateUnusable, match="damaged"):
        challenges.find(NONCE)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"\xff", b"[" * 3000, b" " * 5000])
def test_an_unreadable_record_is_an_error(challenges, raw):
    challenges.write(RECORD)
    (file,) = challenges.folder.iterdir()
    file.write_bytes(raw)

    with pytest.raises(StateUnusable, match="damaged"):
        challenges.find(NONCE)


def test_the_oldest_records_are_removed_but_for_the_newest_of_each_vm(tmp_path):
    """The only challenge of a VM that is attested seldom stays findable."""
    challenges = Challenges(tmp_path / "challenges", most=5, kept=2)
    nonces = [bytes([number]) * 32 for number in range(5)]
    for number, nonce in enumerate(nonces):
        vm_id = RECORD.vm_id if number else "11111111-2222-3333-4444-555555555555"
        challenges.write(replace(RECORD, nonce=nonce, vm_id=vm_id))
        (path,) = [one for one in challenges.folder.iterdir() if nonce.hex() in one.read_text()]
        os.utime(path, (number, number))
    challenges.write(replace(RECORD, nonce=NONCE))
    found = [nonce for nonce in (*nonces, NONCE) if challenges.find(nonce)]
    assert found == [nonces[0], nonces[4], NONCE]


def test_a_damaged_record_is_not_removed(tmp_path):
    challenges = Challenges(tmp_path / "challenges", most=1, kept=1)
    challenges.folder.mkdir()
    (challenges.folder / "damaged.json").write_text("{")
    for number in range(3):
        challenges.write(replace(RECORD, nonce=bytes([number]) * 32))
    assert (challenges.folder / "damaged.json").exists()
    assert len(list(challenges.folder.iterdir())) == 2


def test_only_a_nonce_that_was_sent_before_is_an_earlier_one(tmp_path):
    challenges, other = Challenges(tmp_path / "challenges"), b"\x07" * 32
    assert not challenges.is_earlier(other, NONCE)
    challenges.write(replace(RECORD, nonce=other))
    challenges.write(RECORD)
    assert challenges.is_earlier(other, NONCE)
    assert not challenges.is_earlier(NONCE, NONCE)
    assert not challenges.is_earlier(None, NONCE)
    assert not challenges.is_earlier(other, None)
