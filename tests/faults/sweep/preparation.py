"""The state before a scenario: created once in each process, and copied for each trial."""

import os
import shutil
from functools import cache
from pathlib import Path

from ccgpu.fakearm import FakeArm, Request
from faults.sweep import scenarios
from faults.sweep.invariants import creation_times
from faults.sweep.local_faults import FaultyMachine
from faults.sweep.scenarios import Scenario
from support.first_creates import copy_subscription

# By scenario and folder: the folder with world and state, and the foreign resources.
_PREPARED: dict[tuple[str, Path], tuple[Path, dict[str, str]]] = {}


def prepare(
    scenario: Scenario, folder: Path, *, in_file: bool
) -> tuple[FaultyMachine, dict[str, str]]:
    """A machine of this trial alone, in the scenario's initial state.

    in_file: whether another process will open the subscription: it is in the file `world`, rather
    than in memory.
    """
    kept = (scenario.name, folder.parent)
    if kept not in _PREPARED:
        _PREPARED[kept] = _run_setup(
            scenario, folder.parent / f"before-{scenario.name}-{os.getpid()}"
        )
    made, foreign_resources = _PREPARED[kept]
    shutil.rmtree(folder, ignore_errors=True)
    if in_file:
        shutil.copytree(made, folder)
        arm = FakeArm(folder / "world")
    else:
        folder.mkdir()
        if (made / "state").exists():
            shutil.copytree(made / "state", folder / "state")
        arm = FakeArm()
        copy_subscription(_opened(made / "world", os.getpid()), arm)
    return FaultyMachine(arm, folder / "state"), dict(foreign_resources)


@cache
def _opened(world: Path, _process: int) -> FakeArm:
    """The subscription, opened anew in each process: SQLite forbids to share it over a fork."""
    return FakeArm(world)


def _run_setup(scenario: Scenario, folder: Path) -> tuple[Path, dict[str, str]]:
    folder.mkdir(parents=True)
    arm = FakeArm(folder / "world")
    machine = FaultyMachine(arm, folder / "state")
    scenarios.create_foreign_resources(machine)
    if scenario.foreign is not None:
        scenario.foreign(machine)
    foreign_resources = creation_times(arm)
    if scenario.foreign_in_group:
        add_once = scenarios.create_in_our_group(machine)

        def committed(request: Request, answer: object) -> None:
            before = creation_times(arm)
            add_once(request, answer)
            foreign_resources.update(
                {k: v for k, v in creation_times(arm).items() if k not in before}
            )

        arm.on_commit = committed
    for act in scenario.before:
        act(machine)
    if scenario.foreign_elements:
        for path, body in scenarios.FOREIGN_ELEMENTS.items():
            machine.put(path, "2026-03-01", body)
    arm.close()
    return folder, foreign_resources
