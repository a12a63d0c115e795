"""How leases are written: when, on which resources, and in which order."""

from datetime import datetime

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import kind_of, tags_of
from ccgpu.errors import AlreadyExists, AzureRefused, Interrupted, NotFound
from ccgpu.fakearm import Fault, Request, Response
from ccgpu.workflows.list_deployments import list_deployments
from ccgpu.workflows.show import show
from support import faults
from support.cloud import Machine, make_spec
from support.faults import AfterCommit, NthRequest, request_to
from support.leases import HOUR, BeforeRequest, collect, extend, other_machine

pytestmark = pytest.mark.usefixtures("lists")

VM = "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo"
NSG = "/resourceGroups/ccgpu-demo/providers/Microsoft.Network/networkSecurityGroups/demo-nsg"
PUT = request_to("PUT", "/virtualMachines/demo")
PATCH = request_to("PATCH", "/virtualMachines/demo")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def expiries(machine: Machine) -> dict[str, str]:
    """The value of the expiry tag by resource name."""
    cloud = machine.cloud
    asked = ("ccgpu-deployment", "demo")
    listed = (*cloud.queries.tagged_groups(*asked), *cloud.queries.tagged_resources(*asked))
    ids = {body["id"]: kind_of(body["id"]) for body in listed}
    bodies = {id_: cloud.arm.get(kind, id_) for id_, kind in ids.items() if kind}
    return {id_.rsplit("/", 1)[-1]: tags_of(body)["ccgpu-expires"] for id_, body in bodies.items()}


def test_the_ttl_starts_with_the_accepted_put(machine: Machine) -> None:
    waits = faults.error(429, "TooManyRequests", Retry_After="1500")
    machine.arm.faults.append(NthRequest(0, PUT, waits))
    accepted: list[float] = []

    def committed(request: Request, _: Response) -> None:
        if PUT(request):
            accepted.append(machine.arm.now())

    machine.arm.on_commit = committed
    outcome = machine.create(make_spec(ttl="1h"))
    vm = machine.get(VM)
    assert at(vm["tags"]["ccgpu-expires"]) == pytest.approx(accepted[-1] + HOUR, abs=2)
    assert at(vm["tags"]["ccgpu-created"]) == pytest.approx(accepted[-1], abs=2)
    told = expiries(machine)
    late = {name for name, expires in told.items() if expires == vm["tags"]["ccgpu-expires"]}
    assert {name.rsplit("-", 1)[0] for name in late} == {"demo", "demo-nic", "demo-ip"} | {"demo"}
    assert at(told["demo-nsg"]) < at(told["demo"]) - 1400
    assert show(machine.cloud, "demo").expires == vm["tags"]["ccgpu-expires"]
    (step,) = (s for s in outcome.plan.steps if s.resource.id.endswith("/virtualMachines/demo"))
    assert step.resource.body["tags"] == vm["tags"]


