"""One case: a scenario, the number of a request, a kind of fault, once or for ever; or two of them.

An id says all of it (`create:17:reset-committed:once`, a pair has a plus between its two), so that
one line runs it again.
"""

import random
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

KILL = "kill"  # SIGKILL, in a process of its own
DELETES = "deletes"  # as a case's scenario: of the scenario's requests only DELETEs are counted
# Where look-alikes are all met: a create reads, writes, polls and lists as the others do.
_FULL_SCENARIO = "create"
# What meets the deletes of an undo.
_DELETE_FAULTS = (
    *("get-404", "NicReservedForAnotherVm", "InUseSubnetCannotBeDeleted"),
    *("429-plain", "http-500", "reset-committed", KILL),
)
# A create that fails at its VM deletes at the most so many resources: VM, NIC, IP, disk, network.
_MAX_DELETES = 4


@dataclass(frozen=True, slots=True)
class Case:
    """What goes wrong when."""

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
    """The ids of its cases, with a plus between them."""
    return "+".join(case.id for case in trial)


def parse_trial(text: str) -> Trial:
    """The trial with this id."""
    parts = (one.split(":") for one in text.split("+"))
    return tuple(Case(s, int(number), kind, times == "ever") for s, number, kind, times in parts)


def single_faults(folder: Path) -> Iterator[Trial]:
    """Each request of each fault-free run, with each kind that can befall it, once and for ever.

    Of the requests that are alike (polls of one operation) the first two stand for all, and for
    ever is from the first on. A kind that is like another to our code is met in `create` alone, at
    the first: elsewhere the other stands for it.
    """
    for name, scenario in SCENARIOS.items():
        met: set[tuple[str, str]] = set()
        for number, request in _select_requests(scenario, record_requests(scenario, folder / name)):
            kinds: list[FaultKind | LocalFault] = [k for k in KINDS.values() if k.applies(request)]
            kinds += [k for k in LOCAL_FAULTS.values() if k.where != "disk"]
            yield from _cases_at(scenario, number, kinds, again=request_key(request) in met)
            met.add(request_key(request))
        for number in range(_count_disk_steps(scenario, folder / name)):
            yield from _cases_at(scenario, number, [LOCAL_FAULTS["disk-full"]])
        yield from _interference_cases(scenario, folder / name)


def _cases_at(
    scenario: Scenario, number: int, kinds: Iterable[FaultKind | LocalFault], *, again: bool = False
) -> Iterator[Trial]:
    """Each of the kinds there, once and for ever; `again`: at a request like one before."""
    for kind in kinds:
        if not kind.same_as or (scenario.name == _FULL_SCENARIO and not again):
            if not (isinstance(kind, FaultKind) and kind.forever_only):
                yield (Case(scenario.name, number, kind.name),)
            if not (kind.once_only or again):
                yield (Case(scenario.name, number, kind.name, forever=True),)


def _interference_cases(scenario: Scenario, folder: Path) -> Iterator[Trial]:
    """Each thing that somebody else can do before a request, before each request where they can."""
    machine, _ = prepare(scenario, folder)
    could: list[list[str]] = []

    def look(request: Request) -> None:
        mine = [one for one in INTERFERENCES.values() if scenario.name in one.scenarios]
        # What is being deleted takes along what came after the last look into it.
        last = request.method == "DELETE" and request.path.endswith(("/ccgpu-demo", "/demo-vnet"))
        could.append([one.name for one in mine if not last and one.possible(machine)])

    requests = _watch_requests(scenario, machine, look)
    for number, _ in _select_requests(scenario, requests):
        yield from ((Case(scenario.name, number, name),) for name in could[number])


def _count_disk_steps(scenario: Scenario, folder: Path) -> int:
    machine, _ = prepare(scenario, folder)
    steps = count_disk_steps(scenario.act, machine)
    machine.arm.close()
    return steps


def kill_cases(folder: Path) -> Iterator[Trial]:
    """SIGKILL before each request, after it was carried out, and around each journal step.

    A delete among guests, and one without a journal, are the same delete.
    """
    for name, scenario in SCENARIOS.items():
        if scenario.foreign_in_group or scenario.stop_at:
            continue
        machine, _ = prepare(scenario, folder / f"kill-{name}")
        machine.arm.close()
        world = machine.state.parent / "world"
        for step in range(processes.count_steps(scenario.act, world, machine.state)):
            yield (Case(name, step, KILL),)


def failed_vm_pairs(folder: Path) -> Iterator[Trial]:
    """All that can befall the VM's PUT, and with each all that can befall a delete after it."""
    requests = record_requests(SCENARIOS["create"], folder / "create")
    at = next(n for n, r in enumerate(requests) if faults.request_to("PUT", "/virtualMachines/")(r))
    for kind in KINDS.values():
        if kind.applies(requests[at]):
            for n in range(_MAX_DELETES):
                for second in _DELETE_FAULTS:
                    first = Case("create", at, kind.name, forever=not kind.once_only)
                    yield first, Case(DELETES, n, second)


def random_pairs(folder: Path, count: int, seed: int) -> Iterator[Trial]:
    """So many pairs of faults of one scenario, the second one after the first."""
    draw = random.Random(seed)  # repeatable is what it must be
    known = [trial[0] for trial in single_faults(folder) if trial[0].kind in KINDS]
    by_scenario = {name: [c for c in known if c.scenario == name] for name in SCENARIOS}
    for _ in range(count):
        first = draw.choice(known)
        second = draw.choice(by_scenario[first.scenario])
        yield (first, second) if first.number <= second.number else (second, first)


def record_requests(scenario: Scenario, folder: Path) -> list[Request]:
    """The requests of the scenario when nothing goes wrong."""
    machine, _ = prepare(scenario, folder)
    return _watch_requests(scenario, machine, lambda _: None)


def _watch_requests(
    scenario: Scenario, machine: Machine, look: Callable[[Request], None]
) -> list[Request]:
    seen: list[Request] = []

    def see(request: Request) -> None:
        seen.append(request)
        look(request)

    machine.arm.faults.append(see)
    scenario.act(machine)
    machine.arm.close()
    return seen


def _select_requests(scenario: Scenario, requests: list[Request]) -> Iterator[tuple[int, Request]]:
    """The requests with their numbers, without the third and later of those that are alike."""
    seen: Counter[tuple[str, str]] = Counter()
    begun = not scenario.start_at
    for number, request in enumerate(requests):
        if request.method == scenario.stop_at:
            return
        begun = begun or request.method == scenario.start_at
        seen[request_key(request)] += 1
        chosen = request.method in (scenario.methods or (request.method,))
        if begun and chosen and seen[request_key(request)] <= 2:
            yield number, request
