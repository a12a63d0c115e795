"""A missing, damaged, full or read-only journal: recovery or a clear error, never a blind PUT."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ccgpu.errors import CcgpuError, StateUnusable
from ccgpu.fakearm import FakeArm
from ccgpu.workflows.lifecycle import change_power_state
from support import faults
from support.cloud import DEPLOYMENT_KINDS, Machine, make_spec
from support.disks import fill, mount, unmount
from support.faults import NthRequest, request_to
from support.leases import HOUR, collect


def journal(machine: Machine) -> Path:
    (found,) = machine.state.rglob("demo.json")
    return found


@pytest.mark.slow
def test_create_and_delete_work_without_the_journal(machine: Machine) -> None:
    machine.create()
    shutil.rmtree(machine.state)
    before = machine.writes()
    machine.create()
    assert machine.writes() == before
    shutil.rmtree(machine.state)
    machine.delete()
    assert machine.kinds() == []


@pytest.mark.slow
def test_an_unfinished_create_is_completed_or_deleted_without_its_journal(machine: Machine) -> None:
    machine.arm.on_commit = faults.AfterCommit(2, faults.is_put, KeyboardInterrupt())
    with pytest.raises(CcgpuError):
        machine.create()
    machine.arm.on_commit = None
    shutil.rmtree(machine.state)
    machine.create()
    assert machine.kinds() == DEPLOYMENT_KINDS
    machine.delete()
    assert machine.kinds() == []


def test_an_unusable_state_folder_is_reported_by_delete(machine: Machine) -> None:
    machine.create()
    there = {one.casefold() for one in machine.ids()}
    nowhere = machine.state.parent / "file"
    nowhere.touch()
    with pytest.raises(StateUnusable) as caught:
        Machine(machine.arm, nowhere).delete()
    assert {(one.id.casefold(), one.state) for one in caught.value.resources} == {
        (one, "exists") for one in there
    }


@pytest.mark.parametrize("text", ["", "{", '{"schema": "ccgpu.journal/9"}'])
def test_a_damaged_journal_is_refused_before_the_first_write(machine: Machine, text: str) -> None:
    machine.create()
    before = machine.writes()
    journal(machine).write_text(text)
    for command in (machine.create, machine.delete):
        with pytest.raises(StateUnusable, match="damaged") as caught:
            command()
        assert caught.value.exit_code == 4
    assert machine.writes() == before
    journal(machine).unlink()
    machine.delete()
    assert machine.kinds() == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A state folder with room for 64 KB."""
    folder = tmp_path / "small"
    mount("tmpfs", folder, "size=64k")
    yield folder
    unmount(folder)


def test_create_sends_no_put_when_the_state_folder_is_full(small: Path) -> None:
    machine = Machine(FakeArm(), small)
    fill(small)
    with pytest.raises(StateUnusable, match="No space left"):
        machine.create()
    assert machine.writes() == []


def test_create_rolls_back_when_the_state_folder_fills_up(small: Path) -> None:
    machine = Machine(FakeArm(), small)
    full = NthRequest(
        0, request_to("PUT", "/networkSecurityGroups/"), faults.error(400, "Never"), times=0
    )
    machine.arm.faults.append(lambda r: fill(small) if full.kind(r) else None)
    with pytest.raises(CcgpuError) as caught:
        machine.create()
    assert "virtualMachines" not in machine.kinds()
    told = {one.id for one in caught.value.resources}
    assert machine.ids() <= told
    (small / "ballast").unlink()
    machine.arm.faults.clear()
    machine.delete()
    assert machine.kinds() == []


def _read_only(small: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)


def _read_only_and_empty(small: Path) -> None:
    shutil.rmtree(small / "state")
    _read_only(small)


def _collect(machine: Machine) -> None:
    assert [one.action for one in collect(machine).found] == ["removed"]


@pytest.mark.parametrize(
    ("break_disk", "command"),
    [
        (_read_only, _collect),
        (_read_only_and_empty, _collect),
        (fill, _collect),
        (_read_only, Machine.delete),
        (fill, Machine.delete),
    ],
)
def test_what_bills_is_deleted_although_it_cannot_be_recorded(
    small: Path, break_disk: Callable[[Path], None], command: Callable[[Machine], object]
) -> None:
    machine = Machine(FakeArm(), small / "state")
    machine.create(make_spec(ttl="1h"))
    machine.arm.advance(2 * HOUR)
    break_disk(small)
    command(machine)
    assert machine.kinds() == []
    notes = [event.text for event in machine.events if "is not recorded here" in event.text]
    assert len(notes) == 1
    subprocess.run(["mount", "-o", "remount,rw", str(small)], check=True)
    (small / "ballast").unlink(missing_ok=True)
    machine.delete()
    assert not list(machine.state.rglob("demo.json"))


def test_gc_deletes_although_there_can_be_no_state_folder(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    machine.arm.advance(2 * HOUR)
    nowhere = machine.state.parent / "file"
    nowhere.touch()
    _collect(Machine(machine.arm, nowhere))
    assert machine.kinds() == []


def test_a_stop_goes_on_although_the_verdict_stays_recorded_and_a_start_does_not(
    small: Path,
) -> None:
    machine = Machine(FakeArm(), small / "state")
    machine.create()
    machine.arm.advance(60)
    verdict = machine.cloud.journals.folder / machine.arm.subscription / "demo.attestation"
    verdict.touch()
    _read_only(small)
    change_power_state(machine.cloud, "stop", "demo", listen=machine.events.append)
    assert machine.writes()[-1][1].endswith("/deallocate")
    assert any("is stopped all the same" in event.text for event in machine.events)
    before = machine.writes()
    with pytest.raises(StateUnusable, match="the last verdict"):
        change_power_state(machine.cloud, "start", "demo")
    assert machine.writes() == before


@pytest.mark.slow
def test_delete_keeps_foreign_resources_named_in_the_journal(machine: Machine) -> None:
    """The journal lists ids to read; only the tags at Azure decide who owns a resource."""
    path = "/resourceGroups/theirs/providers/Microsoft.Network/networkSecurityGroups/theirs"
    machine.put("/resourceGroups/theirs", "2025-04-01", {"location": "eastus2"})
    machine.put(path, "2026-03-01", {"location": "eastus2", "tags": {"owner": "somebody"}})
    machine.create()
    file = journal(machine)
    nsg = f"/subscriptions/{machine.arm.subscription}{path}"
    text = file.read_text().replace(
        next(one for one in machine.ids() if one.endswith("/demo-nsg")), nsg
    )
    file.write_text(text)
    os.sync()
    machine.delete()
    assert machine.kinds() == ["networkSecurityGroups", "resourceGroups"]