def test_a_second_create_renews_an_expired_lease(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    born = machine.get(VM)["tags"]["ccgpu-created"]
    machine.arm.advance(2 * HOUR)
    before = len(machine.writes())
    machine.create(make_spec(ttl="1h"))
    assert {method for method, _ in machine.writes()[before:]} == {"PATCH"}
    assert machine.get(VM)["tags"]["ccgpu-created"] == born
    assert collect(other_machine(machine)).found == ()


def test_extend_keeps_a_tag_written_concurrently(machine: Machine) -> None:
    machine.create()
    cloud = machine.cloud

    def meanwhile() -> None:
        (vm,) = (one for one in machine.ids() if one.endswith("/virtualMachines/demo"))
        tags = machine.get(VM)["tags"] | {"late": "yes"}
        cloud.arm.tag(Kind.VM, vm, tags)
        machine.arm.advance(20)

    class BeforePatch(BeforeRequest):
        def __call__(self, request: Request) -> Response | None:
            return super().__call__(request) if PATCH(request) else None

    between = BeforePatch(machine.arm, 0, meanwhile)
    machine.arm.faults.append(between)
    done = extend(machine, 4)
    assert between.request is not None
    tags = machine.get(VM)["tags"]
    assert (tags["late"], tags["ccgpu-expires"]) == ("yes", done.expires)


def test_extend_gives_up_on_a_resource_that_keeps_changing(machine: Machine) -> None:
    machine.create()
    machine.arm.faults.append(
        NthRequest(0, PATCH, faults.error(412, "PreconditionFailed"), times=None)
    )
    with pytest.raises(AlreadyExists):
        extend(machine, 4)


def test_one_extended_tag_keeps_the_deployment(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    machine.arm.advance(2 * HOUR)
    machine.arm.on_commit = AfterCommit(0, request_to("PATCH", "/"), KeyboardInterrupt())
    with pytest.raises(Interrupted) as caught:
        extend(machine, 4)
    assert caught.value.hint == "`ccgpu extend demo --ttl 4h` continues"
    assert {one.id.casefold() for one in caught.value.resources} == {
        one.casefold() for one in machine.ids()
    }
    machine.arm.on_commit = None
    machine.arm.advance(60)
    assert collect(other_machine(machine)).found == ()


@pytest.mark.parametrize("resting", [True, False])
def test_extend_tags_the_vm_first_unless_it_is_updating(machine: Machine, resting: bool) -> None:
    machine.create(make_spec(ttl="1h"), wait=resting)
    before = len(machine.writes())
    extend(machine, 4)
    patched = [path.rsplit("/", 1)[-1] for _, path in machine.writes()[before:]]
    if resting:
        assert patched == ["demo", "ccgpu-demo"]
    else:
        assert (patched[0], patched[-1]) == ("ccgpu-demo", "demo")
        assert {"demo-nsg", "demo-vnet"} < set(patched)


def test_a_foreign_vm_does_not_count_for_the_lease(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    (vm,) = (one for one in machine.ids() if one.endswith("/virtualMachines/demo"))
    machine.cloud.arm.tag(Kind.VM, vm, {"owner": "somebody"})
    machine.arm.advance(20)
    (found,) = list_deployments(machine.cloud)
    assert (found.vm_id, found.seconds_left is None) == (None, False)


def test_a_missing_deployment_cannot_be_extended(machine: Machine) -> None:
    with pytest.raises(NotFound, match="there is no deployment demo"):
        extend(machine, 4)


def test_no_lease_is_written_without_azures_time(machine: Machine) -> None:
    machine.create()
    machine.arm.faults.append(_without_dates(machine))
    before = machine.writes()
    with pytest.raises(AzureRefused) as caught:
        extend(machine, 4)
    assert caught.value.code == "NoDate"
    assert machine.writes() == before
    assert list_deployments(machine.cloud)[0].seconds_left is None


def _without_dates(machine: Machine) -> Fault:
    """A proxy that removes the `Date` header of every response."""
    inside = False

    def fault(request: Request) -> Response | None:
        nonlocal inside
        if inside:
            return None
        inside = True
        try:
            answer = machine.arm.send(request)
        finally:
            inside = False
        headers = {name: value for name, value in answer.headers.items() if name != "Date"}
        return Response(answer.status, answer.body, headers)

    return fault


def test_an_interrupted_gc_has_a_hint(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    machine.arm.advance(2 * HOUR)
    machine.arm.on_commit = AfterCommit(0, request_to("DELETE", "/"), KeyboardInterrupt())
    failure = collect(other_machine(machine)).failure
    assert isinstance(failure, Interrupted)
    assert failure.hint == "`ccgpu gc --yes` continues"
    machine.arm.on_commit = None
    collect(other_machine(machine))
    assert machine.kinds() == []


@pytest.mark.parametrize("group", [None, "mine"])
def test_a_failed_extend_names_the_resources(machine: Machine, group: str | None) -> None:
    machine.create(make_spec(ttl="2h", resource_group=group))
    machine.arm.faults.append(NthRequest(0, request_to("PATCH", "/"), faults.FORBIDDEN, times=None))
    with pytest.raises(AzureRefused) as caught:
        extend(machine, 4)
    assert {one.id for one in caught.value.resources if one.state == "exists"} == machine.ids()
