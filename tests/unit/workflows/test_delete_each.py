"""Several deployments are deleted at the same time, and one that stays does not stop the others."""

import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest

from ccgpu.domain.resource import ResourceId
from ccgpu.errors import CcgpuError, Interrupted, LeftBehind
from ccgpu.fakearm import FakeArm, Request, Response
from ccgpu.workflows.delete import DeleteOutcomes, delete_each
from support.cloud import Machine, make_spec
from support.faults import FORBIDDEN, NthRequest, error, request_to
from support.first_creates import copy_subscription
from support.latency import LatentExecutor

CONFLICT = error(409, "Conflict")
NAMES = ("one", "two", "three")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(FakeArm(), tmp_path_factory.mktemp("three") / "state")
    machine.arm.settings.set("quota", "*", "StandardNCCads2023Family", value=400)
    for name in NAMES:
        machine.create(make_spec(name=name), wait=False)
    machine.arm.advance(3600)
    return machine


@pytest.fixture
def three(made: Machine, machine: Machine) -> Machine:
    copy_subscription(made.arm, machine.arm)
    shutil.copytree(made.state, machine.state)
    return machine


def deleted(machine: Machine, *names: str) -> DeleteOutcomes:
    return delete_each(machine.cloud, names)


def owners(machine: Machine) -> set[str]:
    return {id_.split("/")[4].removeprefix("ccgpu-") for id_ in machine.ids()}


def test_all_are_deleted_in_the_time_of_one(three: Machine) -> None:
    began = three.arm.clock.now()
    assert len(deleted(three, "one").done) == 1
    alone = three.arm.clock.now() - began
    began = three.arm.clock.now()
    done = deleted(three, "two", "three")
    assert three.arm.clock.now() - began <= alone + 1
    assert [one.name for one in done.done] == ["three", "two"]
    assert (done.failure, three.ids()) == (None, set())


def test_a_name_given_twice_counts_once_and_an_absent_one_succeeds(three: Machine) -> None:
    done = deleted(three, "one", "one", "nothing")
    assert [(one.name, bool(one.gone)) for one in done.done] == [("nothing", False), ("one", True)]
    assert owners(three) == {"two", "three"}


def test_they_are_looked_for_at_the_same_time(three: Machine) -> None:
    slow = replace(three, pool=LatentExecutor(three.arm, 0.2))

    def seconds_until_asked(*names: str) -> float:
        began = three.arm.clock.now()

        def refuse(_: list[ResourceId]) -> None:
            raise CcgpuError("no")

        with pytest.raises(CcgpuError, match="no"):
            delete_each(slow.cloud, names, approve=refuse)
        return three.arm.clock.now() - began

    # Five searches at once have the 8 threads of one pool.
    assert seconds_until_asked(*NAMES, "four", "five") <= 3 * seconds_until_asked("one")


def _refusing(name: str, answer: Response = CONFLICT) -> NthRequest:
    path = f"/ccgpu-{name}/providers/Microsoft.Network/networkSecurityGroups/"
    return NthRequest(0, request_to("DELETE", path), answer, times=None)


def test_one_that_stays_does_not_stop_the_others(three: Machine) -> None:
    three.arm.faults.append(_refusing("two"))
    done = deleted(three, *NAMES)
    assert [one.name for one in done.done] == ["one", "three"]
    assert isinstance(done.failure, LeftBehind)
    assert {one.id.split("/")[4] for one in done.failure.resources} == {"ccgpu-two"}
    assert owners(three) == {"two"}


def test_several_that_stay_are_one_error_with_all_their_resources(three: Machine) -> None:
    three.arm.faults += [_refusing("one"), _refusing("two")]
    done = deleted(three, *NAMES)
    assert [one.name for one in done.done] == ["three"]
    assert isinstance(done.failure, LeftBehind)
    assert "2 deployments are not completely deleted" in str(done.failure)
    assert done.failure.hint == "`ccgpu delete one two` tries again"
    groups = {one.id.split("/")[4] for one in done.failure.resources}
    assert groups == {"ccgpu-one", "ccgpu-two"}
    assert "one is not completely deleted" not in str(done.failure)
    three.arm.faults.clear()
    assert deleted(three, "one", "two").failure is None
    assert three.ids() == set()


@pytest.mark.parametrize(("other", "code"), [(FORBIDDEN, 4), (CONFLICT, 7)], ids=["right", "else"])
def test_the_worst_cause_makes_the_exit_code(three: Machine, other: Response, code: int) -> None:
    three.arm.faults += [_refusing("one", FORBIDDEN), _refusing("two", other)]
    failure = deleted(three, *NAMES).failure
    assert failure is not None
    assert failure.exit_code == code
    assert "perform action" in str(failure)


