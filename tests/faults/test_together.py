"""Concurrent creates of one name, on one machine and on two, make one VM and both succeed."""

from pathlib import Path

import pytest

from ccgpu.fakearm import FakeArm, Request
from support import processes
from support.cloud import DEPLOYMENT_KINDS, Machine
from support.slow import mostly_slow


def create(machine: Machine) -> object:
    return machine.create()


def delete(machine: Machine) -> object:
    return machine.delete()


@pytest.mark.parametrize(
    "states", mostly_slow([("one", "one"), ("one", "other")], 2), ids=["folder", "folders"]
)
@pytest.mark.parametrize("_attempt", mostly_slow(range(5), 5))
def test_concurrent_creates_make_one_vm(
    tmp_path: Path, states: tuple[str, str], _attempt: int
) -> None:
    world = tmp_path / "world"
    FakeArm(world).close()
    children = [processes.start_command(create, world, tmp_path / state) for state in states]
    assert [processes.wait_for_exit(child) for child in children] == [0, 0]
    machine = Machine(FakeArm(world), tmp_path / "one")
    assert machine.kinds() == DEPLOYMENT_KINDS
    assert _vms_made(machine) == 1
    machine.delete()
    assert machine.ids() == set()


@pytest.mark.slow
@pytest.mark.parametrize("chunk", mostly_slow(range(8), 8, 8))
def test_a_create_on_another_machine_may_interleave_at_any_step(tmp_path: Path, chunk: int) -> None:
    at, reached = chunk, True
    while reached:
        reached = _one_inside_the_other(at, tmp_path / str(at))
        at += 8
    assert at > 24


def _one_inside_the_other(at: int, folder: Path) -> bool:
    """Run the create of machine one; before its request `at`, run the create of machine two."""
    arm = FakeArm()
    one, two = Machine(arm, folder / "one"), Machine(arm, folder / "two")
    requests = 0

    def interrupt(_: Request) -> None:
        nonlocal requests
        requests += 1
        if requests == at + 1:
            arm.faults.clear()
            two.create()

    arm.faults.append(interrupt)
    one.create()
    arm.faults.clear()
    assert one.kinds() == DEPLOYMENT_KINDS, at
    assert _vms_made(one) == 1, at
    two.delete()
    assert one.ids() == set(), at
    arm.close()
    return requests > at


@pytest.mark.slow
def test_concurrent_create_and_delete_end_complete_or_empty(tmp_path: Path) -> None:
    world = tmp_path / "world"
    first = Machine(FakeArm(world), tmp_path / "one")
    first.create()
    first.arm.close()
    children = [processes.start_command(c, world, tmp_path / "one") for c in (create, delete)]
    assert [processes.wait_for_exit(child) for child in children] == [0, 0]
    machine = Machine(FakeArm(world), tmp_path / "one")
    assert machine.kinds() in ([], DEPLOYMENT_KINDS)
    machine.delete()
    assert machine.ids() == set()


def _vms_made(machine: Machine) -> int:
    return sum(
        one["method"] == "PUT" and "/virtualMachines/" in one["path"] and one["status"] == 201
        for one in machine.arm.show()["requests"]
    )
