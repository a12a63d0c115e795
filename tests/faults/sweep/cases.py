"""Cases: a scenario, a request number, a kind of fault, once or permanently; or a pair of these.

An id names a case completely (`create:17:reset-committed:once`, pairs joined with a plus), so that
one command runs it again.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ccgpu.fakearm import Request
from faults.sweep.fault_kinds import KINDS, FaultKind, request_key
from faults.sweep.interference import INTERFERENCES
from faults.sweep.local_faults import LOCAL_FAULTS, LocalFault, count_disk_steps
from faults.sweep.preparation import prepare
from faults.sweep.scenarios import SCENARIOS, Scenario
from support import faults, processes
from support.cloud import Machine

KILL = "kill"  # SIGKILL, in a child process
DELETES = "deletes"  # as a case's scenario: numbers count only DELETE requests
# The scenario in which all kinds are tested: it has every sort of request.
_FULL_SCENARIO = "create"
# The faults for the deletes of a rollback.
_DELETE_FAULTS = (
    *("get-404", "NicReservedForAnotherVm", "InUseSubnetCannotBeDeleted"),
    *("429-plain", "http-500", "reset-committed", KILL),
)
# Upper bound on the deletes of a create that fails at its VM.
_MAX_DELETES = 4


@dataclass(frozen=True, slots=True)
class Case:
    """One fault at one request."""

    scenario: str
    number: int
    kind: str
    forever: bool = False

    @property
    def id(self) -> str:
        """`scenario:number:kind:once|ever`."""
        return f"{self.scenario}:{self.number}:{self.kind}:{'ever' if self.forever else 'once'}"


Trial = tuple[Case, ...]


def trial_id(trial: Trial) -> str:
    """The ids of its cases, joined with a plus."""
    return "+".join(case.id for case in trial)


def parse_trial(text: str) -> Trial:
    """The trial with this id."""
    parts = (one.split(":") for one in text.split("+"))
    return tuple(Case(s, int(number), kind, times == "ever") for s, number, kind, times in parts)


def single_faults(folder: Path) -> Iterator[Trial]:
    """Each request of each fault-free run with each kind that applies, once and permanently.

    Of equal requests, such as the polls of one operation, the first two are tested; permanent
    faults start at the first. Of the reads that await a resource only the first one is. A kind that
    our code treats like another is tested in `create` only, at the first request; elsewhere the
    other represents it.
    """
    for name, scenario in SCENARIOS.items():
        seen: set[tuple[str, str]] = set()
        for number, one in _select_requests(scenario, _record(scenario, folder / name)):
            kinds: list[FaultKind | LocalFault]
            kinds = [kind for kind in KINDS.values() if kind.applies(one.request)]
            kinds += [kind for kind in LOCAL_FAULTS.values() if kind.where != "disk"]
            kinds = [kind for kind in kinds if kind.name in (scenario.kinds or (kind.name,))]
            yield from _cases_at(scenario, number, kinds, again=one.key in seen)
            seen.add(one.key)
        for number in range(_count_disk_steps(scenario, folder / name)):
            yield from _cases_at(scenario, number, [LOCAL_FAULTS["disk-full"]])
        yield from _interference_cases(scenario, folder / name)


def _cases_at(
    scenario: Scenario, number: int, kinds: Iterable[FaultKind | LocalFault], *, again: bool = False
) -> Iterator[Trial]:
    """Each kind at this request, once and permanently. `again`: an equal request came before."""
    for kind in kinds:
        if not kind.same_as or (scenario.name == _FULL_SCENARIO and not again):
            if not (isinstance(kind, FaultKind) and kind.forever_only):
                yield (Case(scenario.name, number, kind.name),)
            if not (kind.once_only or again):
                yield (Case(scenario.name, number, kind.name, forever=True),)


def _interference_cases(scenario: Scenario, folder: Path) -> Iterator[Trial]:
    """Each interference before each request at which it is possible."""
    machine, _ = prepare(scenario, folder, in_file=False)
    possible: list[list[str]] = []

    def look(request: Request) -> None:
        mine = [one for one in INTERFERENCES.values() if scenario.name in one.scenarios]
        mine = [one for one in mine if one.name in (scenario.kinds or (one.name,))]
        # A DELETE of a group or network also deletes what was added after our last read.
        last = request.method == "DELETE" and request.path.endswith(("/ccgpu-demo", "/demo-vnet"))
        possible.append([one.name for one in mine if not last and one.possible(machine)])

    requests = _watch_requests(scenario, machine, look)
    for number, _ in _select_requests(scenario, requests):
        yield from ((Case(scenario.name, number, name),) for name in possible[number])


def _count_disk_steps(scenario: Scenario, folder: Path) -> int:
    machine, _ = prepare(scenario, folder, in_file=False)
    steps = count_disk_steps(scenario.act, machine)
    machine.arm.close()
    return steps


def kill_cases(folder: Path) -> Iterator[Trial]:
    """SIGKILL before and after each request, and around each write of the journal.

    Scenarios that delete the same resources as another one are left out, and those that differ from
    another one in a few requests (`tests/faults/test_kill.py`).
    """
    for name, scenario in SCENARIOS.items():
        if scenario.foreign_in_group or scenario.stop_at or scenario.within:
            continue
        machine, _ = prepare(scenario, folder / f"kill-{name}", in_file=True)
        machine.arm.close()
        world = machine.state.parent / "world"
        for step in range(processes.count_steps(scenario.act, world, machine.state)):
            yield (Case(name, step, KILL),)


def failed_vm_pairs(folder: Path) -> Iterator[Trial]:
    """Each fault of the VM's PUT with each fault of a delete that follows."""
    requests = record_requests(SCENARIOS["create"], folder / "create")
    at = next(n for n, r in enumerate(requests) if faults.request_to("PUT", "/virtualMachines/")(r))
    for kind in KINDS.values():
        if kind.applies(requests[at]):
            for n in range(_MAX_DELETES):
                for second in _DELETE_FAULTS:
                    first = Case("create", at, kind.name, forever=not kind.once_only)
                    yield first, Case(DELETES, n, second)


