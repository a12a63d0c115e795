"""A missing right exits 4 and names the action; everything else is done and reported as usual.

Of all causes of leftovers it is the only one that exit code 7 does not outrank.
"""

from collections.abc import Callable

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.errors import CcgpuError, Denied, LeftBehind, RemovalDenied, TimedOut
from ccgpu.fakearm import Request, Response
from ccgpu.workflows import lifecycle
from support import faults
from support.cloud import DEPLOYMENT_KINDS, Machine, make_spec
from support.faults import NthRequest, request_to
from support.leases import HOUR, collect, other_machine, single_deployment
from support.slow import mostly_slow

VM_PUT = request_to("PUT", "/virtualMachines/demo")
NSG_DELETE = request_to("DELETE", "/networkSecurityGroups/")
LOCKED = faults.error(409, "ScopeLocked")
POLLS = [
    pytest.param(request_to("GET", f"{provider}/operation"), id=provider.rsplit("/", 2)[0])
    for provider in (
        "Microsoft.Compute/locations/eastus2",
        "Microsoft.Network/locations/eastus2",
    )
]
GROUP_POLL = request_to("GET", "/operationresults/")


def always(kind: faults.RequestFilter, answer: Response = faults.FORBIDDEN) -> NthRequest:
    return NthRequest(0, kind, answer, times=None)


def error_of(command: Callable[[], object]) -> CcgpuError:
    with pytest.raises(CcgpuError) as caught:
        command()
    return caught.value


def states_by_name(error: CcgpuError) -> dict[str, str]:
    return {one.id.rsplit("/", 1)[-1]: one.state for one in error.resources}


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [(faults.FORBIDDEN, RemovalDenied, 4), (LOCKED, LeftBehind, 7)],
    ids=["right", "lock"],
)
def test_denied_deletes_exit_4_and_failed_deletes_exit_7(
    machine: Machine, answer: Response, kind: type[LeftBehind], code: int
) -> None:
    machine.create()
    machine.arm.faults.append(always(NSG_DELETE, answer))
    error = error_of(machine.delete)
    assert (type(error), error.exit_code) == (kind, code)
    assert states_by_name(error) == {"demo-nsg": "exists", "ccgpu-demo": "exists"}
    assert str(answer.body["error"]["code"]) in str(error)


@pytest.mark.slow
def test_a_denied_action_is_named_beside_another_cause(machine: Machine) -> None:
    machine.create()
    vnet = request_to("DELETE", "/virtualNetworks/")
    machine.arm.faults += [always(NSG_DELETE, LOCKED), always(vnet)]
    error = error_of(machine.delete)
    assert error.exit_code == 4
    assert "ScopeLocked" in str(error)
    assert "perform action X" in str(error)


def test_a_denied_rollback_reports_both_causes(machine: Machine) -> None:
    machine.arm.faults += [
        NthRequest(0, VM_PUT, faults.error(400, "BadRequest")),
        always(NSG_DELETE),
    ]
    error = error_of(machine.create)
    assert error.exit_code == 4
    assert "BadRequest" in str(error)
    assert "perform action X" in str(error)
    assert states_by_name(error)["demo-nsg"] == "exists"


def test_a_denied_rollback_keeps_its_cause_if_the_list_fails_after_it(machine: Machine) -> None:
    refused = NthRequest(0, VM_PUT, faults.error(400, "BadRequest"))

    def refuse_lists(request: Request) -> Response | None:
        is_list = request.method == "GET" and request.path.lower().endswith("/resources")
        return faults.error(400, "BadList") if refused.fired and is_list else None

    machine.arm.faults += [refused, always(NSG_DELETE), refuse_lists]
    error = error_of(machine.create)
    assert error.exit_code == 4
    assert "perform action X" in str(error)


@pytest.mark.parametrize("poll", POLLS)
def test_create_without_the_right_to_poll_rolls_back(
    machine: Machine, poll: faults.RequestFilter
) -> None:
    machine.arm.faults.append(always(poll))
    error = error_of(machine.create)
    assert isinstance(error, Denied)
    assert "perform action X" in str(error)
    assert error.resources == ()
    assert machine.kinds() == []


