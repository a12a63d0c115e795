"""SIGKILL at any step of a create that attests: no VM counts before, and the next one attests."""

import shutil
from pathlib import Path

import pytest

from ccgpu.domain.access import Access
from ccgpu.fakearm import FakeArm
from ccgpu.fakeguest import guests
from ccgpu.store import policies
from ccgpu.store.challenges import Challenges
from ccgpu.store.keys import Keys
from ccgpu.workflows.attest import AttestMeans
from ccgpu.workflows.create.context import CreateOutcome
from ccgpu.workflows.guest_access import GuestOptions, WantedGuest, opened_guest
from ccgpu.workflows.show import show
from support import processes
from support.attesting import SET_UP
from support.cloud import Machine, make_backend, vendors
from support.slow import mostly_slow

CHUNKS = 16


def _attest(machine: Machine) -> CreateOutcome:
    """`ccgpu create` of a VM that is set up: only its last stage has something to do."""
    backend = make_backend(machine.arm, machine.state)
    loaded = policies.load_with_origin()
    challenges = Challenges(machine.state / "challenges")
    means = AttestMeans(backend.fetcher, challenges, *loaded, roots=backend.roots)
    guest = GuestOptions(backend.channels, Access(), _keys(machine))
    return machine.create(guest=guest, attest=means)


def _keys(machine: Machine) -> Keys:
    return Keys(machine.state, "demo", machine.state)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a machine whose VM is set up and not attested."""
    vendors()  # their keys are those of all the processes
    folder = tmp_path_factory.mktemp("prepared")
    machine = Machine(FakeArm(folder / "world"), folder / "state")
    guests.inhabit(machine.arm)
    machine.create()
    machine.arm.advance(SET_UP)
    machine.arm.close()
    return folder


@pytest.fixture(scope="module")
def steps(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    folder = tmp_path_factory.mktemp("fault-free") / "copy"
    shutil.copytree(prepared, folder)
    return processes.count_steps(_attest, folder / "world", folder / "state")


@pytest.mark.slow
def test_the_stage_has_enough_steps_to_kill_at(steps: int) -> None:
    assert steps >= 30


@pytest.mark.slow
@pytest.mark.parametrize("chunk", mostly_slow(range(CHUNKS), CHUNKS, 8))
def test_the_next_create_attests_after_a_killed_one(
    prepared: Path, tmp_path: Path, steps: int, chunk: int
) -> None:
    for at in range(steps - 1 - chunk, -1, -CHUNKS):  # from the end, where records are written
        _kill_at(at, prepared, tmp_path / str(at))


def _kill_at(at: int, prepared: Path, folder: Path) -> None:
    shutil.copytree(prepared, folder)
    world, state = folder / "world", folder / "state"
    child = processes.start_command(_attest, world, state, kill_at=at)
    assert processes.wait_for_exit(child) == -9, f"step {at} was not reached"
    machine = Machine(FakeArm(world), state)
    before = show(machine.cloud, "demo").shown_state
    assert before == "ready" or (before == "attested" and _is_ready(machine)), f"step {at}"
    assert _attest(machine).problem is None, f"killed at step {at}"
    shown = show(machine.cloud, "demo")
    assert (shown.shown_state, shown.stage) == ("attested", None), f"killed at step {at}"
    assert _is_ready(machine)
    machine.arm.close()
    shutil.rmtree(folder)


def _is_ready(machine: Machine) -> bool:
    """Whether the GPU is ready, as the VM's driver says."""
    wanted = WantedGuest("demo", None, Access(), _keys(machine))
    channels = make_backend(machine.arm, machine.state).channels
    with opened_guest(machine.cloud, channels, wanted) as channel:
        done = channel.run(["nvidia-smi", "conf-compute", "-grs"], timeout=60)
    return done.stdout.decode().strip().endswith("state: ready")
