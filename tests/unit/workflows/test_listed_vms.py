"""`list` with the help of an index that lags shows what it shows without it, in every world.

`page_size` decides which way it takes: with 50 all VMs are on the first page of Azure's list.
"""

from collections.abc import Callable
from typing import Any

import pytest

from ccgpu.azure.run import Run
from ccgpu.domain.resource import key
from ccgpu.errors import AzureRefused
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Request, Response
from ccgpu.scheduling.time_left import seconds_left
from ccgpu.workflows.discovery.listed_vms import VmModels, join_vms
from ccgpu.workflows.discovery.listing import list_all_deployments
from ccgpu.workflows.list_deployments import list_deployments
from support import faults
from support.cloud import Machine, make_spec
from support.counts import Sent, sent_by
from support.faults import NthRequest
from support.leases import HOUR, extend
from support.many import copy_deployment

_DAY = 24 * HOUR
_GRAPH = "/providers/Microsoft.ResourceGraph/resources"
_NAMES = [f"vm{number}" for number in range(6)]
_ALONE = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/"


def _id(name: str, group: str | None = None) -> str:
    where = f"{_ALONE}{group or f'ccgpu-{name}'}/providers/Microsoft.Compute"
    return f"{where}/virtualMachines/{name}"


@pytest.fixture
def fleet(machine: Machine) -> Machine:
    """Six deployments, at rest for two days, all of them in the index, which is a day behind."""
    for quota in ("cores", "StandardNCCads2023Family"):
        machine.arm.settings.set("quota", "*", quota, value=1_000_000)
    machine.create(make_spec(name=_NAMES[0], ttl="240h"))
    copy_deployment(machine.arm, _NAMES[0], _NAMES[1:])
    machine.arm.advance(2 * _DAY)
    machine.arm.settings.set("lag", value={"graph": 30 * HOUR})
    return machine


def _change(machine: Machine, name: str, change: Callable[[Any], None]) -> None:
    """Change a VM as its owner does at Azure's portal: an operation that ends now."""
    world = machine.arm._world
    with machine.arm._store.transaction():
        world.begin_request()
        vm = world.require(_id(name))
        change(vm)
        vm.internal_state["changedAt"] = world.now
        world.save(vm)


def _resize(vm: Any) -> None:
    vm.properties["hardwareProfile"]["vmSize"] = "Standard_DC2as_v5"


def _retag(name: str, value: str | None) -> Callable[[Any], None]:
    def change(vm: Any) -> None:
        vm.body["tags"] = {**vm.body["tags"], name: value}
        if value is None:
            del vm.body["tags"][name]

    return change


def _keep(_: Machine) -> None:
    """Change nothing."""


def _resize_all(machine: Machine) -> None:
    for name in _NAMES:
        _change(machine, name, _resize)


def _move(machine: Machine) -> None:
    """Move a VM to another group, which changes its id."""
    world = machine.arm._world
    with machine.arm._store.transaction():
        world.begin_request()
        vm = world.require(_id("vm3"))
        world.remove(vm)
        vm.id = vm.body["id"] = _id("vm3", "moved")
        world.save(vm)


def _create(machine: Machine) -> None:
    copy_deployment(machine.arm, "vm3", ["vm9"])
    _change(machine, "vm9", _renew)


def _replace(machine: Machine) -> None:
    """Delete a VM and make another one of that name, of another size."""
    world = machine.arm._world
    with machine.arm._store.transaction():
        world.begin_request()
        vm = world.require(_id("vm3"))
        world.remove(vm)
        _renew(vm)
        _resize(vm)
        world.save(vm)


def _renew(vm: Any) -> None:
    """Make it a VM of today."""
    vm.created += 2 * _DAY
    vm.properties["vmId"] = "00000000-0000-4000-8000-00000000cafe"


def _add_foreign(machine: Machine) -> None:
    """Two VMs without a deployment's tag."""
    copy_deployment(machine.arm, "vm3", ["theirs1", "theirs2"])
    for name in ("theirs1", "theirs2"):
        _change(machine, name, _retag("ccgpu-deployment", None))


def _set(name: str) -> Callable[[Machine], None]:
    return lambda machine: machine.arm.settings.set(name, value=True)


def _refuse(answer: Any, n: int = 0) -> Callable[[Machine], None]:
    """Let the index answer so, from the `n`th query on."""

    def act(machine: Machine) -> None:
        asked: Callable[[Request], bool] = lambda request: request.path == _GRAPH  # noqa: E731
        machine.arm.faults.append(NthRequest(n, asked, answer, None))

    return act


def _cut(machine: Machine) -> None:
    _refuse(Response(200, '{"totalRecords": 6, "count": 6, "data": [{"id"', {}))(machine)


def _repeat(machine: Machine) -> None:
    """The index offers the same page again and again."""
    row = {"id": _id("vm1"), "location": "eastus2", "properties": {}}
    page = {"totalRecords": 6, "count": 1, "data": [row], "$skipToken": "t"}
    _refuse(Response(200, page))(machine)


def _may_only(machine: Machine) -> None:
    granted = ["Microsoft.Compute/*", "Microsoft.Resources/*", "Microsoft.Network/*"]
    machine.arm.settings.set("principal", value=granted)


def _refuse_statuses(machine: Machine) -> None:
    machine.arm.faults.append(
        lambda request: faults.FORBIDDEN if request.query.get("statusOnly") else None
    )


