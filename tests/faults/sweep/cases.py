"""One case: a scenario, the number of a request, a kind of fault, once or for ever.

Its id says all of it (`create:17:reset-committed:once`), so that one line runs it again.
"""

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ccgpu.fakearm import Answer, FakeArm, Request
from support import processes
from support.cloud import Machine
from sweep import scenarios
from sweep.judge import Witness, created
from sweep.kinds import KINDS, At, Kind, alike
from sweep.scenarios import SCENARIOS, Scenario

KILL = "kill"
OTHER = "other-machine"


@dataclass(frozen=True, slots=True)
class Case:
    """What goes wrong when."""

    scenario: str
    number: int
    kind: str
    forever: bool

    @property
    def id(self) -> str:
        """`scenario:number:kind:once|ever`."""
        return f"{self.scenario}:{self.number}:{self.kind}:{'ever' if self.forever else 'once'}"

    @classmethod
    def parse(cls, text: str) -> "Case":
        """The case with this id."""
        scenario, number, kind, times = text.split(":")
        return cls(scenario, int(number), kind, times == "ever")


@dataclass(frozen=True, slots=True)
class Result:
    """How a case ended: what was wrong, counted by what must hold."""

    case: Case
    wrong: tuple[str, ...]
    counts: dict[str, int]


def all_cases(folder: Path) -> Iterator[Case]:
    """Each request of each fault-free run, with each kind that can befall it, once and for ever.

    Of the requests that are alike (polls of one operation) the first two stand for all.
    """
    for name, scenario in SCENARIOS.items():
        for number, request in _worth_it(scenario, recorded(scenario, folder / name)):
            if name == "create":
                yield Case(name, number, OTHER, forever=False)
            for kind in KINDS.values():
                if kind.applies(request):
                    yield Case(name, number, kind.name, forever=False)
                    if not kind.once:
                        yield Case(name, number, kind.name, forever=True)


def _worth_it(scenario: Scenario, requests: list[Request]) -> Iterator[tuple[int, Request]]:
    """The requests with their numbers, without the third and later of those that are alike."""
    seen: Counter[tuple[str, str]] = Counter()
    for number, request in enumerate(requests):
        if request.method == scenario.until:
            return
        seen[alike(request)] += 1
        if seen[alike(request)] <= 2:
            yield number, request


def kill_cases(folder: Path) -> Iterator[Case]:
    """SIGKILL before each request, after it was carried out, and around each journal step."""
    for name, scenario in SCENARIOS.items():
        machine, _ = _prepared(scenario, folder / f"kill-{name}")
        machine.arm.close()
        world, state = folder / f"kill-{name}" / "world", folder / f"kill-{name}" / "state"
        for step in range(processes.steps_of(scenario.act, world, state)):
            yield Case(name, step, KILL, forever=True)


def recorded(scenario: Scenario, folder: Path) -> list[Request]:
    """The requests of the scenario when nothing goes wrong."""
    machine, _ = _prepared(scenario, folder)
    seen: list[Request] = []
    machine.arm.faults.append(seen.append)  # type: ignore[arg-type]  # appending answers None
    scenario.act(machine)
    machine.arm.close()
    return seen


# What is there before a scenario, as each process has made it once: the world, the state folder,
# and what in it is somebody else's.
_BEFORE: dict[tuple[str, Path], tuple[Path, dict[str, str]]] = {}


def _prepared(scenario: Scenario, folder: Path) -> tuple[Machine, dict[str, str]]:
    """A machine of this case alone, where what comes before the fault has been done."""
    kept = (scenario.name, folder.parent)
    if kept not in _BEFORE:
        _BEFORE[kept] = _before(scenario, folder.parent / f"before-{scenario.name}-{os.getpid()}")
    made, strangers = _BEFORE[kept]
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, folder)
    return Machine(FakeArm(folder / "world"), folder / "state"), dict(strangers)


def _before(scenario: Scenario, folder: Path) -> tuple[Path, dict[str, str]]:
    folder.mkdir(parents=True)
    arm = FakeArm(folder / "world")
    machine = Machine(arm, folder / "state")
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
    arm.close()
    return folder, strangers


def run(case: Case, folder: Path) -> Result:
    """Run a case and everything that must be possible after it."""
    scenario = SCENARIOS[case.scenario]
    machine, strangers = _prepared(scenario, folder)
    witness = Witness(machine, strangers)
    machine.arm.on_commit = witness.committed
    if case.kind == KILL:
        _killed(case, scenario, machine, witness)
    else:
        _under_fault(case, scenario, machine, witness)
    _afterwards(case, machine, witness)
    machine.arm.close()
    return Result(case, tuple(witness.wrong), witness.counts)


def _killed(case: Case, scenario: Scenario, machine: Machine, witness: Witness) -> None:
    machine.arm.close()
    folder = machine.state.parent
    child = processes.start(scenario.act, folder / "world", machine.state, kill_at=case.number)
    if processes.end(child) != -signal.SIGKILL:
        witness.blame("unfired", case.id)
    machine.arm = FakeArm(folder / "world")
    witness.all_known()
    machine.arm.on_commit = witness.committed


def _other(machine: Machine) -> Kind:
    """Before the request goes on, another machine does the whole of the same create."""

    def effect(_: Request, go_on: Callable[[], Answer]) -> Answer:
        other = Machine(machine.arm, machine.state)
        other.state = machine.state.parent / "other"
        met, machine.arm.faults = machine.arm.faults, []
        heard, machine.arm.on_commit = machine.arm.on_commit, None
        other.create(scenarios.SPEC)
        machine.arm.faults, machine.arm.on_commit = met, heard
        return go_on()

    return Kind(OTHER, effect, lambda _: True)


def _under_fault(case: Case, scenario: Scenario, machine: Machine, witness: Witness) -> None:
    kind = _other(machine) if case.kind == OTHER else KINDS[case.kind]
    fault = At(machine.arm, case.number, kind, case.forever)
    machine.arm.faults[:] = [witness.sees, fault]
    error: BaseException | None = None
    began = machine.arm.now()
    try:
        scenario.act(machine)
    except (Exception, KeyboardInterrupt) as err:  # noqa: BLE001  # judged, whatever it is
        error = err
    machine.arm.faults[:] = [witness.sees]
    if not fault.fired:
        witness.blame("unfired", case.id)
    witness.judge(error, began, deletes="delete" in case.scenario)
    if machine.arm.slept:
        witness.blame("waited behind the scheduler", case.id)


def _afterwards(case: Case, machine: Machine, witness: Witness) -> None:
    """A create can be gone on with; a delete, twice at the most, leaves nothing."""
    going_on = [lambda: machine.create(scenarios.SPEC)] if case.scenario == "create" else []
    for step in (*going_on, machine.delete):
        try:
            step()
        except Exception as err:  # noqa: BLE001  # judged
            witness.blame("not repeatable", f"{type(err).__name__}: {err}")
    witness.nothing_left()
