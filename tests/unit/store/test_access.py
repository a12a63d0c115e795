"""How a VM is reached, as the user last said it."""

import json

import pytest

from ccgpu.domain.access import Access
from ccgpu.errors import StateUnusable
from ccgpu.store.access import AccessRecords

ACCESS = Access(jump="me@bastion:2222", reachable=True, identity="/keys/id")


@pytest.fixture
def records(tmp_path):
    return AccessRecords(tmp_path / "state" / "journals")


def test_what_was_recorded_is_found_and_the_default_before(records):
    assert records.find("sub", "demo") == Access()
    records.record("sub", "demo", ACCESS)
    assert records.find("sub", "demo") == ACCESS
    assert records.find("sub", "other") == Access()
    records.forget("sub", "demo")
    assert records.find("sub", "demo") == Access()


@pytest.mark.parametrize(
    "changes",
    [{"schema": "ccgpu.access/2"}, {"jump": 7}, {"reachable": "yes"}, {"identity": ["x"]}],
)
def test_a_damaged_record_is_an_error(records, changes):
    records.record("sub", "demo", ACCESS)
    file = records.folder / "sub" / "demo.access"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    with pytest.raises(StateUnusable, match="is damaged"):
        records.find("sub", "demo")


@pytest.mark.parametrize(
    ("access", "private"),
    [
        (Access(), False),
        (Access(identity="/keys/id"), False),
        (Access(reachable=True), True),
        (Access(jump="bastion"), True),
    ],
)
def test_the_private_address_is_used_where_it_can_be_reached(access, private):
    assert access.by_private_address == private