def test_one_that_is_deleted_without_a_right_is_not_said_to_be_left(three: Machine) -> None:
    polls = request_to("GET", "/operationresults/")
    three.arm.faults += [NthRequest(0, polls, FORBIDDEN), _refusing("two")]
    done = deleted(three, "one", "two")
    assert owners(three) == {"three", "two"}
    first, *lines = str(done.failure).splitlines()
    assert first == "1 deployment is not completely deleted:"
    assert [line.split(": ")[0] for line in lines if line.startswith("  ")] == [
        "  one is deleted, but",
        "  two",
    ]
    assert done.failure is not None
    assert done.failure.hint == "`ccgpu delete two` tries again"


def test_what_is_to_be_done_about_the_causes_stays_in_the_hint(three: Machine) -> None:
    locked, ask = error(409, "ScopeLocked"), "a lock on the resource or its group prevents this"
    three.arm.faults += [_refusing("one", locked), _refusing("two", locked)]
    failure = deleted(three, *NAMES).failure
    assert failure is not None
    assert failure.hint == f"{ask}; ask its owner; then `ccgpu delete one two` tries again"
    failure = deleted(three, "one").failure
    assert failure is not None
    assert failure.hint == f"{ask}; ask its owner; then `ccgpu delete one` tries again"


def test_nothing_is_deleted_if_one_of_them_cannot_be_read(three: Machine) -> None:
    def unreadable(request: Request) -> Response | None:
        if request.method == "GET" and request.path.lower().endswith("/virtualmachines/two"):
            return FORBIDDEN
        return None

    three.arm.faults.append(unreadable)
    before = three.writes()
    with pytest.raises(CcgpuError):
        deleted(three, *NAMES)
    assert three.writes() == before


def test_nothing_is_deleted_without_the_one_approval(three: Machine) -> None:
    asked: list[list[ResourceId]] = []

    def refuse(ids: list[ResourceId]) -> None:
        asked.append([*ids])
        raise CcgpuError("no")

    before = three.writes()
    with pytest.raises(CcgpuError, match="no"):
        delete_each(three.cloud, NAMES, approve=refuse)
    assert three.writes() == before
    (ids,) = asked
    assert {one.casefold() for one in ids} == {one.casefold() for one in three.ids()}


def _interrupted(
    machine: Machine, approve: Callable[[list[ResourceId]], None] = lambda _: None
) -> tuple[list[str], CcgpuError]:
    """The deployments that an interrupted delete calls deleted in its answer, and its error."""
    done = delete_each(machine.cloud, NAMES, approve=approve)
    assert isinstance(done.failure, Interrupted)
    return [one.name for one in done.done], done.failure


@pytest.mark.parametrize("n", [0, 4])
def test_an_interrupt_names_what_may_be_left_of_each_and_frees_their_locks(
    three: Machine, n: int
) -> None:
    three.arm.faults.append(NthRequest(n, request_to("DELETE", "/"), KeyboardInterrupt()))
    done, failure = _interrupted(three)
    told = "interrupted: one, three, two are perhaps not completely deleted"
    assert (done, str(failure)) == ([], told)
    assert failure.hint == "`ccgpu delete one three two` continues"
    assert {one.id for one in failure.resources} >= three.ids()
    three.arm.faults.clear()
    assert deleted(three, *NAMES).failure is None
    assert three.ids() == set()


def test_an_interrupt_names_what_is_deleted_and_what_stays(three: Machine) -> None:
    deleted(three, "three")
    interrupt = NthRequest(0, _deletes_group("two"), KeyboardInterrupt())
    three.arm.faults += [_refusing("one", FORBIDDEN), interrupt]
    done, failure = _interrupted(three)
    assert done == ["three"]
    assert str(failure) == (
        "interrupted: three is deleted; one is not completely deleted; "
        "two is perhaps not completely deleted"
    )
    assert failure.hint == "`ccgpu delete one two` continues"
    assert {one.id.split("/")[4] for one in failure.resources} == {"ccgpu-one", "ccgpu-two"}


def test_an_interrupt_names_what_was_not_begun(three: Machine) -> None:
    def slow_then_interrupted(_: list[ResourceId]) -> None:
        busy = NthRequest(0, request_to("GET", "/virtualMachines/two"), error(503, "Busy"))
        three.arm.faults += [busy, NthRequest(1, request_to("DELETE", "/"), KeyboardInterrupt())]

    done, failure = _interrupted(three, slow_then_interrupted)
    assert done == []
    assert str(failure) == (
        "interrupted: one, three are perhaps not completely deleted; "
        "two is not deleted: that was not begun"
    )
    states = {one.id.split("/")[4]: one.state for one in failure.resources}
    assert states == {"ccgpu-one": "unknown", "ccgpu-three": "unknown", "ccgpu-two": "exists"}


def _deletes_group(name: str) -> Callable[[Request], bool]:
    return lambda request: request.method == "DELETE" and request.path.endswith(f"/ccgpu-{name}")
