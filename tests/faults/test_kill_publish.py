"""SIGKILL at any step of `image publish`: the same command ends it, and gc removes what is left."""

import shutil
from functools import cache
from pathlib import Path

import pytest

from ccgpu.fakearm import FakeArm
from ccgpu.workflows import gc as collecting
from support import processes
from support.built_folders import (
    STAYS,
    VERSION,
    BuiltFolder,
    build_folder,
    publish,
    upload_disks,
    version_bytes,
)
from support.cloud import Machine
from support.slow import mostly_slow

CHUNKS = 60


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltFolder:
    return build_folder(tmp_path_factory.mktemp("image") / "built")


@cache
def count(built: BuiltFolder, folder: Path) -> int:
    return processes.count_steps(
        lambda machine: publish(machine, built), folder / "w", folder / "s"
    )


@pytest.fixture(scope="module")
def steps(built: BuiltFolder, tmp_path_factory: pytest.TempPathFactory) -> int:
    return count(built, tmp_path_factory.mktemp("fault-free"))


@pytest.mark.slow
def test_publish_has_enough_steps_to_kill_at(steps: int) -> None:
    assert steps >= 100


@pytest.mark.parametrize("chunk", mostly_slow(range(CHUNKS), CHUNKS, 30))
def test_the_same_command_ends_a_killed_one(
    tmp_path: Path, built: BuiltFolder, steps: int, chunk: int
) -> None:
    for at in range(chunk, steps, CHUNKS):
        machine = killed_at(at, tmp_path / str(at), built)
        before = versions(machine)
        publish(machine, built)
        assert machine.kinds() == STAYS, f"killed at step {at}"
        assert before.items() <= versions(machine).items(), f"killed at step {at}: made anew"
        assert version_bytes(machine.arm) == built.vhd
        done(machine)


@pytest.mark.parametrize("chunk", mostly_slow(range(CHUNKS), CHUNKS, 30))
def test_gc_removes_what_a_killed_one_left(
    tmp_path: Path, built: BuiltFolder, steps: int, chunk: int
) -> None:
    for at in range(chunk, steps, CHUNKS):
        machine = killed_at(at, tmp_path / str(at), built)
        machine.arm.advance(6 * 3600)
        before = versions(machine)
        collecting.collect(machine.cloud, yes=True)
        assert upload_disks(machine) == [], f"killed at step {at}"
        assert versions(machine) == before, f"killed at step {at}: a good version is gone"
        assert set(machine.kinds()) <= set(STAYS)
        done(machine)


def killed_at(at: int, folder: Path, built: BuiltFolder) -> Machine:
    """The machine after a command that was killed at this step."""
    folder.mkdir()
    world, state = folder / "world", folder / "state"
    child = processes.start_command(
        lambda machine: publish(machine, built), world, state, kill_at=at
    )
    assert processes.wait_for_exit(child) == -9, f"step {at} was not reached"
    return Machine(FakeArm(world), state)


def versions(machine: Machine) -> dict[str, str]:
    """The versions that are there, with the times of their creation."""
    shown = machine.arm.show()["resources"]
    return {one["id"]: one["created"] for one in shown if one["id"].endswith(VERSION)}


def done(machine: Machine) -> None:
    """Remove the machine."""
    machine.arm.close()
    shutil.rmtree(machine.state.parent)