# What has happened → how many more VMs are read one by one than without the index. None: the index
# has no answer, or too many differ, and all pages are read.
_WORLDS: dict[str, tuple[Callable[[Machine], object], int | None]] = {
    "nothing": (_keep, 0),
    "created": (_create, 1),
    "deleted": (lambda machine: machine.delete("vm3"), 0),
    "made anew": (_replace, 1),
    "moved": (_move, 0),  # it is read anyway: its old group has none any more
    "resized": (lambda machine: _change(machine, "vm3", _resize), 1),
    "leased for longer": (lambda machine: extend(machine, 99, "vm3"), 1),
    "tagged": (lambda machine: _change(machine, "vm3", _retag("ccgpu-expires", "x")), 1),
    "tag gone": (lambda machine: _change(machine, "vm3", _retag("ccgpu-deployment", None)), 1),
    "others' VMs": (_add_foreign, 1),
    "tagless lists": (_set("tagless_lists"), 0),
    "no agents listed": (_set("agentless_lists"), 0),
    "statuses denied": (_refuse_statuses, None),
    "denied": (_may_only, None),
    "throttled": (_refuse(faults.THROTTLED), None),
    "down": (_refuse(faults.UNAVAILABLE), None),
    "reset": (_refuse(faults.RESET), None),
    "silent": (_refuse(faults.TIMEOUT), None),
    "a proxy's page": (_refuse(faults.HTML_PAGE), None),
    "cut": (_cut, None),
    "repeating": (_repeat, None),
    "all changed": (_resize_all, None),
}


def _list(machine: Machine, page_size: int) -> tuple[Any, list[Sent]]:
    machine.arm.settings.set("page_size", value=page_size)
    rows: list[Any] = []
    sent = sent_by(machine.arm, lambda: rows.extend(list_deployments(machine.cloud)))
    return rows, sent


def _reads(sent: list[Sent]) -> int:
    return len([one for one in sent if "/virtualMachines/" in one.path])


def _pages(sent: list[Sent]) -> int:
    return len([one for one in sent if one.path.endswith("/virtualMachines")])


@pytest.mark.parametrize("world", _WORLDS)
def test_the_rows_are_those_of_the_live_list(fleet: Machine, world: str) -> None:
    act, reads = _WORLDS[world]
    act(fleet)
    plain, without = _list(fleet, 50)
    shown, sent = _list(fleet, 1)
    assert shown == plain
    assert not [one for one in without if one.path == _GRAPH]
    if reads is None:
        assert _pages(sent) >= len(_NAMES)
    else:
        assert [one.path for one in sent].count(_GRAPH) == 1
        assert _reads(sent) - _reads(without) == reads, sent


# A size that was changed in place is not among them: nothing live tells it but a VM's own GET.
_TOLD_LIVE = ("created", "deleted", "made anew", "moved", "leased for longer", "tagged", "tag gone")


@pytest.mark.slow
@pytest.mark.parametrize("world", _TOLD_LIVE)
def test_they_are_when_the_index_stays_behind_for_hours(fleet: Machine, world: str) -> None:
    _WORLDS[world][0](fleet)
    fleet.arm.advance(5 * HOUR)
    plain, _ = _list(fleet, 50)
    shown, sent = _list(fleet, 1)
    assert shown == plain
    assert _GRAPH in [one.path for one in sent]


def test_too_many_in_doubt_are_read_page_by_page(fleet: Machine) -> None:
    """So that no more than the query of the index is sent in vain."""
    fleet.arm.settings.set("page_size", value=2)
    usual = _list(fleet, 2)[1]
    for name in _NAMES[2:]:
        _change(fleet, name, _resize)
    sent = _list(fleet, 2)[1]
    assert _reads(sent) == 0
    assert len(sent) == len(usual) + 2, sent  # the second and the third page


def test_pages_of_the_index_are_followed(fleet: Machine) -> None:
    fleet.arm.settings.set("graph_page_size", value=2)
    shown, sent = _list(fleet, 1)
    assert [one.path for one in sent].count(_GRAPH) == 3
    assert (len(shown), _reads(sent)) == (6, 0)


def test_a_small_subscription_asks_no_index(fleet: Machine) -> None:
    shown, sent = _list(fleet, 6)
    assert (len(shown), len(sent)) == (6, 4), sent


@pytest.mark.parametrize(("limit", "longest"), [(300.0, 15.0), (9.0, 9.0)])
def test_the_index_has_seconds_to_answer(fleet: Machine, limit: float, longest: float) -> None:
    left: list[float] = []

    def note(request: Request) -> None:
        if request.path == _GRAPH:
            left.append(seconds_left())

    fleet.arm.faults.append(note)
    fleet.arm.settings.set("page_size", value=1)
    list_all_deployments(Run.begin(fleet.cloud, limit))
    assert left == [longest]


def test_a_list_that_breaks_off_is_no_short_list(fleet: Machine) -> None:
    """Without the index, the pages behind the first one are needed; nothing else replaces them."""
    _refuse(faults.UNAVAILABLE)(fleet)
    behind: Callable[[Request], bool] = lambda request: (  # noqa: E731
        "$skiptoken" in request.query and "statusOnly" not in request.query
    )
    fleet.arm.faults.append(NthRequest(0, behind, faults.error(400, "Bad"), None))
    with pytest.raises(AzureRefused, match="listing virtual machines"):
        _list(fleet, 1)


def test_without_azures_time_nobody_knows_what_is_old(fleet: Machine) -> None:
    fleet.arm.settings.set("page_size", value=1)
    run = Run.begin(fleet.cloud, 60)
    queries = run.cloud.queries
    first, link = queries.first_virtual_machines()
    statuses = queries.virtual_machines(status_only=True)
    assert run.server_clock.time() is None
    found = join_vms(run, VmModels(first, link, queries.indexed_virtual_machines()), statuses, {})
    assert sorted(found) == sorted(key(_id(name)) for name in _NAMES)
