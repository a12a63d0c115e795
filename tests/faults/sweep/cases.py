"""One case: a scenario, the number of a request, a kind of fault, once or for ever.

Its id says all of it (`create:17:reset-committed:once`), so that one line runs it again.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ccgpu.fakearm import FakeArm, Request
from support.cloud import Machine
from sweep import scenarios
from sweep.judge import Witness
from sweep.kinds import KINDS, At
from sweep.scenarios import SCENARIOS, Scenario


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
    """Each request of each fault-free run, with each kind that can befall it, once and for ever."""
    for name, scenario in SCENARIOS.items():
        for number, request in enumerate(_recorded(scenario, folder / name)):
            for kind in KINDS.values():
                if not kind.applies(request):
                    continue
                yield Case(name, number, kind.name, forever=False)
                if not kind.once:
                    yield Case(name, number, kind.name, forever=True)


def _recorded(scenario: Scenario, folder: Path) -> list[Request]:
    machine = Machine(FakeArm(), folder)
    scenarios.strangers(machine)
    machine.arm.on_commit = scenarios.guests(machine.arm, machine) if scenario.guests else None
    for act in scenario.before:
        act(machine)
    seen: list[Request] = []
    machine.arm.faults.append(seen.append)  # type: ignore[arg-type]  # appending answers None
    scenario.act(machine)
    return seen


def run(case: Case, folder: Path) -> Result:
    """Run a case and everything that must be possible after it."""
    shutil.rmtree(folder, ignore_errors=True)
    arm = FakeArm()
    machine = Machine(arm, folder / "state")
    witness = Witness(machine)
    scenario = SCENARIOS[case.scenario]
    scenarios.strangers(machine)
    witness.meet_strangers()
    settle_in = scenarios.guests(arm, machine) if scenario.guests else None

    def committed(request: Request, answer: object) -> None:
        if settle_in is not None:
            before = set(arm_ids(arm))
            settle_in(request, answer)
            witness.strangers |= {
                one["id"].casefold(): one["created"]
                for one in arm.show()["resources"]
                if one["id"] not in before
            }
        witness.committed(request, answer)

    arm.on_commit = committed
    for act in scenario.before:
        act(machine)
    _under_fault(case, scenario, machine, witness)
    _afterwards(case, machine, witness)
    arm.close()
    return Result(case, tuple(witness.wrong), witness.counts)


def arm_ids(arm: FakeArm) -> Iterator[str]:
    """Every id in the subscription."""
    return (one["id"] for one in arm.show()["resources"])


def _under_fault(case: Case, scenario: Scenario, machine: Machine, witness: Witness) -> None:
    fault = At(machine.arm, case.number, KINDS[case.kind], case.forever)
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
