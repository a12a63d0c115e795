"""Start, stop, restart, wait, show and list of an existing VM."""

import pytest

from ccgpu.domain.status import State
from ccgpu.errors import GuestNotReady, NotFound, TimedOut, UsageProblem
from ccgpu.fakearm import Response
from ccgpu.workflows import lifecycle
from ccgpu.workflows.list_deployments import list_deployments
from ccgpu.workflows.show import show
from support.cloud import Machine, make_spec
from support.faults import NthRequest, request_to

pytestmark = pytest.mark.usefixtures("lists")


def vm_bills(machine: Machine) -> bool:
    return any("/virtualMachines/" in id_ for id_ in machine.arm.show()["billing"])


def test_stop_deallocates_the_vm(machine: Machine) -> None:
    machine.create()
    assert vm_bills(machine)
    lifecycle.change_power_state(machine.cloud, "stop", "demo")
    assert not vm_bills(machine)
    assert show(machine.cloud, "demo").state is State.STOPPED
    assert show(machine.cloud, "demo").power == "deallocated"


def test_a_stopped_vm_is_not_restarted_and_the_hint_starts_it(machine: Machine) -> None:
    machine.create()
    lifecycle.change_power_state(machine.cloud, "stop", "demo")
    before = machine.writes()
    with pytest.raises(GuestNotReady, match="the VM of demo is deallocated") as caught:
        lifecycle.change_power_state(machine.cloud, "restart", "demo")
    assert (caught.value.exit_code, caught.value.hint) == (10, "`ccgpu start demo` starts it")
    assert machine.writes() == before
    with pytest.raises(TimedOut) as waited:
        lifecycle.wait_for_state(machine.cloud, "demo", State.READY, timeout=60)
    assert waited.value.hint == "`ccgpu start demo` starts it"


@pytest.mark.slow
def test_start_and_restart_end_when_the_guest_is_up(machine: Machine) -> None:
    machine.create()
    lifecycle.change_power_state(machine.cloud, "stop", "demo")
    lifecycle.change_power_state(machine.cloud, "start", "demo")
    assert show(machine.cloud, "demo").state is State.READY
    lifecycle.change_power_state(machine.cloud, "restart", "demo")
    assert show(machine.cloud, "demo").state is State.READY


def test_create_leaves_a_stopped_vm_stopped(machine: Machine) -> None:
    machine.create()
    lifecycle.change_power_state(machine.cloud, "stop", "demo")
    before = machine.writes()
    machine.create()
    assert machine.writes() == before
    assert show(machine.cloud, "demo").state is State.STOPPED


def test_wait_completes_a_create_started_with_no_wait(machine: Machine) -> None:
    machine.create(wait=False)
    assert show(machine.cloud, "demo").state is State.CREATING
    lifecycle.wait_for_state(machine.cloud, "demo", State.READY)
    assert show(machine.cloud, "demo").state is State.READY


def test_wait_ends_at_its_timeout(machine: Machine) -> None:
    machine.create()
    with pytest.raises(TimedOut):
        lifecycle.wait_for_state(machine.cloud, "demo", State.STOPPED, timeout=120)


def test_a_guest_that_does_not_boot_is_reported_and_kept(machine: Machine) -> None:
    view = request_to("GET", "/virtualMachines/demo")
    machine.create(wait=False)
    lifecycle.wait_for_state(machine.cloud, "demo", State.BOOTING)
    body = machine.get(
        "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo"
    )
    machine.arm.faults.append(NthRequest(0, view, Response(200, body), times=None))
    with pytest.raises(GuestNotReady, match="still booting"):
        machine.create()
    machine.arm.faults.clear()
    assert "virtualMachines" in machine.kinds()


def test_show_has_addresses_zone_and_expiry(machine: Machine) -> None:
    machine.create(make_spec(zone="2", ttl="8h"))
    found = show(machine.cloud, "demo")
    assert (found.region, found.zone, found.size) == ("eastus2", "2", make_spec().size)
    assert found.public_ip is not None
    assert found.private_ip is not None
    assert found.expires == "2026-01-01T08:00:04Z"  # eight hours from the VM's PUT
    assert {one.id for one in found.resources} == machine.ids()


def test_a_private_vm_has_no_public_address(machine: Machine) -> None:
    machine.create(make_spec(private=True))
    found = show(machine.cloud, "demo")
    assert found.public_ip is None
    assert found.private_ip is not None
    assert "natGateways" in machine.kinds()
    machine.delete()
    assert machine.kinds() == []


@pytest.mark.slow
def test_a_change_from_private_to_public_deletes_the_nat_gateway(machine: Machine) -> None:
    machine.create(make_spec(private=True))
    machine.create(replace=True)
    assert "natGateways" not in machine.kinds()
    assert show(machine.cloud, "demo").public_ip is not None
    assert machine.create().plan.changes == ()


def test_a_vm_in_an_existing_subnet_creates_no_network(machine: Machine) -> None:
    machine.put("/resourceGroups/lab", "2025-04-01", {"location": "eastus2"})
    vnet = "/resourceGroups/lab/providers/Microsoft.Network/virtualNetworks/lab"
    space = {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}}
    subnets = [{"name": "gpu", "properties": {"addressPrefix": "10.1.0.0/24"}}]
    machine.put(
        vnet, "2026-03-01", {"location": "eastus2", "properties": space | {"subnets": subnets}}
    )
    subnet = f"/subscriptions/{machine.arm.subscription}{vnet}/subnets/gpu"
    machine.create(make_spec(subnet=subnet))
    assert machine.kinds().count("virtualNetworks") == 1
    assert show(machine.cloud, "demo").private_ip == "10.1.0.4"
    machine.delete()
    assert machine.kinds() == ["resourceGroups", "virtualNetworks"]


def test_a_missing_subnet_is_refused_before_the_first_write(machine: Machine) -> None:
    vnet = "/resourceGroups/lab/providers/Microsoft.Network/virtualNetworks/lab"
    subnet = f"/subscriptions/{machine.arm.subscription}{vnet}/subnets/gpu"
    with pytest.raises(NotFound, match="no subnet"):
        machine.create(make_spec(subnet=subnet))
    assert machine.writes() == []


def test_list_shows_every_deployment_once(machine: Machine) -> None:
    assert list_deployments(machine.cloud) == []
    machine.create()
    machine.create(make_spec(name="second", resource_group="lab"))
    found = [(one.name, one.resource_group, one.state) for one in list_deployments(machine.cloud)]
    assert found == [("demo", "ccgpu-demo", "ready"), ("second", "lab", "ready")]


@pytest.mark.slow
def test_a_name_in_two_groups_needs_resource_group(machine: Machine) -> None:
    machine.create()
    other = Machine(machine.arm, machine.state.parent / "other")
    other.create(make_spec(resource_group="lab"))
    with pytest.raises(UsageProblem, match="ccgpu-demo, lab"):
        show(machine.cloud, "demo")
    assert show(machine.cloud, "demo", "lab").resource_group == "lab"


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_a_missing_deployment_is_not_found(machine: Machine, verb: lifecycle.Verb) -> None:
    with pytest.raises(NotFound, match="no VM demo"):
        lifecycle.change_power_state(machine.cloud, verb, "demo")
    with pytest.raises(NotFound, match="no deployment demo"):
        show(machine.cloud, "demo")
    assert machine.writes() == []
