"""Two deployments of one name, in two groups: a command on the one forgets nothing of the other."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ccgpu.azure.run import Run
from ccgpu.domain.access import Access
from ccgpu.domain.attestation import AttestationRecord
from ccgpu.domain.bundle import EvidenceBundle
from ccgpu.domain.desired import Names
from ccgpu.domain.known_host import KnownHostKey
from ccgpu.store.attestations import Attestations
from ccgpu.store.known_hosts import KnownHosts
from ccgpu.workflows.access_memory import record_access, remembered_access
from ccgpu.workflows.attestation_records import forget_verdict
from ccgpu.workflows.create.set_up import end_set_up, reopen_set_up
from ccgpu.workflows.delete import delete
from ccgpu.workflows.lifecycle import change_power_state
from ccgpu.workflows.record_names import record_name, record_name_of
from support.cloud import Machine, make_spec
from support.leases import HOUR, collect, other_machine

KEY = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + bytes(32)
VM_ID = "0f0e0d0c-0000-4000-8000-00000000c0de"
VERDICT = AttestationRecord(
    vm_id=VM_ID,
    boot_id="6c0ed2cd-5a3d-4e23-a1c9-3c0b1f7c0d7e",
    verdict="accepted",
    policy="default",
    policy_sha256=None,
    nonce=bytes(32),
    host_key=KEY,
    at="2026-06-01T12:00:00Z",
)
BUNDLE = EvidenceBundle(made_at=datetime(2026, 6, 1, 12, tzinfo=UTC), tool="a test")


@pytest.fixture
def both(machine: Machine) -> Machine:
    """`demo` in `ccgpu-demo`, of this machine, and in `lab`, of another one."""
    machine.arm.settings.set("quota", "*", "StandardNCCads2023Family", value=400)
    machine.create()
    other_machine(machine).create(make_spec(resource_group="lab"))
    return machine


def _names(machine: Machine, group: str) -> Names:
    return Names(machine.arm.subscription, group, "demo")


def _record(machine: Machine, group: str, vm_id: str = VM_ID) -> None:
    """Record a verdict, a host key and a way for the deployment in the group."""
    folder, names = machine.cloud.journals.folder, _names(machine, group)
    place = (names.subscription, record_name_of(machine.cloud, names))
    Attestations(folder).record(*place, replace(VERDICT, vm_id=vm_id), BUNDLE)
    KnownHosts(folder).record(*place, KnownHostKey(vm_id, KEY, "attested", VERDICT.at))
    record_access(machine.cloud, "demo", Access(jump=group), group)


def _records(machine: Machine) -> set[str]:
    return {path.name for path in machine.state.rglob("demo*") if path.suffix != ".lock"}


def test_a_stop_in_another_group_forgets_nothing_of_this_one(both: Machine) -> None:
    folder = both.cloud.journals.folder
    _record(both, "ccgpu-demo")
    change_power_state(both.cloud, "stop", "demo", "lab")
    assert Attestations(folder).find(both.arm.subscription, "demo") == VERDICT
    (Attestations(folder).bundle(both.arm.subscription, "demo").with_suffix(".attestation")).touch()
    before = _records(both)
    change_power_state(both.cloud, "start", "demo", "lab")
    assert _records(both) == before


def test_what_is_known_of_the_one_does_not_take_the_place_of_the_other(both: Machine) -> None:
    _record(both, "ccgpu-demo")
    of_this = _records(both)
    _record(both, "LAB", VM_ID.replace("0f", "1f"))
    assert remembered_access(both.cloud, "demo").jump == "ccgpu-demo"
    assert remembered_access(both.cloud, "demo", group="lab").jump == "LAB"
    assert len(_records(both)) == len(of_this) + 4  # verdict, evidence, host key, way
    delete(both.cloud, "demo", "lab")
    assert _records(both) == of_this


def test_gc_forgets_what_is_known_of_the_one_and_nothing_of_the_other(machine: Machine) -> None:
    machine.create()
    _record(machine, "ccgpu-demo")
    of_this = _records(machine)
    elsewhere = other_machine(machine)
    elsewhere.arm.settings.set("quota", "*", "StandardNCCads2023Family", value=400)
    elsewhere.create(make_spec(resource_group="lab", ttl="1h"))
    _record(machine, "lab", VM_ID.replace("0f", "1f"))
    assert len(_records(machine)) == len(of_this) + 4
    machine.arm.advance(2 * HOUR)
    assert [(one.group, one.action) for one in collect(machine).found] == [("lab", "removed")]
    assert _records(machine) == of_this


def test_nothing_is_left_of_two_that_are_deleted_one_after_the_other(both: Machine) -> None:
    _record(both, "ccgpu-demo")
    _record(both, "lab", VM_ID.replace("0f", "1f"))
    delete(both.cloud, "demo", "ccgpu-demo")
    assert _records(both)
    delete(both.cloud, "demo", "lab")
    assert _records(both) == set()


def test_gc_leaves_the_journal_of_another_group_alone(machine: Machine) -> None:
    machine.create()
    (file,) = machine.state.rglob("demo.json")
    with machine.cloud.journals.locked(machine.arm.subscription, "demo", lambda: None) as journal:
        known = journal.read()
        assert known is not None
        journal.write(replace(known, records=()))
    elsewhere = other_machine(machine)
    elsewhere.arm.settings.set("quota", "*", "StandardNCCads2023Family", value=400)
    elsewhere.create(make_spec(resource_group="lab", ttl="1h"))
    machine.arm.advance(2 * HOUR)
    assert [(one.group, one.action) for one in collect(machine).found] == [("lab", "removed")]
    assert file.exists()


def test_the_stages_of_the_one_are_not_those_of_the_other(both: Machine) -> None:
    def journal() -> object:
        return both.cloud.journals.peek(both.arm.subscription, "demo")

    run, before = Run.begin(both.cloud, 60), journal()
    reopen_set_up(run, _names(both, "lab"))
    assert journal() == before
    reopen_set_up(run, _names(both, "ccgpu-demo"))
    reopened = journal()
    assert reopened != before
    end_set_up(run, _names(both, "lab"))
    assert journal() == reopened


def test_the_spec_of_the_one_is_not_that_of_the_other(both: Machine) -> None:
    remembered = both.cloud.journals.remembered
    known = remembered(both.arm.subscription, "demo")
    assert known is not None
    assert remembered(both.arm.subscription, "demo", "CCGPU-demo") == known
    assert remembered(both.arm.subscription, "demo", "lab") is None


def test_without_a_journal_only_the_verdict_on_this_vm_is_forgotten(machine: Machine) -> None:
    names = _names(machine, "lab")
    _record(machine, "lab")
    forget_verdict(machine.cloud, names, VM_ID.replace("0f", "1f"))
    found = Attestations(machine.cloud.journals.folder).find(names.subscription, "demo")
    assert found == VERDICT
    forget_verdict(machine.cloud, names, VM_ID.upper())
    assert Attestations(machine.cloud.journals.folder).find(names.subscription, "demo") is None


def test_the_records_of_another_group_have_a_name_that_is_a_file_name(both: Machine) -> None:
    cloud = both.cloud
    assert record_name(cloud, "demo", None) == "demo"
    assert record_name(cloud, "demo", "CCGPU-DEMO") == "demo"
    hostile = record_name(cloud, "demo", "../x/" + "y" * 90)
    assert Path(hostile).name == hostile
    assert len(hostile) < 40
    assert record_name(cloud, "demo", "lab") == record_name(cloud, "demo", "LAB") != "demo"
    next(both.state.rglob("demo.json")).write_text("{")
    assert record_name(cloud, "demo", "lab") == "demo"
