"""Create under faults: it completes, or rolls back, or names what is left."""

import pytest

from ccgpu.errors import (
    AzureRefused,
    CapacityUnavailable,
    Interrupted,
    LeftBehind,
    NotSignedIn,
    QuotaExceeded,
    TimedOut,
    UsageProblem,
)
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Request, Response
from support import faults
from support.cloud import DEPLOYMENT_KINDS, NO_ROOM, Machine, make_spec
from support.faults import NthRequest, request_to
from support.slow import mostly_slow

QUOTA = "Operation could not be completed as it results in exceeding approved X Family Cores quota."
VM_PUT = request_to("PUT", "/virtualMachines/demo")


def test_create_makes_every_resource_once(machine: Machine) -> None:
    machine.create()
    assert machine.kinds() == DEPLOYMENT_KINDS


@pytest.mark.parametrize("name", ["demo-data0", "demo-osdisk"])
def test_a_disk_of_others_is_not_deleted_with_a_create_that_its_name_stops(
    machine: Machine, name: str
) -> None:
    machine.put("/resourceGroups/lab", "2025-04-01", {"location": "eastus2"})
    _put_disk(machine, "lab", name)
    before = machine.ids()
    with pytest.raises(UsageProblem, match=f"{name} already exists, and is not demo's"):
        machine.create(make_spec(resource_group="lab", data_disks=[{"size_gib": 8}]))
    assert machine.ids() == before


def test_a_disk_of_others_is_not_attached_as_a_data_disk(machine: Machine) -> None:
    machine.create()
    _put_disk(machine, "ccgpu-demo", "demo-data0")
    before = machine.writes()
    with pytest.raises(UsageProblem, match="demo-data0 already exists, and is not demo's"):
        machine.create(make_spec(data_disks=[{"size_gib": 8}]))
    assert machine.writes() == before
    machine.delete()
    assert machine.kinds() == ["disks", "resourceGroups"]


def test_a_disk_that_an_interrupted_create_has_left_is_removed(machine: Machine) -> None:
    machine.arm.on_commit = faults.AfterCommit(0, VM_PUT, KeyboardInterrupt())
    with pytest.raises(Interrupted):
        machine.create()
    machine.arm.on_commit = None
    path = "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo"
    url = f"https://management.azure.com/subscriptions/{FAKE_SUBSCRIPTION}{path}"
    asked = f"{url}?api-version=2026-04-01"
    machine.arm.send(Request("DELETE", asked, {"Authorization": "Bearer somebody"}))
    machine.arm.advance(600)
    _put_disk(machine, "ccgpu-demo", "demo-osdisk")  # as Azure leaves it: without tags
    with pytest.raises(AzureRefused, match="ConflictingUserInput"):
        machine.create()
    assert machine.kinds() == []


def _put_disk(machine: Machine, group: str, name: str) -> None:
    properties = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 8}
    body = {"location": "eastus2", "sku": {"name": "Premium_LRS"}, "properties": properties}
    path = f"/resourceGroups/{group}/providers/Microsoft.Compute/disks/{name}"
    machine.put(path, "2026-03-02", body)


def test_a_second_create_writes_nothing(machine: Machine) -> None:
    machine.create()
    before = machine.writes()
    outcome = machine.create()
    assert machine.writes() == before
    assert outcome.plan.changes == ()


@pytest.mark.parametrize("n", mostly_slow(range(4), 4, 3))
@pytest.mark.parametrize(
    ("kind", "answer"),
    mostly_slow(
        [
            pytest.param(faults.is_put, faults.THROTTLED, id="put-429"),
            pytest.param(faults.is_put, faults.RESET, id="put-reset"),
            pytest.param(faults.is_put, faults.UNAVAILABLE, id="put-503"),
            pytest.param(faults.is_poll, faults.NOT_FOUND, id="poll-404"),
            pytest.param(faults.is_poll, faults.RESET, id="poll-reset"),
            pytest.param(faults.is_poll, faults.HTML_PAGE, id="poll-html"),
            pytest.param(faults.is_poll, faults.TIMEOUT, id="poll-timeout"),
            pytest.param(request_to("GET", "/"), faults.THROTTLED, id="get-429"),
            pytest.param(request_to("GET", "/"), faults.RESET, id="get-reset"),
        ],
        3,
    ),
)
def test_create_retries_transient_errors(
    machine: Machine, n: int, kind: faults.RequestFilter, answer: object
) -> None:
    machine.arm.faults.append(NthRequest(n, kind, answer))  # type: ignore[arg-type]
    machine.create()
    assert machine.kinds() == DEPLOYMENT_KINDS


@pytest.mark.parametrize("n", mostly_slow(range(4), 4, 3))
def test_a_put_whose_response_is_lost_is_not_repeated(machine: Machine, n: int) -> None:
    machine.arm.on_commit = fault = faults.AfterCommit(n, faults.is_put, faults.RESET)
    machine.create()
    assert fault.fired
    assert machine.kinds() == DEPLOYMENT_KINDS


