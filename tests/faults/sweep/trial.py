"""Run one trial: the scenario under its faults, then all that must be possible after it."""

import os
import signal
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from ccgpu.fakearm import Answer, FakeArm, Request
from faults.sweep import scenarios
from faults.sweep.cases import DELETES, KILL, Case, Trial, id_of
from faults.sweep.judge import Witness
from faults.sweep.kinds import DENIED, KINDS, At, Kind
from faults.sweep.local import LOCAL, Frail, Local, Nth
from faults.sweep.others import OTHERS, Meddling
from faults.sweep.prepared import prepared
from faults.sweep.scenarios import SCENARIOS, Scenario
from support import processes
from support.cloud import Machine


@dataclass(frozen=True, slots=True)
class Result:
    """How a trial ended: what was wrong, and how often each thing that must hold did not."""

    id: str
    wrong: tuple[str, ...]
    counts: dict[str, int]


def run(trial: Trial, folder: Path) -> Result:
    """Run it in a folder of its own."""
    scenario = SCENARIOS[trial[0].scenario]
    machine, strangers = prepared(scenario, folder)
    elements = set(scenarios.ELEMENTS) if scenario.elements else set()
    witness = Witness(machine, strangers, elements)
    machine.arm.on_commit = witness.committed
    if any(case.kind == KILL for case in trial):
        _in_a_process(trial, scenario, machine, witness)
    else:
        _here(trial, scenario, machine, witness)
    _afterwards(scenario, machine, witness)
    machine.arm.close()
    return Result(id_of(trial), tuple(witness.wrong), witness.counts)


def _here(trial: Trial, scenario: Scenario, machine: Frail, witness: Witness) -> None:
    first = trial[0]
    local = Nth(first.number, LOCAL[first.kind], first.forever) if first.kind in LOCAL else None
    met = [] if local else [_fault(case, machine, witness) for case in trial]
    machine.arm.faults[:] = [witness.sees, *met]
    error: BaseException | None = None
    began = machine.arm.now()
    try:
        with machine.failing(local) if local else nullcontext():
            scenario.act(machine)
    except (Exception, KeyboardInterrupt) as err:  # noqa: BLE001  # judged, whatever it is
        error = err
    machine.arm.faults[:] = [witness.sees]
    if not (local or met[0]).fired:  # the second of a pair may have lost its request to the first
        witness.blame("unfired", id_of(trial))
    witness.judge(error, began, deletes="delete" in scenario.name)
    if error is None and not scenario.done(machine):
        witness.blame("said done, and not done", id_of(trial))
    code = 0 if error is None else getattr(error, "exit_code", 1)
    left = bool(getattr(error, "resources", ())) and not _denied(trial)
    witness.ended(code, _codes(trial), left=left)
    if machine.arm.slept:
        witness.blame("waited behind the scheduler", id_of(trial))


def _codes(trial: Trial) -> set[int]:
    """The exit codes that its faults may end in: success too, which is judged by what there is."""
    kinds: dict[str, Kind | Local | Meddling] = {**KINDS, **LOCAL, **OTHERS}
    ends = (kinds[case.kind].codes for case in trial if case.forever or not kinds[case.kind].passes)
    return {0}.union(*ends)


def _denied(trial: Trial) -> bool:
    """Whether all that goes wrong is that a right is missing, which 7 does not outrank."""
    kinds = [KINDS.get(case.kind) for case in trial]
    return all(kind is not None and DENIED in (kind.name, kind.like) for kind in kinds)


def _in_a_process(trial: Trial, scenario: Scenario, machine: Machine, witness: Witness) -> None:
    machine.arm.close()
    world = machine.state.parent / "world"
    steps = [c.number for c in trial if c.kind == KILL and c.scenario != DELETES]

    def command(there: Machine) -> object:
        there.arm.faults += [_fault(c, there, witness) for c in trial if c.number not in steps]
        return scenario.act(there)

    at = steps[0] if steps else None
    child = processes.start(command, world, machine.state, kill_at=at, quiet=True)
    if processes.end(child) != -signal.SIGKILL and len(trial) == 1:
        witness.blame("unfired", id_of(trial))
    machine.arm = FakeArm(world)
    witness.all_known()
    machine.arm.on_commit = witness.committed


def _fault(case: Case, machine: Machine, witness: Witness) -> At:
    if case.kind in OTHERS:
        kind = _meddling(OTHERS[case.kind], machine, witness)
    else:
        kind = _KILLING if case.kind == KILL else KINDS[case.kind]
    if case.scenario == DELETES:
        counted = replace(kind, applies=_deletes)
        return At(machine.arm, case.number, counted, case.forever, _deletes)
    return At(machine.arm, case.number, kind, case.forever)


def _all(_: Request) -> bool:
    return True


def _deletes(request: Request) -> bool:
    return request.method == "DELETE"


def _kill(_: Request, go_on: Callable[[], Answer]) -> Answer:
    go_on()
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


_KILLING = Kind(KILL, _kill, _all)


def _meddling(other: Meddling, machine: Machine, witness: Witness) -> Kind:
    def effect(_: Request, go_on: Callable[[], Answer]) -> Answer:
        other.act(machine, witness)
        return go_on()

    return Kind(other.name, effect, lambda _: other.possible(machine))


def _afterwards(scenario: Scenario, machine: Machine, witness: Witness) -> None:
    """A create can be gone on with; a delete leaves nothing."""
    steps: list[Callable[[], object]] = [machine.delete]
    if "delete" not in scenario.name:
        spec = scenarios.UPDATED if scenario.name == "update" else scenarios.SPEC
        steps.insert(0, lambda: machine.create(spec))
    ran = witness.vm_id() if scenario.before else None
    for step in steps:
        try:
            step()
        except Exception as err:  # noqa: BLE001  # judged
            witness.blame("not repeatable", f"{type(err).__name__}: {err}")
        witness.elements_stay()
        witness.same_vm(ran)
    witness.nothing_left()
