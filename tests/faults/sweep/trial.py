"""Run one trial: the scenario under its faults, then what must be possible afterwards."""

import hashlib
import os
import signal
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from ccgpu.errors import TimedOut
from ccgpu.fakearm import FakeArm, Request, Response
from faults.sweep import scenarios
from faults.sweep.aftermath import what_is_left
from faults.sweep.cases import DELETES, KILL, Case, Trial, trial_id
from faults.sweep.fault_kinds import DENIED, KINDS, FaultKind, NumberedFault
from faults.sweep.interference import INTERFERENCES, Interference
from faults.sweep.invariants import InvariantChecker
from faults.sweep.local_faults import LOCAL_FAULTS, FaultyMachine, LocalFault, NumberedLocalFault
from faults.sweep.preparation import prepare
from faults.sweep.scenarios import SCENARIOS, Scenario
from support import processes
from support.cloud import Machine
from support.slow import EVERY_CASE


@dataclass(frozen=True, slots=True)
class Result:
    """The violations of a trial, and how often each invariant failed."""

    id: str
    violations: tuple[str, ...]
    counts: dict[str, int]
    repeats: int  # 1: an earlier case left the same, and was followed up


def run_trial(trial: Trial, folder: Path) -> Result:
    """Run it in its own folder."""
    scenario = SCENARIOS[trial[0].scenario]
    killed = any(case.kind == KILL for case in trial)
    machine, foreign_resources = prepare(scenario, folder, in_file=killed)
    foreign_elements = set(scenarios.FOREIGN_ELEMENTS) if scenario.foreign_elements else set()
    checker = InvariantChecker(machine, foreign_resources, foreign_elements)
    machine.arm.on_commit = checker.check_write
    if killed:
        _run_in_child(trial, scenario, machine, checker)
    else:
        _run_in_process(trial, scenario, machine, checker)
    _judge_once(scenario, machine, checker)
    machine.arm.close()
    violations = tuple(checker.violations)
    return Result(trial_id(trial), violations, checker.counts, checker.repeats)


def _run_in_process(
    trial: Trial, scenario: Scenario, machine: FaultyMachine, checker: InvariantChecker
) -> None:
    first = trial[0]
    local = (
        NumberedLocalFault(first.number, LOCAL_FAULTS[first.kind], first.forever)
        if first.kind in LOCAL_FAULTS
        else None
    )
    faults = [] if local else [_build_fault(case, machine, checker) for case in trial]
    machine.arm.faults[:] = [checker.check_token, *faults]
    error: BaseException | None = None
    began = machine.arm.now()
    try:
        with machine.failing(local) if local else nullcontext():
            scenario.act(machine)
    except (Exception, KeyboardInterrupt) as err:  # noqa: BLE001  # judged, whatever it is
        error = err
    machine.arm.faults[:] = [checker.check_token]
    if not (local or faults[0]).fired:  # the first of a pair may prevent the request of the second
        checker.report_violation("unfired", trial_id(trial))
    deletes = "delete" in scenario.name
    checker.check_outcome(error, began, deletes=deletes, reads=scenario.reads)
    if error is None and not scenario.done(machine):
        checker.report_violation("said done, and not done", trial_id(trial))
    code = 0 if error is None else getattr(error, "exit_code", 1)
    left = bool(getattr(error, "resources", ())) and not _only_denied(trial)
    expected = _expected_exit_codes(trial) | ({TimedOut.exit_code} if scenario.reads else set())
    checker.check_exit_code(code, expected, left=left)
    if machine.arm.slept:
        checker.report_violation("waited behind the scheduler", trial_id(trial))


def _expected_exit_codes(trial: Trial) -> set[int]:
    """The exit codes that its faults may cause, and 0, which the invariants check."""
    kinds: dict[str, FaultKind | LocalFault | Interference] = {
        **KINDS,
        **LOCAL_FAULTS,
        **INTERFERENCES,
    }
    ends = (
        kinds[case.kind].exit_codes
        for case in trial
        if case.forever or not kinds[case.kind].transient
    )
    return {0}.union(*ends)


