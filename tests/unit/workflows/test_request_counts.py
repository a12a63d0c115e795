"""How many requests each command sends, and how many of them in sequence.

A failure prints the requests. Polls are not counted: their number depends on Azure's speed.
"""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain.access import Access
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.resource import kind_of
from ccgpu.errors import Leftover
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, Request, Response
from ccgpu.store.keys import Keys
from ccgpu.workflows.discovery.leftovers import report_leftovers
from ccgpu.workflows.extend import extend
from ccgpu.workflows.guest_access import GuestOptions
from ccgpu.workflows.list_deployments import list_deployments
from ccgpu.workflows.resource_groups import find_foreign_contents
from ccgpu.workflows.show import show, show_created
from support import faults
from support.cloud import Machine, make_backend, make_spec
from support.counts import printed, sent_by, without_polls
from support.faults import NOT_FOUND, NthRequest
from support.latency import LatentExecutor
from support.slow import mostly_slow

_LATENCY = 0.1
_VM = "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo"
_NSG = "/resourceGroups/lab/providers/Microsoft.Network/networkSecurityGroups/"


def test_a_create_without_changes_reads_each_resource_once(machine: Machine) -> None:
    machine.create()
    requests = sent_by(machine.arm, machine.create)
    assert len(requests) <= 8, printed(requests)
    assert len(set(requests)) == len(requests), printed(requests)


def test_a_group_that_a_stale_replica_hides_is_not_created_anew(machine: Machine) -> None:
    machine.create()
    ids, etag = machine.ids(), machine.get(_VM)["etag"]
    other = Machine(machine.arm, machine.state.parent / "other")
    machine.arm.faults.append(
        hidden := NthRequest(0, lambda request: request.path.endswith("/ccgpu-demo"), NOT_FOUND)
    )
    other.create()
    assert hidden.fired
    assert (machine.ids(), machine.get(_VM)["etag"]) == (ids, etag)


def test_a_create_without_a_journal_sends_no_more_reads(machine: Machine) -> None:
    machine.create()
    other = Machine(machine.arm, machine.state.parent / "other")
    requests = sent_by(other.arm, other.create)
    assert len(requests) <= 8, printed(requests)


@pytest.mark.slow
def test_the_result_of_create_reads_only_the_public_address(machine: Machine) -> None:
    for snapshot in (machine.create().snapshot, machine.create().snapshot):
        requests = sent_by(machine.arm, partial(show_created, machine.cloud, snapshot))
        assert [one.path.split("/")[-2] for one in requests] == ["publicIPAddresses"]
    hidden = machine.create(make_spec(name="hidden", private=True)).snapshot
    assert sent_by(machine.arm, partial(show_created, machine.cloud, hidden)) == []


@pytest.mark.slow
def test_a_create_that_looks_into_the_guest_reads_its_address_once(machine: Machine) -> None:
    keys = Keys(machine.state, "demo", machine.state)
    guest = GuestOptions(make_backend(machine.arm, machine.state).channels, Access(), keys)
    snapshot = machine.create(guest=guest).snapshot
    assert sent_by(machine.arm, partial(show_created, machine.cloud, snapshot)) == []
    created, shown = show_created(machine.cloud, snapshot), show(machine.cloud, "demo")
    assert replace(created, vm_age=shown.vm_age) == shown  # a second may have passed in between


_CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "tags": {"tags": {"a": "b"}},
    "lease": {"ttl": "8h"},
    "another VM": {"spot": True},
    "data disks": {"data_disks": [{"size_gib": 64}]},
    "private": {"private": True},
}


@pytest.mark.parametrize("wait", mostly_slow([True, False], 2))
@pytest.mark.parametrize("change", mostly_slow(_CHANGES, 3))
def test_the_result_of_a_second_create_matches_azure(
    change: str, wait: bool, machine: Machine
) -> None:
    machine.create(make_spec(ttl="4h"))
    wanted = make_spec(**({"ttl": "4h"} | _CHANGES[change]))
    snapshot = machine.create(wanted, replace=True, wait=wait).snapshot
    created, shown = show_created(machine.cloud, snapshot), show(machine.cloud, "demo")
    assert replace(created, vm_age=shown.vm_age) == shown  # a second may have passed in between


@pytest.mark.parametrize("wait", [True, False])
def test_the_result_of_a_first_create_matches_azure(wait: bool, machine: Machine) -> None:
    snapshot = machine.create(make_spec(ttl="4h"), wait=wait).snapshot
    created, shown = show_created(machine.cloud, snapshot), show(machine.cloud, "demo")
    assert replace(created, vm_age=shown.vm_age) == shown  # a second may have passed in between


def test_request_count_of_a_first_create(machine: Machine) -> None:
    requests = without_polls(sent_by(machine.arm, machine.create))
    assert len(requests) <= 18, printed(requests)


_EXTENDED: dict[str, dict[str, Any]] = {
    "default": {},
    "with a lease": {"ttl": "1h"},
    "private": {"private": True},
    "data disk": {"data_disks": [{"size_gib": 64}]},
    "named group": {"resource_group": "mine"},
}


@pytest.mark.parametrize("tagless", mostly_slow([True, False], 2))
@pytest.mark.parametrize("changes", mostly_slow(_EXTENDED.values(), 3), ids=_EXTENDED)
def test_extend_sends_at_most_twelve_requests_polls_included(
    changes: dict[str, Any], tagless: bool, machine: Machine
) -> None:
    machine.create(make_spec(**changes))
    machine.arm.settings.set("tagless_lists", value=tagless)
    requests = sent_by(machine.arm, lambda: extend(machine.cloud, "demo", timedelta(hours=3)))
    assert len(requests) <= 12, printed(requests)
    assert any(one.is_poll for one in requests), printed(requests)


