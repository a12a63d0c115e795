"""Looks between polls find the end of an operation early, and never decide what came of it."""

from collections.abc import Callable
from operator import attrgetter

import pytest

from ccgpu.errors import CapacityUnavailable
from ccgpu.fakearm import Request, Response
from support import faults
from support.cloud import NO_ROOM, Machine, make_spec
from support.faults import request_to
from support.slow import mostly_slow

_TOOK = 75.0  # seconds: Azure is polled after 70 and, without looks, after 100
_VM_READ = request_to("GET", "/virtualMachines/")
_PUT, _DELETE = (request_to(method, "/virtualMachines/") for method in ("PUT", "DELETE"))


@pytest.fixture
def slow(machine: Machine) -> Machine:
    """A machine whose VM takes `_TOOK` to create, to fail or to delete."""
    for action in ("vm.create.encrypted", "vm.fail", "vm.delete"):
        machine.arm.settings.set("durations", action, value=_TOOK)
    return machine


def _is_vm_poll(request: Request) -> bool:
    return faults.is_poll(request) and "Microsoft.Compute" in request.path


def _times(machine: Machine, kind: Callable[[Request], bool]) -> list[float]:
    """When each request of this kind is sent, from now on."""
    times: list[float] = []

    def note(request: Request) -> None:
        if kind(request):
            times.append(machine.arm.clock.now())

    machine.arm.faults.append(note)
    return times


def _answer_reads_of_vm(machine: Machine, begin: list[float], answer: Response) -> None:
    """Each read of the VM gets `answer` while it is created or deleted."""

    def stale(request: Request) -> Response | None:
        moving = begin and machine.arm.clock.now() < begin[0] + _TOOK
        return answer if moving and _VM_READ(request) else None

    machine.arm.faults.append(stale)


@pytest.mark.parametrize(("act", "request_sent"), [("create", _PUT), ("delete", _DELETE)])
def test_the_end_of_an_operation_is_seen_within_ten_seconds(act, request_sent, slow):
    if act == "delete":
        slow.create()
    begin, polls = _times(slow, request_sent), _times(slow, _is_vm_poll)
    attrgetter(act)(slow)()
    assert _TOOK <= polls[-1] - begin[0] <= _TOOK + 10


def test_a_failure_that_a_look_shows_has_the_cause_that_the_operation_names(slow):
    slow.arm.settings.set("capacity", make_spec().size, value={"eastus2": NO_ROOM})
    begin, polls = _times(slow, _PUT), _times(slow, _is_vm_poll)
    with pytest.raises(CapacityUnavailable, match="AllocationFailed"):
        slow.create()
    assert _TOOK <= min(at for at in polls if at >= begin[0] + _TOOK) - begin[0] <= _TOOK + 10


_WRONG = [
    Response(200, {"id": "/x", "properties": {"provisioningState": "Succeeded"}}),
    faults.NOT_FOUND,
    faults.THROTTLED,
    faults.FORBIDDEN,
]


@pytest.mark.parametrize(
    ("answer", "act", "request_sent"),
    mostly_slow(
        [
            pytest.param(answer, act, sent, id=f"{act}-{answer.status}")
            for act, sent in (("create", _PUT), ("delete", _DELETE))
            for answer in _WRONG
        ],
        5,
    ),
)
def test_looks_that_are_wrong_or_fail_change_nothing_but_one_poll(answer, act, request_sent, slow):
    if act == "delete":
        slow.create()
    begin, polls = _times(slow, request_sent), _times(slow, _is_vm_poll)
    _answer_reads_of_vm(slow, begin, answer)
    attrgetter(act)(slow)()
    early = [at for at in polls if at < begin[0] + _TOOK]
    assert (len(early), polls[-1] >= begin[0] + _TOOK) in {(2, True), (3, True)}
    assert bool(slow.kinds()) is (act == "create")


def test_looks_leave_half_of_the_reads_that_azure_allows_for_a_vm(slow):
    slow.arm.settings.set("buckets", value=True)
    reads = _times(slow, _VM_READ)
    slow.create()
    slow.delete()
    assert all(sum(at <= one < at + 60 for one in reads) <= 12 for at in reads)
    assert not [one for one in slow.arm.show()["requests"] if one["status"] == 429]
