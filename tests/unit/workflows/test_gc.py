"""Garbage collection deletes expired deployments of every machine and keeps all others."""

from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.events import Event
from ccgpu.errors import CcgpuError, Interrupted, LeftBehind
from ccgpu.fakearm import FakeArm, Request, Response
from ccgpu.workflows import gc as collecting
from ccgpu.workflows.list_deployments import list_deployments
from support import faults
from support.cloud import DEPLOYMENT_KINDS, Machine, make_spec
from support.faults import NthRequest, request_to
from support.leases import (
    HOUR,
    BeforeRequest,
    actions,
    collect,
    extend,
    other_machine,
    single_deployment,
)
from support.prepared import copy_of_machine
from support.slow import mostly_slow

BOTH = pytest.mark.usefixtures("lists")
REMOVED = [("demo", "expired", "removed")]
DECOYS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Microsoft.Network/networkSecurityGroups/theirs", "2026-03-01", {"team": "other"}),
    ("Microsoft.Network/virtualNetworks/demo2-vnet", "2026-03-01", {"ccgpu-deployment": "demo2"}),
    ("Microsoft.Network/publicIPAddresses/demo-ip", "2026-03-01", {}),
)


def put(machine: Machine, group: str, what: str, version: str, tags: dict[str, str]) -> None:
    body: dict[str, object] = {"location": "eastus2", "tags": tags}
    if "virtualNetworks" in what:
        body["properties"] = {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}
    if "publicIPAddresses" in what:
        body |= {"sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}}
    machine.put(f"/resourceGroups/{group}/providers/{what}", version, body)


def create_expired(machine: Machine, **changes: object) -> Machine:
    """Create a deployment with a ttl of one hour; advance the time by two."""
    machine.create(make_spec(ttl="1h", **changes))
    machine.arm.advance(2 * HOUR)
    return machine


@pytest.mark.slow
@BOTH
def test_gc_deletes_expired_deployments_of_every_machine(machine: Machine) -> None:
    create_expired(machine, private=True, data_disks=[{"size_gib": 64}])
    there = {one.casefold() for one in machine.ids()}
    found = collect(other_machine(machine))
    assert actions(found) == REMOVED
    assert {one.casefold() for one in single_deployment(found).resources} == there
    assert (machine.kinds(), machine.arm.show()["billing"]) == ([], [])
    assert collect(other_machine(machine)).found == ()


@BOTH
def test_gc_without_yes_only_lists_expired_deployments(machine: Machine) -> None:
    create_expired(machine)
    before = machine.writes()
    found = collect(other_machine(machine), yes=False)
    assert actions(found) == [("demo", "expired", "would-remove")]
    assert {one.casefold() for one in single_deployment(found).resources} == {
        one.casefold() for one in machine.ids()
    }
    assert machine.writes() == before
    assert found.failure is None


@BOTH
def test_the_grace_period_is_ten_minutes_by_azures_clock(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    ends = list_deployments(machine.cloud)[0].seconds_left or 0
    machine.arm.advance(ends + 590)
    assert collect(machine).found == ()
    machine.arm.advance(15)
    assert actions(collect(machine)) == REMOVED


@pytest.mark.slow
@pytest.mark.parametrize("by", mostly_slow([-HOUR, HOUR], 2))
def test_a_wrong_local_clock_changes_nothing(machine: Machine, by: float) -> None:
    wrong = other_machine(machine, by)
    wrong.create(make_spec(ttl="1h"))
    ends = list_deployments(wrong.cloud)[0].seconds_left or 0
    assert 40 * 60 < ends < HOUR
    machine.arm.advance(ends + 590)
    assert collect(wrong).found == ()
    extend(wrong, 1)
    assert list_deployments(machine.cloud)[0].seconds_left == pytest.approx(HOUR, abs=60)
    machine.arm.advance(HOUR + 605)
    assert actions(collect(wrong)) == REMOVED
    assert machine.kinds() == []


@BOTH
def test_deployments_without_a_lease_stay(machine: Machine) -> None:
    machine.create()
    machine.arm.advance(1000 * HOUR)
    assert collect(machine).found == ()
    assert machine.kinds() == DEPLOYMENT_KINDS


@pytest.mark.slow
@BOTH
def test_resources_with_similar_tags_stay_with_their_group(machine: Machine) -> None:
    machine.put("/resourceGroups/theirs", "2025-04-01", {"location": "eastus2"})
    create_expired(machine)
    ours = {one for one in machine.ids() if "/providers/" in one}
    for decoy in DECOYS:
        put(machine, "ccgpu-demo", *decoy)
        put(machine, "theirs", *decoy)
    decoys = {one for one in machine.ids() if "/providers/" in one} - ours
    assert len(decoys) == 2 * len(DECOYS)
    found = collect(other_machine(machine))
    assert actions(found)[0] == REMOVED[0]
    assert "demo-ip, demo2-vnet, theirs" in (found.found[0].reason or "")
    groups = {one for one in machine.ids() if "/providers/" not in one}
    assert machine.ids() == decoys | groups
    assert {one.rsplit("/", 1)[-1] for one in groups} == {"ccgpu-demo", "theirs"}


@BOTH
def test_a_kept_group_is_not_collected_again(machine: Machine) -> None:
    create_expired(machine)
    put(machine, "ccgpu-demo", *DECOYS[0])
    collect(machine)
    machine.arm.advance(HOUR)
    before = machine.writes()
    again = single_deployment(collect(machine))
    assert (again.action, again.resources) == ("skipped", ())
    assert "there is more in it: theirs" in (again.reason or "")
    assert machine.writes() == before


@BOTH
def test_invalid_deployment_names_in_tags_are_skipped(machine: Machine) -> None:
    machine.put("/resourceGroups/theirs", "2025-04-01", {"location": "eastus2"})
    tags = {"ccgpu-deployment": "../../evil", "ccgpu-created": "2020-01-01T00:00:00Z"}
    put(machine, "theirs", DECOYS[0][0], "2026-03-01", tags)
    machine.arm.advance(4 * HOUR)
    found = single_deployment(collect(machine))
    assert (found.action, found.reason) == ("skipped", "that is no name that ccgpu gives")
    assert not list(machine.state.parent.rglob("*evil*"))
    assert machine.kinds() == ["networkSecurityGroups", "resourceGroups"]


@BOTH
@pytest.mark.parametrize("hours", [2, 4])
def test_gc_deletes_leftovers_of_a_dead_create_after_three_hours(
    machine: Machine, hours: int
) -> None:
    machine.arm.faults.append(
        NthRequest(0, request_to("PUT", "/virtualMachines/"), KeyboardInterrupt())
    )
    with pytest.raises(Interrupted):
        machine.create()
    machine.arm.advance(hours * HOUR)
    found = single_deployment(collect(other_machine(machine)))
    if hours == 2:
        assert (found.action, found.why) == ("skipped", None)
        assert "being created" in (found.reason or "")
        assert machine.kinds()
    else:
        assert (found.action, found.why) == ("removed", "orphaned")
        assert machine.kinds() == []


@pytest.mark.slow
@BOTH
def test_a_failed_deletion_does_not_stop_the_others(machine: Machine) -> None:
    for name in ("one", "two", "three"):
        machine.create(make_spec(name=name, ttl="1h", regions=["eastus2", "westeurope"]))
        machine.arm.settings.set("quota", "*", "StandardNCCads2023Family", value=400)
    machine.arm.advance(3 * HOUR)
    stuck = NthRequest(
        0, request_to("DELETE", "/virtualNetworks/three-vnet"), faults.FORBIDDEN, times=None
    )
    machine.arm.faults.append(stuck)
    found = collect(other_machine(machine))
    assert [(one.name, one.action) for one in found.found] == [
        ("one", "removed"),
        ("three", "failed"),
        ("two", "removed"),
    ]
    assert isinstance(found.failure, LeftBehind)
    assert "AuthorizationFailed" in str(found.failure)
    left = {one.id for one in found.failure.resources}
    assert {one.rsplit("/", 1)[-1] for one in left} == {"three-vnet", "ccgpu-three"}
    assert left == machine.ids()
    machine.arm.faults.clear()
    assert collect(other_machine(machine)).failure is None
    assert machine.kinds() == []


def test_what_became_of_deployments_is_told_even_if_images_cannot_be_listed(
    machine: Machine,
) -> None:
    create_expired(machine)

    def refuse(request: Request) -> Response | None:
        of_images = "ccgpu-image-manifest" in request.query.get("$filter", "")
        return faults.error(400, "BadList") if of_images else None

    stuck = NthRequest(0, request_to("DELETE", "/demo-vnet"), faults.FORBIDDEN, times=None)
    machine.arm.faults += [refuse, stuck]
    found = collect(machine)
    assert actions(found) == [("demo", "expired", "failed")]
    assert isinstance(found.failure, LeftBehind)
    assert "BadList" in str(found.failure)
    assert str(found.failure.hint).startswith("grant the action that the message names")
    assert str(found.failure.hint).endswith("; then `ccgpu gc --yes` tries again")
    assert {one.id for one in found.failure.resources} == machine.ids()


@BOTH
def test_an_unreadable_deployment_is_a_failure(machine: Machine) -> None:
    create_expired(machine)
    blind = NthRequest(0, request_to("GET", "/virtualMachines/demo"), faults.FORBIDDEN, times=None)
    machine.arm.faults.append(blind)
    found = collect(other_machine(machine))
    assert actions(found) == [("demo", None, "failed")]
    assert isinstance(found.failure, LeftBehind)
    assert "grant the action" in str(found.failure.hint)
    assert machine.kinds() == DEPLOYMENT_KINDS


@pytest.mark.slow
def test_gc_removes_the_journal_of_a_collected_deployment(machine: Machine) -> None:
    create_expired(machine)
    collect(machine)
    assert not list(machine.state.rglob("demo.json"))
    machine.create()
    assert machine.kinds() == DEPLOYMENT_KINDS


def test_a_damaged_journal_keeps_nothing_billing_and_stays_as_it_is(machine: Machine) -> None:
    create_expired(machine)
    (journal,) = machine.state.rglob("demo.json")
    journal.write_text("{")
    assert single_deployment(collect(machine)).action == "removed"
    assert (machine.kinds(), journal.read_text()) == ([], "{")


def test_gc_skips_a_deployment_locked_on_this_machine(machine: Machine) -> None:
    create_expired(machine)
    cloud = machine.cloud
    with cloud.journals.locked(cloud.subscription, "demo", lambda: None):
        found = single_deployment(collect(machine))
    assert (found.action, found.resources) == ("skipped", ())
    assert "another ccgpu" in (found.reason or "")
    assert machine.kinds() == DEPLOYMENT_KINDS


@BOTH
def test_removing_the_tag_of_the_vm_cancels_the_lease(machine: Machine) -> None:
    create_expired(machine)
    vm = "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo"
    tags = {k: v for k, v in machine.get(vm)["tags"].items() if k != "ccgpu-expires"}
    (id_,) = (one for one in machine.ids() if one.endswith("/virtualMachines/demo"))
    machine.cloud.arm.tag(Kind.VM, id_, tags)
    machine.arm.advance(60)
    assert collect(other_machine(machine)).found == ()
    assert machine.kinds() == DEPLOYMENT_KINDS


@pytest.mark.slow
def test_gc_reads_resources_again_before_it_deletes(machine: Machine) -> None:
    create_expired(machine)
    stale: list[object] = []

    def lagging(request: Request) -> Response | None:
        if not _is_search(request) or not stale:
            return None
        date = formatdate(machine.arm.now(), usegmt=True)
        return Response(200, stale.pop(0), {"Date": date, "x-ms-correlation-request-id": "1"})

    def remember(request: Request, answer: Response) -> None:
        if _is_search(request):
            stale.append(answer.body)

    machine.arm.on_commit = remember
    collect(machine, yes=False)
    machine.arm.on_commit = None
    extend(machine, 4)
    machine.arm.faults.append(lagging)
    assert len(stale) == 3
    assert collect(other_machine(machine)).found == ()
    assert stale == []
    assert machine.kinds() == DEPLOYMENT_KINDS


def _is_search(request: Request) -> bool:
    return "tagName" in request.query.get("$filter", "")


@pytest.mark.slow
@BOTH
def test_a_lease_changed_during_gc_keeps_the_deployment(machine: Machine) -> None:
    create_expired(machine)
    (id_,) = (one for one in machine.ids() if one.endswith("/virtualMachines/demo"))
    cloud, tags = machine.cloud, machine.get(f"{id_.partition('0001')[2]}")["tags"]

    class AtTheDelete(BeforeRequest):
        def __call__(self, request: Request) -> Response | None:
            return super().__call__(request) if request.method == "DELETE" else None

    def taken_up() -> None:
        cloud.arm.tag(Kind.VM, id_, tags | {"mine": "now"})
        machine.arm.advance(20)

    machine.arm.faults.append(AtTheDelete(machine.arm, 0, taken_up))
    found = single_deployment(collect(other_machine(machine)))
    assert (found.action, found.resources) == ("skipped", ())
    assert "changed since it was checked" in (found.reason or "")
    assert [method for method, _ in machine.writes()].count("DELETE") == 1
    assert machine.kinds() == DEPLOYMENT_KINDS


@BOTH
def test_gc_deletes_the_disk_of_a_deleted_vm_with_its_group(machine: Machine) -> None:
    leftovers(machine)
    disk = "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/disks/demo-osdisk"
    empty = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 64}
    machine.put(disk, "2026-03-02", {"location": "eastus2", "properties": empty})
    assert single_deployment(collect(other_machine(machine))).action == "removed"
    assert machine.kinds() == []


@BOTH
def test_the_disks_of_a_vm_are_found_without_tags(machine: Machine) -> None:
    create_expired(machine, data_disks=[{"size_gib": 64}])
    for id_ in machine.ids():
        if "/disks/" in id_:
            machine.cloud.arm.tag(Kind.DISK, id_, {})
    machine.arm.advance(20)
    found = single_deployment(collect(other_machine(machine), yes=False))
    assert {one.rsplit("/", 1)[-1] for one in found.resources} >= {"demo-osdisk", "demo-data0"}
    assert len(found.resources) == len(DEPLOYMENT_KINDS) + 1


@pytest.mark.slow
def test_gc_starts_no_deletion_after_its_timeout(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "_AT_ONCE", 1)
    for name in ("one", "two"):
        machine.create(make_spec(name=name, ttl="1h"))
    machine.arm.advance(3 * HOUR)
    found = collect(machine, timeout=30)
    assert [one.action for one in found.found] == ["failed", "skipped"]
    assert isinstance(found.failure, LeftBehind)
    assert any("two" in one for one in machine.ids())


Command = Callable[[Machine], object]
# Before which requests another machine acts: every 32nd, in slow runs every 16th, in runs of
# every case each.
AT = mostly_slow([range(0, 1000, 32), *(range(first, 1000, 16) for first in range(16))], 17, 16)


@pytest.fixture(params=AT)
def between(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., int]:
    """`between(outer, inner, prepare, check)`: `inner` on another machine amid `outer`."""

    def at_each(outer: Command, inner: Command, prepare: Command, check: Command) -> int:
        before = Machine(FakeArm(), tmp_path / "before" / "one")
        prepare(before)
        for at in request.param:
            one = copy_of_machine(before, tmp_path / str(at))
            if not _one_in_the_other(one, at, outer, inner, check):
                break
        before.arm.close()
        return int(at)

    return at_each


def _one_in_the_other(
    one: Machine, at: int, outer: Command, inner: Command, check: Command
) -> bool:
    """Run all of `inner` before request `at` of `outer`; False if there is no such request."""
    between = BeforeRequest(one.arm, at, lambda: run_and_record_errors(inner, other_machine(one)))
    one.arm.faults.append(between)
    run_and_record_errors(outer, one)
    if between.request is not None and not _is_unconditional_delete(between.request):
        check(one)
    assert one.arm.slept == 0
    one.arm.close()
    return between.request is not None


def _is_unconditional_delete(request: Request) -> bool:
    """Whether a group is deleted: Azure has no conditional DELETE of groups."""
    return request.method == "DELETE" and "/providers/" not in request.path


def run_and_record_errors(command: Command, machine: Machine) -> None:
    """Run a command; record its CcgpuError as an event and let other exceptions fail the test."""
    try:
        command(machine)
    except CcgpuError as err:
        machine.events.append(Event("failed", 0, repr(err)))


def collection(machine: Machine) -> None:
    """Run gc; it must complete every deletion that it started."""
    found = collect(machine)
    assert found.failure is None, found.failure


def create(machine: Machine) -> None:
    machine.create(make_spec(ttl="8h"))


def extension(machine: Machine) -> None:
    extend(machine, 8)


def delete(machine: Machine) -> None:
    machine.delete()


def leftovers(machine: Machine) -> None:
    """Leave the resources of a create that died four hours ago."""
    machine.arm.faults.append(
        NthRequest(0, request_to("PUT", "/virtualMachines/"), KeyboardInterrupt())
    )
    with pytest.raises(Interrupted):
        machine.create()
    machine.arm.faults.clear()
    machine.arm.advance(4 * HOUR)


def empty(_: Machine) -> None:
    """Start without any resource."""


def whole(machine: Machine) -> None:
    assert machine.kinds() == DEPLOYMENT_KINDS, machine.events[-5:]
    (found,) = list_deployments(machine.cloud)
    assert (found.seconds_left or 0) > HOUR


def nothing(machine: Machine) -> None:
    assert machine.kinds() == [], machine.events[-5:]


def extended_or_gone(machine: Machine) -> None:
    """The deployment is extended, or its remains expire at their new time; the VM decides which."""
    if "virtualMachines" in machine.kinds():
        whole(machine)
        return
    machine.arm.advance(9 * HOUR)
    collect(machine)
    nothing(machine)


@pytest.mark.slow
@pytest.mark.parametrize("prepare", mostly_slow([create_expired, leftovers, empty], 3))
@pytest.mark.parametrize(
    ("outer", "inner"),
    mostly_slow([pytest.param(create, collection), pytest.param(collection, create)], 2),
)
def test_gc_during_a_create_deletes_nothing_of_it(
    between: Callable[..., int], outer: Command, inner: Command, prepare: Command
) -> None:
    assert between(outer, inner, prepare, whole) > 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("outer", "inner"),
    mostly_slow([pytest.param(collection, extension), pytest.param(extension, collection)], 2),
)
def test_gc_during_an_extend_deletes_all_or_nothing(
    between: Callable[..., int], outer: Command, inner: Command
) -> None:
    assert between(outer, inner, create_expired, extended_or_gone) > 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("outer", "inner"),
    mostly_slow([pytest.param(delete, collection), pytest.param(collection, delete)], 2),
)
def test_gc_during_a_delete_leaves_nothing(
    between: Callable[..., int], outer: Command, inner: Command
) -> None:
    assert between(outer, inner, create_expired, nothing) > 12


@pytest.mark.slow
@pytest.mark.parametrize(("outer", "inner"), [(collection, collection)])
def test_concurrent_gc_runs_leave_nothing(
    between: Callable[..., int], outer: Command, inner: Command
) -> None:
    assert between(outer, inner, create_expired, nothing) > 12


def test_deployments_of_one_name_in_two_groups_are_deleted_by_the_same_run(
    machine: Machine,
) -> None:
    machine.create(make_spec(ttl="1h"))
    other_machine(machine).create(make_spec(ttl="1h", resource_group="lab"))
    machine.arm.advance(3 * HOUR)
    assert actions(collect(machine)) == [("demo", "expired", "removed")] * 2
    assert machine.kinds() == []
