"""An interrupted gc reports what it was deleting as unknown and omits what is deleted."""

import pytest

from ccgpu.errors import Interrupted
from ccgpu.fakearm import Request
from support.cloud import Machine, make_spec
from support.faults import FORBIDDEN, NthRequest, error, request_to
from support.leases import HOUR, collect
from support.slow import mostly_slow


def interrupted(machine: Machine) -> Interrupted:
    """The error of a `gc` that is interrupted."""
    failure = collect(machine).failure
    assert isinstance(failure, Interrupted)
    return failure


@pytest.mark.parametrize("n", mostly_slow([0, 1, 3], 3))
def test_an_interrupted_gc_names_the_deployments_being_deleted(machine: Machine, n: int) -> None:
    for name in ("one", "two"):
        machine.create(make_spec(name=name, ttl="1h"))
    machine.arm.advance(2 * HOUR)
    machine.arm.faults.append(NthRequest(n, request_to("DELETE", "/"), KeyboardInterrupt()))
    caught = interrupted(machine)
    assert {one.state for one in caught.resources} == {"unknown"}
    assert {one.id for one in caught.resources} >= machine.ids()
    vms = [one for one in caught.resources if "/virtualMachines/" in one.id]
    assert len(vms) == (2 if n < 2 else 0)  # both go first, at the same time
    machine.arm.faults.clear()
    machine.arm.advance(4 * HOUR)  # without its VM it may be one that is being made
    collect(machine)
    assert machine.ids() == set()


def test_a_gc_interrupted_while_listing_names_nothing(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    machine.arm.advance(2 * HOUR)
    machine.arm.faults.append(NthRequest(1, request_to("GET", "/"), KeyboardInterrupt()))
    caught = interrupted(machine)
    assert caught.resources == ()


def test_an_interrupted_gc_names_what_it_could_not_delete_before(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    machine.arm.advance(2 * HOUR)
    nsg = request_to("DELETE", "/demo-nsg")
    machine.arm.faults.append(NthRequest(0, nsg, FORBIDDEN, times=None))
    machine.arm.faults.append(NthRequest(0, _lists_images, KeyboardInterrupt()))
    caught = interrupted(machine)
    assert {one.id for one in caught.resources} == machine.ids() != set()


def test_an_interrupted_gc_tells_what_is_deleted(machine: Machine) -> None:
    machine.arm.settings.set("quota", "*", "StandardNCCads2023Family", value=400)
    for name in ("one", "two"):
        machine.create(make_spec(name=name, ttl="1h"))
    machine.arm.advance(2 * HOUR)
    busy = NthRequest(0, request_to("DELETE", "/two-nsg"), error(503, "Busy"), times=5)
    stopped = NthRequest(5, request_to("DELETE", "/two-nsg"), KeyboardInterrupt())
    machine.arm.faults += [stopped, busy]
    outcome = collect(machine)
    assert [(one.name, one.action) for one in outcome.found] == [("one", "removed")]
    assert str(outcome.failure) == (
        "interrupted: two is perhaps not completely deleted; not every deployment was looked at"
    )
    assert outcome.failure is not None
    assert outcome.failure.hint == "`ccgpu gc --yes` continues"


def test_an_interrupted_look_deletes_nothing_and_does_not_say_that_it_did(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    machine.arm.advance(2 * HOUR)
    machine.arm.faults.append(NthRequest(0, _lists_images, KeyboardInterrupt()))
    outcome = collect(machine, yes=False)
    assert [one.action for one in outcome.found] == ["would-remove"]
    assert outcome.failure is not None
    assert (str(outcome.failure), outcome.failure.hint) == (
        "interrupted: not every deployment was looked at",
        "`ccgpu gc` looks again",
    )


def _lists_images(request: Request) -> bool:
    return "ccgpu-image-manifest" in request.query.get("$filter", "")