@pytest.mark.slow
def test_kept_resources_have_settled(machine: Machine) -> None:
    machine.arm.faults.append(
        always(request_to("GET", "Microsoft.Compute/locations/eastus2/operations"))
    )
    error = error_of(lambda: machine.create(keep_on_failure=True))
    assert isinstance(error, Denied)
    (vm,) = (one for one in machine.ids() if one.endswith("/virtualMachines/demo"))
    body = machine.cloud.arm.get(Kind.VM, vm)
    assert body is not None
    assert body["properties"]["provisioningState"] == "Succeeded"
    assert states_by_name(error)["demo"] == "exists"


@pytest.mark.slow
@pytest.mark.parametrize("poll", mostly_slow([*POLLS, pytest.param(GROUP_POLL, id="group")], 3))
def test_delete_without_the_right_to_poll_removes_everything(
    machine: Machine, poll: faults.RequestFilter
) -> None:
    machine.create()
    machine.arm.faults.append(always(poll))
    error = error_of(machine.delete)
    assert isinstance(error, Denied)
    assert error.resources == ()
    assert machine.kinds() == []
    assert machine.delete().gone == ()
    assert [method for method, _ in machine.writes()].count("DELETE") == 4


@pytest.mark.slow
def test_an_endless_delete_without_the_right_to_poll_is_denied(machine: Machine) -> None:
    machine.create()
    vm = request_to("GET", "/virtualMachines/demo")
    deleted = False

    def still_there(request: Request) -> Response | None:
        nonlocal deleted
        deleted = deleted or request.method == "DELETE"
        return there if deleted and vm(request) else None

    (id_,) = (one for one in machine.ids() if one.endswith("/virtualMachines/demo"))
    there = Response(200, machine.get(id_.partition(machine.cloud.subscription)[2]))
    polls = request_to("GET", "Microsoft.Compute/locations/eastus2/operations")
    machine.arm.faults += [still_there, always(polls)]
    error = error_of(lambda: machine.delete(timeout=900))
    assert isinstance(error, RemovalDenied)
    assert not isinstance(error, TimedOut)
    assert states_by_name(error)["demo"] == "exists"


@pytest.mark.slow
def test_stop_without_the_right_to_poll_waits_before_it_fails(machine: Machine) -> None:
    machine.create()
    machine.arm.faults.append(
        always(request_to("GET", "Microsoft.Compute/locations/eastus2/operations"))
    )
    error = error_of(lambda: lifecycle.change_power_state(machine.cloud, "stop", "demo"))
    assert isinstance(error, Denied)
    (vm,) = (one for one in machine.ids() if one.endswith("/virtualMachines/demo"))
    body = machine.cloud.arm.get(Kind.VM, vm, view=True)
    assert body is not None
    assert "PowerState/deallocated" in str(body)


@pytest.mark.slow
@pytest.mark.parametrize(
    "poll",
    mostly_slow([*POLLS, pytest.param(GROUP_POLL, id="group")], 3),
)
def test_gc_without_the_right_to_poll_deletes_and_names_the_action(
    machine: Machine, poll: faults.RequestFilter
) -> None:
    machine.create(make_spec(ttl="1h"))
    machine.arm.advance(2 * HOUR)
    machine.arm.faults.append(always(poll))
    found = collect(other_machine(machine))
    assert single_deployment(found).action == "removed"
    assert isinstance(found.failure, Denied)
    assert machine.kinds() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "code"), [(faults.FORBIDDEN, 4), (LOCKED, 7)], ids=["right", "lock"]
)
@pytest.mark.parametrize("what", mostly_slow(["GET", "DELETE"], 2))
def test_a_failed_gc_has_the_exit_code_of_its_cause(
    machine: Machine, what: str, answer: Response, code: int
) -> None:
    machine.create(make_spec(ttl="1h"))
    machine.arm.advance(2 * HOUR)
    machine.arm.faults.append(always(request_to(what, "/networkSecurityGroups/"), answer))
    failure = collect(other_machine(machine)).failure
    assert isinstance(failure, LeftBehind)
    assert failure.exit_code == code
    assert (machine.kinds() == DEPLOYMENT_KINDS) is (what == "GET")
