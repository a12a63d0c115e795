"""Delete removes every resource of the deployment and no other, in any state, on any machine."""

import pytest

from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.compare import value_at
from ccgpu.domain.resource import key, resource_id
from ccgpu.errors import AzureRefused, Interrupted, LeftBehind
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Request, Response
from support import faults
from support.cloud import DEPLOYMENT_KINDS, Machine, make_spec
from support.faults import NthRequest, request_to
from support.slow import mostly_slow

pytestmark = pytest.mark.usefixtures("lists")

DELETES = request_to("DELETE", "/")
THEIRS = "/resourceGroups/ccgpu-demo/providers/Microsoft.Network/networkSecurityGroups/theirs"


def elsewhere(machine: Machine) -> Machine:
    """Another machine, which has no journal."""
    return Machine(machine.arm, machine.state.parent / "elsewhere")


def test_delete_removes_everything_and_ends_billing(machine: Machine) -> None:
    machine.create()
    done = machine.delete()
    shown = machine.arm.show()
    assert (shown["resources"], shown["billing"]) == ([], [])
    assert len(done.gone) == len(DEPLOYMENT_KINDS)
    assert not list(machine.state.rglob("demo.json"))


def test_a_second_delete_finds_nothing(machine: Machine) -> None:
    machine.create()
    machine.delete()
    before = machine.writes()
    assert machine.delete().gone == ()
    assert machine.writes() == before


def test_delete_without_a_journal_removes_everything(machine: Machine) -> None:
    machine.create(make_spec(private=True, data_disks=[{"size_gib": 64}]))
    elsewhere(machine).delete()
    assert machine.kinds() == []


def test_delete_without_a_journal_finds_the_group_by_tags(machine: Machine) -> None:
    machine.create(make_spec(resource_group="lab"))
    elsewhere(machine).delete()
    assert machine.kinds() == []


def test_a_group_that_is_asked_for_is_the_only_one_that_loses_anything(machine: Machine) -> None:
    machine.create()
    elsewhere(machine).create(make_spec(resource_group="lab"))
    here = {id_ for id_ in machine.ids() if "/ccgpu-demo" in id_}
    (journal,) = machine.state.rglob("demo.json")
    before = journal.read_bytes()
    assert {id_.split("/")[4] for id_ in machine.delete(group="lab").gone} == {"lab"}
    assert (machine.ids(), journal.read_bytes()) == (here, before)
    assert "demo in the resource group ccgpu-demo is left alone" in [
        one.text for one in machine.events
    ]
    machine.delete(group="CCGPU-demo")
    assert machine.kinds() == []
    assert not journal.exists()


def test_foreign_resources_stay_and_keep_the_group(machine: Machine) -> None:
    machine.create()
    machine.put(THEIRS, "2026-03-01", {"location": "eastus2", "tags": {"team": "other"}})
    done = machine.delete()
    assert [(id_.rsplit("/", 1)[-1], why) for id_, why in done.kept] == [
        ("ccgpu-demo", "there is more in it: theirs")
    ]
    assert machine.kinds() == ["networkSecurityGroups", "resourceGroups"]


