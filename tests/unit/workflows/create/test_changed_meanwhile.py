"""Another client changes what a create has begun: it plans anew, or undoes what it made.

Answers with 412 stand for that client's change; what it changed besides decides the new plan.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ccgpu.errors import AlreadyExists, LeftBehind, QuotaExceeded, UsageProblem
from ccgpu.fakearm import Request, Response
from support import faults
from support.cloud import Machine, make_spec
from support.faults import NthRequest, request_to

_PUT_OF_VM = request_to("PUT", "/virtualMachines/demo")
_CHANGED = faults.error(412, "PreconditionFailed")


@dataclass
class _Change:
    """Before a PUT of the VM, another client acts; the PUT is answered with 412. Once."""

    machine: Machine
    act: Callable[[Machine], None]
    done: bool = field(default=False, init=False)

    def __call__(self, request: Request) -> Response | None:
        if self.done or not _PUT_OF_VM(request):
            return None
        self.done = True
        self.act(self.machine)
        return _CHANGED


def _take_away_quota(machine: Machine) -> None:
    machine.arm.settings.set("quota", "eastus2", "StandardNCCads2023Family", value=0)


def _make_network_foreign(machine: Machine) -> None:
    path = "/resourceGroups/ccgpu-demo/providers/Microsoft.Network/virtualNetworks/demo-vnet"
    body = machine.get(path, "2026-03-01")
    machine.put(path, "2026-03-01", {**body, "tags": {}})


def test_what_a_create_made_is_undone_if_it_cannot_plan_anew(machine: Machine) -> None:
    machine.arm.faults.append(_Change(machine, _take_away_quota))
    with pytest.raises(QuotaExceeded):
        machine.create(make_spec(private=True))  # its NAT gateway bills before the VM is made
    assert machine.kinds() == []


def test_what_is_left_is_named_if_somebody_has_taken_a_part_of_it(machine: Machine) -> None:
    machine.arm.faults.append(_Change(machine, _make_network_foreign))
    with pytest.raises(LeftBehind, match="demo-vnet already exists, and is not demo's") as caught:
        machine.create(make_spec(private=True))
    assert (caught.value.exit_code, caught.value.hint) == (7, "`ccgpu delete demo` tries again")
    billed = {one.id.rsplit("/", 1)[-1] for one in caught.value.resources if one.billed}
    assert billed == {"demo-nat", "demo-nat-ip"}
    assert isinstance(caught.value.__cause__, UsageProblem)


def test_a_create_that_is_changed_again_and_again_undoes_what_it_made(machine: Machine) -> None:
    changed = NthRequest(0, _PUT_OF_VM, _CHANGED, times=None)
    machine.arm.faults.append(changed)
    with pytest.raises(AlreadyExists, match="demo keeps being changed by someone else: creating"):
        machine.create(make_spec(private=True))
    assert machine.kinds() == []
    assert changed.fired == 3


def test_what_was_made_is_undone_if_what_is_there_cannot_be_read_anew(machine: Machine) -> None:
    deny = NthRequest(0, request_to("GET", "/virtualNetworks/demo-vnet"), faults.FORBIDDEN)
    machine.arm.faults.append(_Change(machine, lambda one: one.arm.faults.append(deny)))
    with pytest.raises(AlreadyExists):
        machine.create(make_spec(private=True))
    assert deny.fired == 1
    assert machine.kinds() == []
