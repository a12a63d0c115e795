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
from faults.sweep.kinds import KINDS, Kind, alike
from faults.sweep.local import LOCAL, Local, disk_steps
from faults.sweep.others import OTHERS
from faults.sweep.prepared import prepared
from faults.sweep.scenarios import SCENARIOS, Scenario
from support import faults, processes
from support.cloud import Machine

KILL = "kill"  # SIGKILL, in a process of its own
DELETES = "deletes"  # as a case's scenario: of the scenario's requests only DELETEs are counted
# Where look-alikes are all met: a create reads, writes, polls and lists as the others do.
_IN_FULL = "create"
# What meets the deletes of an undo.
_AGAINST_DELETES = (
    *("get-404", "NicReservedForAnotherVm", "InUseSubnetCannotBeDeleted"),
    *("429-plain", "http-500", "reset-committed", KILL),
)
# A create that fails at its VM deletes at the most so many resources: VM, NIC, IP, disk, network.
_MOST_DELETES = 4


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


def id_of(trial: Trial) -> str:
    """The ids of its cases, with a plus between them."""
    return "+".join(case.id for case in trial)


def parse(text: str) -> Trial:
    """The trial with this id."""
    parts = (one.split(":") for one in text.split("+"))
    return tuple(Case(s, int(number), kind, times == "ever") for s, number, kind, times in parts)


def singles(folder: Path) -> Iterator[Trial]:
    """Each request of each fault-free run, with each kind that can befall it, once and for ever.

    Of the requests that are alike (polls of one operation) the first two stand for all, and for
    ever is from the first on. A kind that is like another to our code is met in `create` alone, at
    the first: elsewhere the other stands for it.
    """
    for name, scenario in SCENARIOS.items():
        met: set[tuple[str, str]] = set()
        for number, request in _worth_it(scenario, recorded(scenario, folder / name)):
            kinds: list[Kind | Local] = [k for k in KINDS.values() if k.applies(request)]
            kinds += [k for k in LOCAL.values() if k.where != "disk"]
            yield from _met(scenario, number, kinds, again=alike(request) in met)
            met.add(alike(request))
        for number in range(_disk_steps(scenario, folder / name)):
            yield from _met(scenario, number, [LOCAL["disk-full"]])
        yield from _meddled(scenario, folder / name)


def _met(
    scenario: Scenario, number: int, kinds: Iterable[Kind | Local], *, again: bool = False
) -> Iterator[Trial]:
    """Each of the kinds there, once and for ever; `again`: at a request like one before."""
    for kind in kinds:
        if not kind.like or (scenario.name == _IN_FULL and not again):
            if not (isinstance(kind, Kind) and kind.always):
                yield (Case(scenario.name, number, kind.name),)
            if not (kind.once or again):
                yield (Case(scenario.name, number, kind.name, forever=True),)


def _meddled(scenario: Scenario, folder: Path) -> Iterator[Trial]:
    """Each thing that somebody else can do before a request, before each request where they can."""
    machine, _ = prepared(scenario, folder)
    could: list[list[str]] = []

    def look(request: Request) -> None:
        mine = [one for one in OTHERS.values() if scenario.name in one.scenarios]
        # What is being deleted takes along what came after the last look into it.
        last = request.method == "DELETE" and request.path.endswith(("/ccgpu-demo", "/demo-vnet"))
        could.append([one.name for one in mine if not last and one.possible(machine)])

    requests = _watched(scenario, machine, look)
    for number, _ in _worth_it(scenario, requests):
        yield from ((Case(scenario.name, number, name),) for name in could[number])


def _disk_steps(scenario: Scenario, folder: Path) -> int:
    machine, _ = prepared(scenario, folder)
    steps = disk_steps(scenario.act, machine)
    machine.arm.close()
    return steps


def kills(folder: Path) -> Iterator[Trial]:
    """SIGKILL before each request, after it was carried out, and around each journal step.

    A delete among guests, and one without a journal, are the same delete.
    """
    for name, scenario in SCENARIOS.items():
        if scenario.guests or scenario.until:
            continue
        machine, _ = prepared(scenario, folder / f"kill-{name}")
        machine.arm.close()
        world = machine.state.parent / "world"
        for step in range(processes.steps_of(scenario.act, world, machine.state)):
            yield (Case(name, step, KILL),)


def failed_vms(folder: Path) -> Iterator[Trial]:
    """All that can befall the VM's PUT, and with each all that can befall a delete after it."""
    requests = recorded(SCENARIOS["create"], folder / "create")
    at = next(n for n, r in enumerate(requests) if faults.of("PUT", "/virtualMachines/")(r))
    for kind in KINDS.values():
        if kind.applies(requests[at]):
            for n in range(_MOST_DELETES):
                for second in _AGAINST_DELETES:
                    first = Case("create", at, kind.name, forever=not kind.once)
                    yield first, Case(DELETES, n, second)


def seeded(folder: Path, count: int, seed: int) -> Iterator[Trial]:
    """So many pairs of faults of one scenario, the second one after the first."""
    draw = random.Random(seed)  # repeatable is what it must be
    known = [trial[0] for trial in singles(folder) if trial[0].kind in KINDS]
    by_scenario = {name: [c for c in known if c.scenario == name] for name in SCENARIOS}
    for _ in range(count):
        first = draw.choice(known)
        second = draw.choice(by_scenario[first.scenario])
        yield (first, second) if first.number <= second.number else (second, first)


def recorded(scenario: Scenario, folder: Path) -> list[Request]:
    """The requests of the scenario when nothing goes wrong."""
    machine, _ = prepared(scenario, folder)
    return _watched(scenario, machine, lambda _: None)


def _watched(
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


def _worth_it(scenario: Scenario, requests: list[Request]) -> Iterator[tuple[int, Request]]:
    """The requests with their numbers, without the third and later of those that are alike."""
    seen: Counter[tuple[str, str]] = Counter()
    begun = not scenario.since
    for number, request in enumerate(requests):
        if request.method == scenario.until:
            return
        begun = begun or request.method == scenario.since
        seen[alike(request)] += 1
        chosen = request.method in (scenario.only or (request.method,))
        if begun and chosen and seen[alike(request)] <= 2:
            yield number, request