def _only_denied(trial: Trial) -> bool:
    """Whether the only fault is a missing right, whose exit code outranks 7."""
    kinds = [KINDS.get(case.kind) for case in trial]
    return all(kind is not None and DENIED in (kind.name, kind.same_as) for kind in kinds)


def _run_in_child(
    trial: Trial, scenario: Scenario, machine: Machine, checker: InvariantChecker
) -> None:
    machine.arm.close()
    world = machine.state.parent / "world"
    steps = [c.number for c in trial if c.kind == KILL and c.scenario != DELETES]

    def command(there: Machine) -> object:
        there.arm.faults += [
            _build_fault(c, there, checker) for c in trial if c.number not in steps
        ]
        return scenario.act(there)

    at = steps[0] if steps else None
    child = processes.start_command(command, world, machine.state, kill_at=at, quiet=True)
    if processes.wait_for_exit(child) != -signal.SIGKILL and len(trial) == 1:
        checker.report_violation("unfired", trial_id(trial))
    machine.arm = FakeArm(world)
    checker.check_journal()
    machine.arm.on_commit = checker.check_write


def _build_fault(case: Case, machine: Machine, checker: InvariantChecker) -> NumberedFault:
    if case.kind in INTERFERENCES:
        kind = _interference_fault(INTERFERENCES[case.kind], machine, checker)
    else:
        kind = _KILL_FAULT if case.kind == KILL else KINDS[case.kind]
    if case.scenario == DELETES:
        counted = replace(kind, applies=_deletes)
        return NumberedFault(machine.arm, case.number, counted, case.forever, _deletes)
    return NumberedFault(machine.arm, case.number, kind, case.forever)


def _all(_: Request) -> bool:
    return True


def _deletes(request: Request) -> bool:
    return request.method == "DELETE"


def _commit_and_kill(_: Request, go_on: Callable[[], Response]) -> Response:
    go_on()
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


_KILL_FAULT = FaultKind(KILL, _commit_and_kill, _all)


def _interference_fault(
    other: Interference, machine: Machine, checker: InvariantChecker
) -> FaultKind:
    def effect(_: Request, go_on: Callable[[], Response]) -> Response:
        other.act(machine, checker)
        return go_on()

    return FaultKind(other.name, effect, lambda _: other.possible(machine))


# What cases left after which all was well, by process: it grows by some hundred entries.
_GOOD_ENDS: set[bytes] = set()


def _judge_once(scenario: Scenario, machine: Machine, checker: InvariantChecker) -> None:
    """Check what is possible afterwards, unless another case of the scenario left the same."""
    if EVERY_CASE:
        return _check_afterwards(scenario, machine, checker)
    left = f"{scenario.name}\n{what_is_left(machine, checker)}"
    key = hashlib.sha256(left.encode()).digest()
    if key in _GOOD_ENDS:
        checker.repeats += 1
        return None
    before = len(checker.violations)
    _check_afterwards(scenario, machine, checker)
    if len(checker.violations) == before:
        _GOOD_ENDS.add(key)
    return None


def _check_afterwards(scenario: Scenario, machine: Machine, checker: InvariantChecker) -> None:
    """A create can continue; a delete leaves nothing."""
    steps: list[Callable[[], object]] = [machine.delete]
    if "delete" not in scenario.name:
        spec = scenarios.UPDATED if scenario.name == "update" else scenarios.SPEC
        again = scenario.again or (lambda machine: machine.create(spec))
        steps.insert(0, lambda: again(machine))
    ran = checker.vm_id() if scenario.before else None
    for step in steps:
        try:
            step()
        except Exception as err:  # noqa: BLE001  # judged
            checker.report_violation("not repeatable", f"{type(err).__name__}: {err}")
        checker.check_foreign_elements()
        checker.check_same_vm(ran)
    checker.check_nothing_left()