def test_extend_reads_each_resource_immediately_before_it_writes_it(machine: Machine) -> None:
    machine.create()
    requests = sent_by(machine.arm, lambda: extend(machine.cloud, "demo", timedelta(hours=3)))
    writes = [at for at, one in enumerate(requests) if one.method == "PATCH"]
    assert len(writes) == 2, printed(requests)
    for at in writes:
        read, write = requests[at - 1], requests[at]
        assert (read.method, read.path.lower()) == ("GET", write.path.lower()), printed(requests)


@pytest.mark.slow
def test_list_reads_pages_rather_than_each_deployment(machine: Machine) -> None:
    """Ten deployments with pages of a tenth of the length need as many requests as a hundred."""
    for size in ("page_size", "arm_page_size"):
        machine.arm.settings.set(size, value=machine.arm.settings.get(size) // 10)
    for quota in ("cores", "StandardNCCads2023Family"):
        machine.arm.settings.set("quota", "*", quota, value=400)
    for number in range(10):
        machine.create(make_spec(name=f"vm{number}"), wait=False)
    machine.arm.advance(3600)
    found: list[Any] = []
    requests = sent_by(machine.arm, lambda: found.extend(list_deployments(machine.cloud)))
    assert len(requests) <= 10, printed(requests)
    assert [(one.state, one.size) for one in found] == [("ready", make_spec().size)] * 10


@pytest.mark.parametrize("setting", ["tagless_lists", "agentless_lists"])
def test_list_reads_what_the_list_response_omits(machine: Machine, setting: str) -> None:
    machine.create()
    usual = list_deployments(machine.cloud)
    machine.arm.settings.set(setting, value=True)
    assert list_deployments(machine.cloud) == usual


def test_list_is_the_same_without_the_right_to_list_vms(machine: Machine) -> None:
    machine.create()
    usual = list_deployments(machine.cloud)
    machine.arm.faults.append(_refuse_lists_of_vms)
    assert list_deployments(machine.cloud) == usual


def test_a_deployment_whose_vm_is_not_listed_is_read(machine: Machine) -> None:
    machine.create()
    usual = list_deployments(machine.cloud)
    machine.arm.settings.set(
        "lag", value={"lists": 942}
    )  # the network is listed, the VM is not yet
    assert list_deployments(machine.cloud)[0].vm_id == usual[0].vm_id


def _refuse_lists_of_vms(request: Request) -> Response | None:
    return faults.FORBIDDEN if request.path.lower().endswith("/virtualmachines") else None


def test_requests_run_concurrently_up_to_the_pool_size(tmp_path: Path) -> None:
    arm = FakeArm()
    machine = Machine(arm, tmp_path, pool=LatentExecutor(arm, _LATENCY))
    began = arm.clock.now()
    machine.create(wait=False)
    network = max(arm.settings.get("durations", kind) for kind in ("nsg", "vnet"))
    assert arm.clock.now() - began - network <= 2
    arm.advance(3600)
    began = arm.clock.now()
    machine.create()
    assert arm.clock.now() - began <= 3 * _LATENCY


def test_the_contents_of_a_group_are_read_concurrently(tmp_path: Path) -> None:
    arm = FakeArm()
    machine = Machine(arm, tmp_path, pool=LatentExecutor(arm, _LATENCY))
    machine.put("/resourceGroups/lab", "2025-04-01", {"location": "eastus2"})
    names = tuple(f"theirs{number}" for number in range(6))
    for name in names:
        machine.put(f"{_NSG}{name}", "2026-03-01", {"location": "eastus2"})
    began, run = arm.clock.now(), Run.begin(machine.cloud, timeout=60)
    group = Names(FAKE_SUBSCRIPTION, "lab", "demo").of(Kind.GROUP)
    assert run_task(run, find_foreign_contents(run, group, "demo")).names == names
    assert arm.clock.now() - began <= 3 * _LATENCY


def test_the_dependents_of_a_vm_are_looked_at_concurrently_and_once(tmp_path: Path) -> None:
    """After a failure the VM is read, then its interface, then all that depends on it."""
    arm = FakeArm()
    Machine(arm, tmp_path / "state").create(make_spec(data_disks=[{"size_gib": 64}] * 3))
    machine = Machine(arm, tmp_path / "state", pool=LatentExecutor(arm, _LATENCY))
    run, began = Run.begin(machine.cloud, timeout=60), arm.clock.now()
    names, found = Names(FAKE_SUBSCRIPTION, "ccgpu-demo", "demo"), list[Leftover]()
    ids = {names.vm: Kind.VM, names.os_disk: Kind.DISK}
    sent = sent_by(arm, lambda: found.extend(report_leftovers(run, ids, "demo")))
    assert arm.clock.now() - began <= 3 * _LATENCY
    kinds = Counter(kind_of(one.id) for one in found)
    assert kinds == {Kind.VM: 1, Kind.DISK: 4, Kind.NIC: 1, Kind.PUBLIC_IP: 1}
    twice = [path for path, times in Counter(one.path for one in sent).items() if times > 1]
    assert [kind_of(path) for path in twice] == [Kind.NIC], printed(sent)