@pytest.mark.parametrize("n", mostly_slow(range(4), 4, 3))
def test_a_refused_put_rolls_back_everything(machine: Machine, n: int) -> None:
    machine.arm.faults.append(NthRequest(n, faults.is_put, faults.FORBIDDEN, times=None))
    with pytest.raises(AzureRefused, match="AuthorizationFailed"):
        machine.create()
    assert machine.kinds() == []


@pytest.mark.parametrize(
    ("answer", "raised"),
    mostly_slow(
        [
            pytest.param(faults.error(409, "SkuNotAvailable"), CapacityUnavailable),
            pytest.param(faults.error(409, "OperationNotAllowed", QUOTA), QuotaExceeded),
            pytest.param(faults.error(400, "BadRequest"), AzureRefused),
            pytest.param(faults.error(401, "ExpiredAuthenticationToken"), NotSignedIn),
        ],
        4,
    ),
)
def test_a_refused_vm_put_rolls_back_the_network(
    machine: Machine, answer: object, raised: type[Exception]
) -> None:
    refused = NthRequest(0, VM_PUT, answer, times=None)  # type: ignore[arg-type]
    machine.arm.faults.append(refused)
    with pytest.raises(raised):
        machine.create()
    assert machine.kinds() == []


@pytest.mark.slow
def test_a_failed_vm_operation_rolls_back_everything(machine: Machine) -> None:
    machine.arm.settings.set("capacity", make_spec().size, value={"eastus2": NO_ROOM})
    with pytest.raises(CapacityUnavailable, match="AllocationFailed"):
        machine.create()
    assert machine.kinds() == []
    assert machine.arm.show()["billing"] == []


@pytest.mark.slow
def test_create_tries_the_next_region_without_capacity(machine: Machine) -> None:
    machine.arm.settings.set("capacity", make_spec().size, value={"eastus2": NO_ROOM})
    outcome = machine.create(make_spec(regions=["eastus2", "westeurope"]))
    assert outcome.candidate.placement.region == "westeurope"
    assert machine.kinds() == DEPLOYMENT_KINDS


@pytest.mark.slow
def test_create_does_not_try_another_region_without_quota(machine: Machine) -> None:
    refusal = faults.error(409, "OperationNotAllowed", QUOTA)
    machine.arm.faults.append(NthRequest(0, VM_PUT, refusal))
    with pytest.raises(QuotaExceeded):
        machine.create(make_spec(regions=["eastus2", "westeurope"]))
    assert machine.kinds() == []


def test_keep_on_failure_keeps_and_names_the_resources(machine: Machine) -> None:
    machine.arm.faults.append(NthRequest(0, VM_PUT, faults.error(400, "BadRequest")))
    with pytest.raises(AzureRefused) as caught:
        machine.create(keep_on_failure=True)
    assert machine.kinds() == ["networkSecurityGroups", "resourceGroups", "virtualNetworks"]
    assert {left.id for left in caught.value.resources} >= machine.ids()


@pytest.mark.slow
def test_resources_that_rollback_cannot_delete_are_named(machine: Machine) -> None:
    machine.arm.faults += [
        NthRequest(0, VM_PUT, faults.error(400, "BadRequest")),
        NthRequest(
            0, request_to("DELETE", "/networkSecurityGroups/"), faults.FORBIDDEN, times=None
        ),
    ]
    with pytest.raises(LeftBehind, match="BadRequest") as caught:
        machine.create()
    left = {one.id.rsplit("/", 1)[-1]: one.state for one in caught.value.resources}
    assert left["demo-nsg"] == "exists"
    assert machine.kinds() == ["networkSecurityGroups", "resourceGroups"]
    machine.arm.faults.clear()
    machine.delete()
    assert machine.kinds() == []


def test_rollback_deletes_the_group_despite_replication_lag(machine: Machine) -> None:
    nsg = request_to(
        "GET", "/resourceGroups/ccgpu-demo/providers/Microsoft.Network/networkSecurityGroups/"
    )
    refused = NthRequest(0, VM_PUT, faults.error(400, "BadRequest"))

    def hidden(request: Request) -> Response | None:
        return lag(request) if refused.fired else None

    lag = NthRequest(0, nsg, faults.error(404, "ResourceNotFound"))
    machine.arm.faults += [refused, hidden]
    with pytest.raises(AzureRefused, match="BadRequest"):
        machine.create()
    assert lag.fired
    assert machine.kinds() == []


def test_create_ends_within_its_timeout(machine: Machine) -> None:
    machine.arm.faults.append(
        NthRequest(0, VM_PUT, faults.error(429, "TooManyRequests", Retry_After="36000"), times=None)
    )
    began = machine.arm.now()
    with pytest.raises(TimedOut):
        machine.create(timeout=600)
    assert machine.arm.now() - began < 600
    assert machine.kinds() == []


