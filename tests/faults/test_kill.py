"""SIGKILL at any step of a create: the next create completes it, a delete removes all of it."""

import shutil
from pathlib import Path

import pytest

from ccgpu.fakearm import FakeArm
from support import processes
from support.cloud import DEPLOYMENT_KINDS, Machine, make_spec
from support.measured_deployments import MANIFEST, SHA256, VERSION, gallery
from support.slow import mostly_slow

CHUNKS = 32


def create(machine: Machine) -> object:
    return machine.create()


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> int:
    folder = tmp_path_factory.mktemp("fault-free")
    return processes.count_steps(create, folder / "world", folder / "state")


@pytest.mark.slow
def test_create_has_enough_steps_to_kill_at(steps: int) -> None:
    assert steps >= 100


# Few of them: the sweep kills this create, and every other command, at each step.
@pytest.mark.parametrize("chunk", mostly_slow(range(CHUNKS), CHUNKS, 16))
def test_the_next_create_completes_a_killed_one(tmp_path: Path, steps: int, chunk: int) -> None:
    for at in range(chunk, steps, CHUNKS):
        _kill_at(at, tmp_path / str(at))


def _kill_at(at: int, folder: Path) -> None:
    world, state = folder / "world", folder / "state"
    folder.mkdir()
    child = processes.start_command(create, world, state, kill_at=at)
    assert processes.wait_for_exit(child) == -9, f"step {at} was not reached"
    machine = Machine(FakeArm(world), state)
    before = _identities(machine)
    machine.create()
    after = _identities(machine)
    assert machine.kinds() == DEPLOYMENT_KINDS, f"killed at step {at}"
    assert before.items() <= after.items(), f"killed at step {at}: made anew"
    machine.delete()
    assert machine.ids() == set(), f"killed at step {at}"
    machine.arm.close()
    shutil.rmtree(folder)


def _identities(machine: Machine) -> dict[str, str]:
    """Each resource id with its creation time: a recreated resource is not the same one."""
    return {one["id"]: one["created"] for one in machine.arm.show()["resources"]}


def _create_measured(machine: Machine) -> object:
    file = machine.state.parent / "image.json"
    return machine.create(make_spec(image=f"measured:{file}@{VERSION}"))


def _with_gallery(folder: Path) -> tuple[Path, Path]:
    """A subscription whose gallery has the image, and a state folder beside its manifest."""
    folder.mkdir()
    (folder / "image.json").write_bytes(MANIFEST)
    arm = FakeArm(folder / "world")
    assert not arm.add(gallery()).problems
    arm.close()
    return folder / "world", folder / "state"


@pytest.mark.parametrize("chunk", mostly_slow(range(CHUNKS), CHUNKS, 16))
def test_a_vm_of_a_measured_image_is_never_held_to_less(tmp_path: Path, chunk: int) -> None:
    steps = processes.count_steps(_create_measured, *_with_gallery(tmp_path / "fault-free"))
    for at in range(chunk, steps, CHUNKS):
        world, state = _with_gallery(tmp_path / str(at))
        child = processes.start_command(_create_measured, world, state, kill_at=at)
        assert processes.wait_for_exit(child) == -9, f"step {at} was not reached"
        machine = Machine(FakeArm(world), state)
        records = [one.read_text() for one in state.glob("journals/*/demo.image")]
        if "virtualMachines" in machine.kinds():
            assert [SHA256 in one for one in records] == [True], f"killed at step {at}"
        _create_measured(machine)
        assert len(list(state.glob("journals/*/demo.image"))) == 1
        machine.delete()
        assert {one.suffix for one in state.glob("journals/*/demo.*")} == {".lock"}
        machine.arm.close()