def random_pairs(folder: Path, count: int, seed: int) -> Iterator[Trial]:
    """Random pairs of faults in one scenario, the second after the first."""
    draw = random.Random(seed)  # must be repeatable
    known = [trial[0] for trial in single_faults(folder) if trial[0].kind in KINDS]
    by_scenario = {name: [c for c in known if c.scenario == name] for name in SCENARIOS}
    for _ in range(count):
        first = draw.choice(known)
        second = draw.choice(by_scenario[first.scenario])
        yield (first, second) if first.number <= second.number else (second, first)


def record_requests(scenario: Scenario, folder: Path) -> list[Request]:
    """The requests of the scenario without a fault."""
    return [one.request for one in _record(scenario, folder)]


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A request. awaits: it reads a resource again after a pause, so it awaits its state."""

    request: Request
    awaits: bool

    @property
    def key(self) -> tuple[str, str]:
        """What makes requests equal."""
        method, path = request_key(self.request)
        return (f"{method} awaited" if self.awaits else method), path


def _record(scenario: Scenario, folder: Path) -> list[_Recorded]:
    machine, _ = prepare(scenario, folder, in_file=False)
    return _watch_requests(scenario, machine, lambda _: None)


def _watch_requests(
    scenario: Scenario, machine: Machine, look: Callable[[Request], None]
) -> list[_Recorded]:
    seen: list[_Recorded] = []
    before = machine.arm.clock.now()

    def see(request: Request) -> None:
        nonlocal before
        paused, before = machine.arm.clock.now() > before, machine.arm.clock.now()
        awaits = paused and request.method == "GET" and not faults.is_poll(request)
        seen.append(_Recorded(request, awaits))
        look(request)

    machine.arm.faults.append(see)
    scenario.act(machine)
    machine.arm.close()
    return seen


def _select_requests(
    scenario: Scenario, requests: list[_Recorded]
) -> Iterator[tuple[int, _Recorded]]:
    """The requests with their numbers, without the third and later of equal ones."""
    seen: Counter[tuple[str, str]] = Counter()
    begun = not scenario.start_at
    for number, recorded in enumerate(requests):
        request = recorded.request
        if request.method == scenario.stop_at:
            return
        begun = begun or request.method == scenario.start_at
        seen[recorded.key] += 1
        chosen = request.method in (scenario.methods or (request.method,))
        chosen = chosen and bool(re.search(scenario.within, request.path.lower()))
        if begun and chosen and seen[recorded.key] <= (1 if recorded.awaits else 2):
            yield number, recorded
