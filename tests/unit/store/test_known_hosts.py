"""Recorded host keys: of one VM, private, and replaced by an attested key alone."""

import json
from dataclasses import replace

import pytest

from ccgpu.domain.known_host import KnownHostKey
from ccgpu.errors import HostKeyMismatch, StateUnusable
from ccgpu.store.known_hosts import KnownHosts

_START = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"
VM, OTHER_VM = "0f0e0d0c-0000-4000-8000-00000000c0de", "0f0e0d0c-0000-4000-8000-00000000beef"
KNOWN = KnownHostKey(VM, _START + bytes(32), "serial-log", "2026-06-01T12:00:00Z")
OTHER = replace(KNOWN, blob=_START + bytes(range(32)))


@pytest.fixture
def hosts(tmp_path):
    return KnownHosts(tmp_path / "state" / "journals")


def _file(hosts):
    return hosts.folder / "sub" / "demo.hostkey"


def test_a_key_is_found_for_its_vm_alone(hosts):
    assert hosts.find("sub", "demo", VM) is None
    hosts.record("sub", "demo", KNOWN)

    assert hosts.find("sub", "demo", VM) == KNOWN
    assert hosts.find("sub", "demo", OTHER_VM) is None
    assert hosts.find("sub", "other", VM) is None
    assert hosts.find("other", "demo", VM) is None


def test_the_record_is_private(hosts):
    hosts.record("sub", "demo", KNOWN)

    assert _file(hosts).stat().st_mode & 0o777 == 0o600
    assert [path.stat().st_mode & 0o777 for path in (hosts.folder, _file(hosts).parent)] == [
        0o700,
        0o700,
    ]


def test_another_key_of_the_same_vm_is_refused_unless_it_is_attested(hosts):
    hosts.record("sub", "demo", KNOWN)

    with pytest.raises(HostKeyMismatch, match="another host key"):
        hosts.record("sub", "demo", OTHER)
    assert hosts.find("sub", "demo", VM) == KNOWN
    attested = replace(OTHER, source="attested")
    hosts.record("sub", "demo", attested)
    assert hosts.find("sub", "demo", VM) == attested


def test_what_is_attested_stays_attested(hosts):
    attested = replace(KNOWN, source="attested")
    hosts.record("sub", "demo", attested)
    hosts.record("sub", "demo", KNOWN)

    assert hosts.find("sub", "demo", VM) == attested
    with pytest.raises(HostKeyMismatch):
        hosts.record("sub", "demo", OTHER)


def test_a_new_vm_takes_the_place_of_the_old_one(hosts):
    hosts.record("sub", "demo", replace(KNOWN, source="attested"))
    made_anew = replace(OTHER, vm_id=OTHER_VM)
    hosts.record("sub", "demo", made_anew)

    assert hosts.find("sub", "demo", OTHER_VM) == made_anew
    assert hosts.find("sub", "demo", VM) is None


def test_a_forgotten_key_is_gone_and_forgetting_twice_is_no_error(hosts):
    hosts.forget("sub", "demo")
    hosts.record("sub", "demo", KNOWN)
    hosts.forget("sub", "demo")
    hosts.forget("sub", "demo")

    assert hosts.find("sub", "demo", VM) is None
    assert list(_file(hosts).parent.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "ccgpu.host-key/2"},
        {"vm_id": "demo"},
        {"vm_id": 7},
        {"source": "network"},
        {"host_key": "ssh-ed25519 AAAA"},
        {"host_key": None},
        {"host_key": ""},
    ],
)
def test_a_damaged_record_is_an_error_and_not_an_absent_key(hosts, changes):
    hosts.record("sub", "demo", KNOWN)
    document = json.loads(_file(hosts).read_text()) | changes
    _file(hosts).write_text(json.dumps(document))

    with pytest.raises(StateUnusable, match="is damaged"):
        hosts.find("sub", "demo", VM)


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", "7", "x" * 20_000, "[" * 9_000])
def test_a_file_that_is_no_record_is_an_error(hosts, text):
    hosts.record("sub", "demo", KNOWN)
    _file(hosts).write_text(text)

    with pytest.raises(StateUnusable, match="is damaged"):
        hosts.find("sub", "demo", VM)


def test_a_record_that_cannot_be_written_is_an_error(hosts):
    _file(hosts).parent.mkdir(parents=True)
    _file(hosts).symlink_to("elsewhere")

    with pytest.raises(StateUnusable, match=r"the host key in .*: it is a symbolic link"):
        hosts.record("sub", "demo", KNOWN)


def test_a_record_that_cannot_be_read_is_an_error(hosts):
    _file(hosts).mkdir(parents=True)

    with pytest.raises(StateUnusable, match="cannot read the host key"):
        hosts.find("sub", "demo", VM)
    with pytest.raises(StateUnusable, match="cannot remove the host key"):
        hosts.forget("sub", "demo")