def test_an_interrupted_create_names_its_resources(machine: Machine) -> None:
    machine.arm.on_commit = faults.AfterCommit(0, VM_PUT, KeyboardInterrupt())
    with pytest.raises(Interrupted) as caught:
        machine.create()
    told = {one.id: one.state for one in caught.value.resources}
    named_by_azure = {one for one in machine.ids() if "-nic-" in one or "-ip-" in one}
    assert set(told) >= machine.ids() - named_by_azure
    assert {told[one] for one in told if one.endswith("/virtualMachines/demo")} == {"unknown"}
    machine.arm.on_commit = None
    machine.create()
    assert machine.kinds() == DEPLOYMENT_KINDS


def test_create_refuses_a_foreign_resource_of_the_same_name(machine: Machine) -> None:
    machine.put("/resourceGroups/theirs", "2025-04-01", {"location": "eastus2"})
    nsg = "/resourceGroups/theirs/providers/Microsoft.Network/networkSecurityGroups/demo-nsg"
    machine.put(nsg, "2026-03-01", {"location": "eastus2", "tags": {"owner": "somebody"}})
    before = machine.writes()
    with pytest.raises(UsageProblem, match="demo-nsg already exists"):
        machine.create(make_spec(resource_group="theirs"))
    assert machine.writes() == before
    machine.delete(group="theirs")
    assert machine.kinds() == ["networkSecurityGroups", "resourceGroups"]


@pytest.mark.slow
def test_an_immutable_change_needs_replace(machine: Machine) -> None:
    machine.create()
    before = machine.writes()
    bigger = make_spec(os_disk={"size_gib": 512})
    with pytest.raises(UsageProblem, match=r"os_disk\.size_gib: 256 → 512"):
        machine.create(bigger)
    assert machine.writes() == before
    machine.create(bigger, replace=True)
    assert machine.kinds() == DEPLOYMENT_KINDS


def test_a_changed_ssh_from_updates_only_the_nsg(machine: Machine) -> None:
    machine.create()
    before = len(machine.writes())
    machine.create(make_spec(ssh_from="198.51.100.4/32"))
    assert [path.rsplit("/", 1)[-1] for _, path in machine.writes()[before:]] == ["demo-nsg"]


@pytest.mark.slow
def test_a_changed_tag_sends_only_patches(machine: Machine) -> None:
    machine.create()
    before = len(machine.writes())
    machine.create(make_spec(tags={"team": "ml"}))
    assert {method for method, _ in machine.writes()[before:]} == {"PATCH"}


@pytest.mark.slow
def test_create_replaces_a_vm_that_failed_in_an_interrupted_run(machine: Machine) -> None:
    machine.arm.settings.set("capacity", make_spec().size, value={"eastus2": NO_ROOM})
    vm_polls = request_to("GET", "Microsoft.Compute/locations/eastus2/operations/")
    machine.arm.faults.append(NthRequest(0, vm_polls, KeyboardInterrupt()))
    with pytest.raises(Interrupted):
        machine.create()
    machine.arm.settings.set("capacity", value={})
    machine.create()
    assert machine.kinds() == DEPLOYMENT_KINDS


@pytest.mark.parametrize("replaced", [False, True])
def test_an_interrupted_removal_reports_every_resource_as_unknown(
    machine: Machine, replaced: bool
) -> None:
    """The removal is a rollback in one case and a replacement in the other."""
    if replaced:
        machine.create()
    else:
        machine.arm.faults.append(
            NthRequest(0, request_to("PUT", "/virtualMachines/"), faults.FORBIDDEN)
        )
    machine.arm.faults.append(NthRequest(0, request_to("DELETE", "/"), KeyboardInterrupt()))
    with pytest.raises(Interrupted) as caught:
        machine.create(make_spec(admin_user="other"), replace=True)
    assert {one.state for one in caught.value.resources} == {"unknown"}
    assert {one.id for one in caught.value.resources} >= machine.ids() - _ids_named_by_azure(
        machine.ids()
    )


def _ids_named_by_azure(ids: set[str]) -> set[str]:
    return {id_ for id_ in ids if "/networkInterfaces/" in id_ or "/publicIPAddresses/" in id_}


@pytest.mark.slow
def test_create_keeps_the_tags_of_a_group_hidden_by_replication_lag(machine: Machine) -> None:
    """A stale read that hides the group must not make it ours: it would be deleted later."""
    mine = {"location": "eastus2", "tags": {"owner": "me"}}
    machine.put("/resourceGroups/lab", "2025-04-01", mine)

    def read(request: Request) -> bool:
        return request.method == "GET" and request.path.casefold().endswith("/resourcegroups/lab")

    machine.arm.faults.append(
        NthRequest(0, read, faults.error(404, "ResourceGroupNotFound"), times=2)
    )
    machine.create(make_spec(resource_group="lab"))
    assert machine.get("/resourceGroups/lab", "2025-04-01")["tags"] == mine["tags"]
    machine.delete(group="lab")
    assert machine.kinds() == ["resourceGroups"]
