"""An interrupted gc reports what it was deleting as unknown and omits what is deleted."""

import pytest

from ccgpu.errors import Interrupted
from ccgpu.fakearm import Request
from support.cloud import Machine, make_spec
from support.faults import FORBIDDEN, NthRequest, request_to
from support.leases import HOUR, collect
from support.slow import mostly_slow


@pytest.mark.parametrize("n", mostly_slow([0, 1, 3], 3))
def test_an_interrupted_gc_names_the_deployments_being_deleted(machine: Machine, n: int) -> None:
    for name in ("one", "two"):
        machine.create(make_spec(name=name, ttl="1h"))
    machine.arm.advance(2 * HOUR)
    machine.arm.faults.append(NthRequest(n, request_to("DELETE", "/"), KeyboardInterrupt()))
    with pytest.raises(Interrupted) as caught:
        collect(machine)
    assert {one.state for one in caught.value.resources} == {"unknown"}
    assert {one.id for one in caught.value.resources} >= machine.ids()
    vms = [one for one in caught.value.resources if "/virtualMachines/" in one.id]
    assert len(vms) == (2 if n < 2 else 0)  # both go first, at the same time
    machine.arm.faults.clear()
    machine.arm.advance(4 * HOUR)  # without its VM it may be one that is being made
    collect(machine)
    assert machine.ids() == set()


def test_a_gc_interrupted_while_listing_names_nothing(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    machine.arm.advance(2 * HOUR)
    machine.arm.faults.append(NthRequest(1, request_to("GET", "/"), KeyboardInterrupt()))
    with pytest.raises(Interrupted) as caught:
        collect(machine)
    assert caught.value.resources == ()


def test_an_interrupted_gc_names_what_it_could_not_delete_before(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    machine.arm.advance(2 * HOUR)
    nsg = request_to("DELETE", "/demo-nsg")
    machine.arm.faults.append(NthRequest(0, nsg, FORBIDDEN, times=None))
    machine.arm.faults.append(NthRequest(0, _lists_images, KeyboardInterrupt()))
    with pytest.raises(Interrupted) as caught:
        collect(machine)
    assert {one.id for one in caught.value.resources} == machine.ids() != set()


def _lists_images(request: Request) -> bool:
    return "ccgpu-image-manifest" in request.query.get("$filter", "")
