"""What is there before a scenario: made once in each process, and copied for each trial."""

import os
import shutil
from pathlib import Path

from ccgpu.fakearm import FakeArm, Request
from faults.sweep import scenarios
from faults.sweep.judge import created
from faults.sweep.local import Frail
from faults.sweep.scenarios import Scenario

# By scenario and folder: the world and the state folder, and what in the world is somebody else's.
_MADE: dict[tuple[str, Path], tuple[Path, dict[str, str]]] = {}


def prepared(scenario: Scenario, folder: Path) -> tuple[Frail, dict[str, str]]:
    """A machine of this trial alone, where what comes before the fault has been done."""
    kept = (scenario.name, folder.parent)
    if kept not in _MADE:
        _MADE[kept] = _before(scenario, folder.parent / f"before-{scenario.name}-{os.getpid()}")
    made, strangers = _MADE[kept]
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, folder)
    return Frail(FakeArm(folder / "world"), folder / "state"), dict(strangers)


def _before(scenario: Scenario, folder: Path) -> tuple[Path, dict[str, str]]:
    folder.mkdir(parents=True)
    arm = FakeArm(folder / "world")
    machine = Frail(arm, folder / "state")
    scenarios.strangers(machine)
    strangers = created(arm)
    if scenario.guests:
        settle_in = scenarios.guests(machine)

        def committed(request: Request, answer: object) -> None:
            before = created(arm)
            settle_in(request, answer)
            strangers.update({k: v for k, v in created(arm).items() if k not in before})

        arm.on_commit = committed
    for act in scenario.before:
        act(machine)
    if scenario.elements:
        for path, body in scenarios.ELEMENTS.items():
            machine.put(path, "2026-03-01", body)
    arm.close()
    return folder, strangers