@pytest.mark.parametrize("again", [False, True])
def test_disks_that_others_have_attached_stay_whatever_their_names(
    machine: Machine, *, again: bool
) -> None:
    machine.create(make_spec(data_disks=[{"size_gib": 64}]))
    groups = (("models", "demo-data0"), ("ccgpu-demo", "demo-data1"), ("ccgpu-demo", "demo-data0"))
    ids = [resource_id(FAKE_SUBSCRIPTION, group, Kind.DISK, name) for group, name in groups]
    machine.put("/resourceGroups/models", "2025-04-01", {"location": "eastus2"})
    for group, name in groups[:2]:
        empty = {"diskSizeGB": 64, "creationData": {"createOption": "Empty"}}
        path = f"/resourceGroups/{group}/providers/Microsoft.Compute/disks/{name}"
        machine.put(path, API_VERSIONS[Kind.DISK], {"location": "eastus2", "properties": empty})
    vm = resource_id(FAKE_SUBSCRIPTION, "ccgpu-demo", Kind.VM, "demo")
    own = value_at(machine.cloud.arm.get(Kind.VM, vm), "properties.storageProfile.dataDisks")
    more = [
        {"lun": lun, "createOption": "Attach", "managedDisk": {"id": id_}}
        for lun, id_ in enumerate(ids[:2], 1)
    ]
    change = {"properties": {"storageProfile": {"dataDisks": [*own, *more]}}}
    machine.cloud.arm.patch(Kind.VM, vm, change)
    machine.arm.advance(60)
    if again:  # neither marks it as the deployment's
        machine.create(make_spec(data_disks=[{"size_gib": 64}]))
    machine.delete()
    assert {key(id_) for id_ in machine.ids()} & set(map(key, ids)) == set(map(key, ids[:2]))


def test_delete_keeps_a_group_of_the_user(machine: Machine) -> None:
    machine.put("/resourceGroups/lab", "2025-04-01", {"location": "westeurope"})
    machine.create(make_spec(resource_group="lab"))
    machine.delete()
    assert machine.kinds() == ["resourceGroups"]


def test_delete_keeps_other_deployments_in_the_group(machine: Machine) -> None:
    machine.put("/resourceGroups/lab", "2025-04-01", {"location": "eastus2"})
    machine.create(make_spec(resource_group="lab"))
    machine.create(make_spec(name="second", resource_group="lab"))
    machine.delete()
    assert {one.rsplit("/", 1)[-1].split("-")[0] for one in machine.ids()} == {"lab", "second"}
    machine.delete("second")
    assert machine.kinds() == ["resourceGroups"]


@pytest.mark.parametrize("n", mostly_slow(range(4), 4, 3))
@pytest.mark.parametrize(
    ("kind", "answer"),
    mostly_slow(
        [
            pytest.param(DELETES, faults.THROTTLED, id="delete-429"),
            pytest.param(DELETES, faults.RESET, id="delete-reset"),
            pytest.param(DELETES, faults.UNAVAILABLE, id="delete-503"),
            pytest.param(
                DELETES,
                faults.error(400, "NicReservedForAnotherVm", "for 180 seconds"),
                id="reserved",
            ),
            pytest.param(DELETES, faults.error(400, "InUseSubnetCannotBeDeleted"), id="in-use"),
            pytest.param(faults.is_poll, faults.NOT_FOUND, id="poll-404"),
            pytest.param(faults.is_poll, faults.HTML_PAGE, id="poll-html"),
        ],
        3,
    ),
)
def test_delete_retries_transient_errors(
    machine: Machine, n: int, kind: faults.RequestFilter, answer: Response | Exception
) -> None:
    machine.create()
    machine.arm.faults.append(NthRequest(n, kind, answer))
    machine.delete()
    assert machine.kinds() == []


@pytest.mark.parametrize("n", mostly_slow(range(4), 4, 3))
def test_a_delete_whose_response_is_lost_counts_as_done(machine: Machine, n: int) -> None:
    machine.create()
    machine.arm.on_commit = fault = faults.AfterCommit(n, DELETES, faults.RESET)
    machine.delete()
    assert fault.fired
    assert machine.kinds() == []


@pytest.mark.parametrize("n", mostly_slow(range(4), 4, 3))
@pytest.mark.parametrize(
    "answer", mostly_slow([faults.HTML_PAGE, faults.NOT_FOUND], 2), ids=["page", "404"]
)
def test_a_delete_answered_by_a_proxy_is_sent_again(
    machine: Machine, n: int, answer: Response
) -> None:
    machine.create()
    machine.arm.faults.append(NthRequest(n, DELETES, answer))
    machine.delete()
    assert machine.kinds() == []
    assert [method for method, _ in machine.writes()].count("DELETE") == 5


