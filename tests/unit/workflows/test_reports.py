"""How failed and interrupted commands report each resource: exists, unknown, billed."""

from collections.abc import Callable

import pytest

from ccgpu.domain.status import State
from ccgpu.errors import AzureRefused, CcgpuError, Interrupted, LeftBehind, Leftover, TimedOut
from ccgpu.workflows import lifecycle
from support import faults
from support.cloud import NO_ROOM, Machine, make_spec
from support.faults import AfterCommit, NthRequest, request_to
from support.leases import HOUR, collect, extend, other_machine
from support.slow import mostly_slow

SPEC = make_spec(os_disk={"encryption": "state-only"})
VM = "/virtualMachines/demo"


def leftovers_by_id(error: CcgpuError) -> dict[str, Leftover]:
    """The reported resources by their id in lower case."""
    return {one.id.casefold(): one for one in error.resources}


def existing_ids(machine: Machine) -> set[str]:
    return {one.casefold() for one in machine.ids()}


def reported_as_billed(error: CcgpuError) -> set[str]:
    return {one.id.casefold() for one in error.resources if one.billed}


def billing(machine: Machine) -> set[str]:
    return {one.casefold() for one in machine.arm.show()["billing"]}


def interruption_of(command: Callable[[], object]) -> Interrupted:
    with pytest.raises(Interrupted) as caught:
        command()
    return caught.value


def create_stopped(machine: Machine) -> Machine:
    machine.create(SPEC)
    lifecycle.change_power_state(machine.cloud, "stop", "demo")
    return machine


def stuck(machine: Machine) -> None:
    """Make every deletion fail."""
    machine.arm.faults.append(
        NthRequest(0, request_to("DELETE", "/"), faults.error(409, "ScopeLocked"), None)
    )


@pytest.mark.slow
def test_a_deallocated_vm_does_not_bill_but_its_disks_do(machine: Machine) -> None:
    stuck(create_stopped(machine))
    with pytest.raises(LeftBehind) as caught:
        machine.delete()
    assert set(leftovers_by_id(caught.value)) == existing_ids(machine)
    assert reported_as_billed(caught.value) == billing(machine)
    assert not any(VM.casefold() in one for one in billing(machine))


@pytest.mark.slow
def test_a_running_vm_is_reported_as_billed(machine: Machine) -> None:
    machine.create(SPEC)
    stuck(machine)
    with pytest.raises(LeftBehind) as caught:
        machine.delete()
    assert reported_as_billed(caught.value) == billing(machine)
    assert any(VM.casefold() in one for one in billing(machine))


def test_an_interrupted_command_on_a_stopped_vm_reports_what_bills(machine: Machine) -> None:
    create_stopped(machine)
    machine.arm.faults.append(NthRequest(0, request_to("DELETE", "/"), KeyboardInterrupt()))
    error = interruption_of(machine.delete)
    assert set(leftovers_by_id(error)) == existing_ids(machine)
    assert reported_as_billed(error) == billing(machine)


@pytest.mark.parametrize("lag", [{}, {"lists": 120, "reads": 2}])
def test_an_interrupted_delete_names_the_nic_and_the_public_ip(
    machine: Machine, lag: dict[str, int]
) -> None:
    machine.arm.settings.set("lag", value=lag)
    machine.create(SPEC)
    machine.arm.faults.append(NthRequest(0, request_to("DELETE", "/"), KeyboardInterrupt()))
    error = interruption_of(other_machine(machine).delete)
    assert set(leftovers_by_id(error)) == existing_ids(machine)
    assert {one.state for one in error.resources} == {"unknown"}


def test_a_delete_interrupted_at_its_confirmation_reports_all_as_existing(
    machine: Machine,
) -> None:
    machine.create(SPEC)

    def refuse(_: object) -> None:
        raise KeyboardInterrupt

    error = interruption_of(lambda: other_machine(machine).delete(approve=refuse))
    assert set(leftovers_by_id(error)) == existing_ids(machine)
    assert {one.state for one in error.resources} == {"exists"}


def test_an_interrupted_second_create_names_every_resource(machine: Machine) -> None:
    machine.create(SPEC, wait=False)
    machine.arm.advance(60)
    other = other_machine(machine)
    boots = request_to("GET", VM)  # what is there, and then whether it has booted
    machine.arm.faults.append(NthRequest(1, boots, KeyboardInterrupt()))
    error = interruption_of(lambda: other.create(SPEC))
    assert set(leftovers_by_id(error)) == existing_ids(machine)
    assert {one.state for one in error.resources} == {"exists"}


@pytest.mark.parametrize("verb", mostly_slow(["start", "stop", "restart"], 3))
@pytest.mark.parametrize("when", mostly_slow(["post", "poll"], 2))
def test_an_interrupted_command_has_a_hint_and_reports_what_may_bill(
    machine: Machine, verb: lifecycle.Verb, when: str
) -> None:
    machine.create(SPEC)
    if verb == "start":
        lifecycle.change_power_state(machine.cloud, "stop", "demo")
    if when == "post":
        machine.arm.on_commit = AfterCommit(0, request_to("POST", VM), KeyboardInterrupt())
    else:
        machine.arm.faults.append(NthRequest(0, faults.is_poll, KeyboardInterrupt()))
    error = interruption_of(lambda: lifecycle.change_power_state(machine.cloud, verb, "demo"))
    machine.arm.on_commit = None
    assert str(error).startswith("interrupted: demo may not be ")
    assert error.hint == f"`ccgpu {verb} demo` continues"
    assert set(leftovers_by_id(error)) == existing_ids(machine)
    assert any(VM.casefold() in one for one in reported_as_billed(error))
    machine.arm.faults.clear()
    machine.arm.advance(300)
    lifecycle.change_power_state(machine.cloud, verb, "demo")


