"""Many deployments at once: nothing is refused for too many requests, and none is read twice."""

import pytest

from ccgpu.fakearm import FakeArm, Request
from ccgpu.workflows.gc import CollectOutcome, collect
from ccgpu.workflows.list_deployments import list_deployments
from support.cloud import Machine, make_spec
from support.counts import Sent, sent_by
from support.faults import RESET
from support.leases import HOUR
from support.many import copy_deployment
from support.slow import mostly_slow


def fill(machine: Machine, count: int, ttl: str = "1h", name: str = "old") -> None:
    """So many deployments with this lease, two hours ago, under Azure's limits of requests."""
    for quota in ("cores", "StandardNCCads2023Family"):
        machine.arm.settings.set("quota", "*", quota, value=1_000_000)
    machine.create(make_spec(name=name, ttl=ttl))
    copy_deployment(machine.arm, name, [f"{name}{number}" for number in range(1, count)])
    machine.arm.advance(2 * HOUR)
    machine.arm.settings.set("buckets", value=True)


def throttled(arm: FakeArm) -> int:
    return sum(one["status"] == 429 for one in arm.show()["requests"])


def collected(machine: Machine, *, yes: bool = True) -> CollectOutcome:
    return collect(machine.cloud, yes=yes, listen=machine.events.append)


@pytest.mark.slow
@pytest.mark.parametrize("count", mostly_slow([40, 150], 2, 2))
def test_gc_deletes_many_and_is_never_throttled(machine: Machine, count: int) -> None:
    fill(machine, count)
    began = machine.arm.clock.now()
    found = collected(machine)
    assert {one.action for one in found.found} == {"removed"}
    assert (len(found.found), machine.ids(), throttled(machine.arm)) == (count, set(), 0)
    # 50 at a time, each in the minutes that Azure needs for one.
    assert machine.arm.clock.now() - began < 300 * (1 + count // 50)


@pytest.mark.usefixtures("lists")
def test_gc_reads_no_deployment_whose_lease_runs(machine: Machine) -> None:
    fill(machine, 30, ttl="72h")
    sent: list[Sent] = sent_by(machine.arm, lambda: collected(machine))
    assert len(sent) <= 5, sent


@pytest.mark.usefixtures("lists")
def test_list_sends_no_request_for_each_deployment(machine: Machine) -> None:
    fill(machine, 60, ttl="72h")
    sent = sent_by(machine.arm, lambda: list_deployments(machine.cloud))
    assert len(sent) <= 7, sent
    assert len(list_deployments(machine.cloud)) == 60
    assert throttled(machine.arm) == 0


@pytest.mark.slow
def test_one_that_fails_does_not_stop_the_others(machine: Machine) -> None:
    fill(machine, 5)

    def refuse(request: Request) -> None:
        if request.method == "DELETE" and "/ccgpu-old3/" in request.path:
            raise RESET

    machine.arm.faults.append(refuse)
    found = collected(machine)
    actions = {one.name: one.action for one in found.found}
    assert actions.pop("old3") == "failed"
    assert set(actions.values()) == {"removed"}
    assert found.failure is not None