def test_a_slow_delete_is_sent_once(machine: Machine) -> None:
    machine.create()
    machine.arm.settings.set("durations", "vm.delete", value=900)
    machine.arm.faults.append(NthRequest(0, faults.is_poll, faults.NOT_FOUND, times=None))
    machine.delete()
    assert [method for method, _ in machine.writes()].count("DELETE") == 4


def test_delete_names_what_fails_and_removes_the_rest(machine: Machine) -> None:
    machine.create()
    stuck = NthRequest(0, request_to("DELETE", "/virtualNetworks/"), faults.FORBIDDEN, times=None)
    machine.arm.faults.append(stuck)
    with pytest.raises(LeftBehind, match="AuthorizationFailed") as caught:
        machine.delete()
    assert machine.kinds() == ["resourceGroups", "virtualNetworks"]
    states = {one.id.rsplit("/", 1)[-1]: one.state for one in caught.value.resources}
    assert states["demo-vnet"] == "exists"
    machine.arm.faults.clear()
    machine.delete()
    assert machine.kinds() == []


def test_unreadable_resources_are_unknown_rather_than_deleted(machine: Machine) -> None:
    machine.create()
    blind = NthRequest(
        0, request_to("GET", "/virtualMachines/demo"), faults.UNAVAILABLE, times=None
    )
    machine.arm.faults.append(blind)
    with pytest.raises((LeftBehind, AzureRefused)) as caught:
        machine.delete()
    assert not any(one.state == "gone" for one in caught.value.resources)
    assert "virtualMachines" in machine.kinds()


def test_a_delete_interrupted_at_its_confirmation_changes_nothing(machine: Machine) -> None:
    machine.create()
    before = machine.writes()

    def refuse(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        machine.delete(approve=refuse)
    assert machine.writes() == before


def test_a_second_delete_completes_an_interrupted_one(machine: Machine) -> None:
    machine.create()
    machine.arm.on_commit = faults.AfterCommit(0, DELETES, KeyboardInterrupt())
    with pytest.raises(Interrupted):
        machine.delete()
    machine.arm.on_commit = None
    machine.delete()
    assert machine.kinds() == []


def test_delete_keeps_a_disk_without_our_tags(machine: Machine) -> None:
    machine.create()
    disk = "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/disks/weights"
    body = {
        "location": "eastus2",
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 64},
    }
    machine.put(disk, "2026-03-02", body)
    machine.delete()
    assert machine.kinds() == ["disks", "resourceGroups"]


def test_rollback_keeps_resources_of_another_run(machine: Machine) -> None:
    other = elsewhere(machine)

    vm_put = request_to("PUT", "/virtualMachines/demo")
    came = False

    def meanwhile(request: Request) -> Response | None:
        nonlocal came
        if came or not vm_put(request):
            return None
        came = True
        other.create()
        return faults.error(400, "BadRequest")

    machine.arm.faults.append(meanwhile)
    with pytest.raises(AzureRefused):
        machine.create()
    assert machine.kinds() == DEPLOYMENT_KINDS


@pytest.mark.parametrize("right", ["resourceGroups/resources/read", "resources/read"])
def test_delete_in_a_given_group_needs_only_one_right_to_list(machine: Machine, right: str) -> None:
    machine.create(make_spec(resource_group="lab"))
    provider = "Microsoft.Resources/subscriptions"
    kinds = ("Microsoft.Compute/*", "Microsoft.Network/*", f"{provider}/resourceGroups/read")
    last = (f"{provider}/resourceGroups/delete", f"{provider}/operationresults/read")
    machine.arm.settings.set("principal", value=[*kinds, *last, f"{provider}/{right}"])
    other = elsewhere(machine)
    if right == "resources/read":  # what is in a group is its own list's to say
        with pytest.raises(LeftBehind, match="AuthorizationFailed"):
            other.delete(group="lab")
        assert machine.kinds() == ["resourceGroups"]
        return
    other.delete(group="lab")
    assert machine.kinds() == []