def test_an_interrupted_wait_has_a_hint(machine: Machine) -> None:
    machine.create(SPEC, wait=False)
    machine.arm.faults.append(NthRequest(3, request_to("GET", VM), KeyboardInterrupt()))
    error = interruption_of(lambda: lifecycle.wait_for_state(machine.cloud, "demo", State.READY))
    assert error.hint == "`ccgpu wait demo --for ready` continues"


def test_an_interrupted_extend_names_every_resource(machine: Machine) -> None:
    machine.create(SPEC)
    machine.arm.faults.append(NthRequest(1, request_to("PATCH", "/"), KeyboardInterrupt()))
    error = interruption_of(lambda: extend(machine, 4))
    assert error.hint == "`ccgpu extend demo --ttl 4h` continues"
    named = leftovers_by_id(error)
    assert set(named) == existing_ids(machine)
    only_listed = {id_ for id_, one in named.items() if one.state == "unknown"}
    assert {id_.split("/")[-2] for id_ in only_listed} == {
        *("networksecuritygroups", "virtualnetworks", "publicipaddresses")
    }


@pytest.mark.slow
def test_an_interrupted_gc_reports_a_deallocated_vm_as_not_billed(
    machine: Machine,
) -> None:
    machine.create(make_spec(os_disk={"encryption": "state-only"}, ttl="1h"))
    lifecycle.change_power_state(machine.cloud, "stop", "demo")
    machine.arm.advance(2 * HOUR)
    machine.arm.faults.append(NthRequest(0, request_to("DELETE", "/"), KeyboardInterrupt()))
    error = collect(machine).failure
    assert isinstance(error, Interrupted)
    assert set(leftovers_by_id(error)) == existing_ids(machine)
    assert reported_as_billed(error) == billing(machine)


@pytest.mark.parametrize("what", ["create", "delete"])
def test_an_interrupted_wait_for_the_journal_lock_has_a_hint(machine: Machine, what: str) -> None:
    cloud = machine.cloud
    listening = Machine(machine.arm, machine.state)

    class Impatient(list):  # type: ignore[type-arg]
        def append(self, event: object) -> None:
            assert "another ccgpu is working on demo" in str(event)
            raise KeyboardInterrupt

    listening.events = Impatient()
    commands: dict[str, Callable[[], object]] = {
        "create": lambda: listening.create(SPEC),
        "delete": listening.delete,
    }
    with cloud.journals.locked(cloud.subscription, "demo", lambda: None):
        error = interruption_of(commands[what])
    assert str(error).startswith("interrupted: demo is not ")
    assert f"`ccgpu {what} demo` continues" in (error.hint or "")


def test_kept_billed_resources_raise_left_behind(machine: Machine) -> None:
    machine.arm.settings.set("capacity", SPEC.size, value={"eastus2": NO_ROOM})
    with pytest.raises(LeftBehind, match="AllocationFailed") as caught:
        machine.create(SPEC, keep_on_failure=True)
    assert caught.value.exit_code == 7
    assert set(leftovers_by_id(caught.value)) == existing_ids(machine)


def test_kept_resources_that_do_not_bill_raise_only_the_cause(machine: Machine) -> None:
    machine.arm.faults.append(NthRequest(0, request_to("PUT", VM), faults.error(400, "BadRequest")))
    with pytest.raises(AzureRefused) as caught:
        machine.create(SPEC, keep_on_failure=True)
    assert caught.value.exit_code == 4
    assert set(leftovers_by_id(caught.value)) == existing_ids(machine)


@pytest.mark.slow
def test_rollback_deletes_resources_hidden_by_replication_lag(machine: Machine) -> None:
    machine.put("/resourceGroups/lab", "2025-04-01", {"location": "eastus2"})
    machine.arm.settings.set("lag", value={"lists": 3600, "reads": 2})
    machine.arm.settings.set("durations", "vnet", value=700)
    with pytest.raises(TimedOut):
        machine.create(make_spec(resource_group="lab"), timeout=600)
    assert machine.kinds() == ["resourceGroups"]


def test_reports_name_resources_hidden_by_replication_lag(machine: Machine) -> None:
    machine.arm.settings.set("lag", value={"lists": 120, "reads": 3})
    machine.arm.settings.set("capacity", SPEC.size, value={"eastus2": NO_ROOM})
    with pytest.raises(LeftBehind) as caught:
        machine.create(SPEC, keep_on_failure=True)
    assert set(leftovers_by_id(caught.value)) == existing_ids(machine)
    assert reported_as_billed(caught.value) >= billing(machine)  # one that failed may bill, or not
