"""What `extend` writes, and that the lease holds whatever else happens meanwhile."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import kind_of, tags_of
from ccgpu.errors import CcgpuError, Denied, NotFound, UsageProblem
from ccgpu.fakearm import FakeArm, Fault, Request, Response
from ccgpu.workflows import extend as extending
from ccgpu.workflows.list_deployments import list_deployments
from support import faults
from support.cloud import DEPLOYMENT_KINDS, Machine, make_spec
from support.counts import sent_by
from support.faults import NthRequest, request_to
from support.leases import HOUR, BeforeRequest, actions, collect, extend, other_machine
from support.prepared import copy_of_machine
from support.slow import mostly_slow

BOTH = pytest.mark.usefixtures("lists")
THEIRS = make_spec(resource_group="theirs")


def at(text: str | None) -> float:
    return datetime.fromisoformat(text or "").timestamp()


def id_of(machine: Machine, name: str) -> str:
    return next(one for one in machine.ids() if one.endswith(f"/{name}"))


def tag_as(machine: Machine, name: str, **changes: str | None) -> None:
    """Change tags of a resource as another client; None removes one."""
    id_ = id_of(machine, name)
    kind = kind_of(id_)
    assert kind is not None
    tags = tags_of(machine.cloud.arm.get(kind, id_)) | {
        f"ccgpu-{tag}": value for tag, value in changes.items()
    }
    machine.cloud.arm.tag(kind, id_, {tag: value for tag, value in tags.items() if value})
    machine.arm.advance(20)


def expiries(machine: Machine) -> dict[str, str | None]:
    """The expiry tag of each resource, without suffixes that Azure chose."""
    bodies = {
        id_: machine.cloud.arm.get(kind, id_)
        for id_ in machine.ids()
        if (kind := kind_of(id_)) is not None
    }
    names = {id_: id_.rsplit("/", 1)[-1] for id_ in bodies}
    cut = {id_: "-".join(name.split("-")[:2]) for id_, name in names.items()}
    return {cut[id_]: tags_of(body).get("ccgpu-expires") for id_, body in bodies.items()}


def with_end(machine: Machine, end: str) -> set[str]:
    return {name for name, one in expiries(machine).items() if one == end}


def in_their_group(machine: Machine, **changes: object) -> None:
    """Create the deployment in a group that ccgpu did not make."""
    machine.put("/resourceGroups/theirs", "2025-04-01", {"location": "eastus2"})
    machine.create(THEIRS.model_copy(update=changes))


def delete_vm_by_hand(machine: Machine) -> None:
    machine.cloud.arm.delete(Kind.VM, id_of(machine, "demo"))
    machine.arm.advance(600)
    assert "virtualMachines" not in machine.kinds()


@BOTH
def test_in_its_own_group_the_vm_and_the_group_are_written(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h", tags={"team": "a"}))
    before = expiries(machine)
    done = extend(other_machine(machine), 4)
    assert with_end(machine, done.expires) == {"demo", "ccgpu-demo"}
    assert {one.rsplit("/", 1)[-1] for one in done.resources} == {"demo", "ccgpu-demo"}
    assert done.before == before["demo"]
    for name in ("demo", "ccgpu-demo"):
        id_ = id_of(machine, name)
        tags = tags_of(machine.cloud.arm.get(kind_of(id_) or Kind.VM, id_))
        assert (tags["team"], tags["ccgpu-deployment"]) == ("a", "demo")
    (shown,) = list_deployments(machine.cloud)
    assert shown.expires == done.expires


@BOTH
def test_in_a_foreign_group_what_outlives_the_vm_is_written(machine: Machine) -> None:
    in_their_group(machine, private=True)
    done = extend(machine, 4)
    assert with_end(machine, done.expires) == {"demo", "demo-nsg", "demo-vnet", "demo-nat"}
    assert len(done.resources) == 5  # the gateway's address is cut to the gateway's name, too
    group = machine.cloud.arm.get(Kind.GROUP, id_of(machine, "theirs"))
    assert tags_of(group) == {}


@pytest.mark.slow
def test_with_the_group_of_another_deployment_the_own_resources_are_written(
    machine: Machine,
) -> None:
    machine.arm.settings.set("quota", "*", "StandardNCCads2023Family", value=400)
    machine.create(make_spec(name="first", resource_group="lab", ttl="1h"))
    machine.create(make_spec(resource_group="lab", ttl="1h"))
    before = expiries(machine)
    done = extend(machine, 4)
    assert with_end(machine, done.expires) == {"demo", "demo-nsg", "demo-vnet", "demo-ip"}
    assert expiries(machine)["lab"] == before["lab"]
    first = extend(machine, 5, "first")
    assert with_end(machine, first.expires) == {"first", "lab"}


@BOTH
@pytest.mark.parametrize("theirs", [False, True])
def test_deleting_the_vm_by_hand_does_not_end_the_lease(machine: Machine, theirs: bool) -> None:
    if theirs:
        in_their_group(machine, ttl=timedelta(hours=1))
    else:
        machine.create(make_spec(ttl="1h"))
    extend(machine, 8)
    delete_vm_by_hand(machine)
    left = machine.ids()
    machine.arm.advance(7 * HOUR)
    assert collect(other_machine(machine)).found == ()
    assert machine.ids() == left
    machine.arm.advance(2 * HOUR)
    assert actions(collect(other_machine(machine))) == [("demo", "expired", "removed")]
    assert machine.kinds() == (["resourceGroups"] if theirs else [])


@BOTH
@pytest.mark.parametrize("theirs", [False, True])
def test_a_shorter_lease_is_written_on_all_that_would_keep_it(
    machine: Machine, theirs: bool
) -> None:
    if theirs:
        in_their_group(machine, ttl=timedelta(hours=8))
    else:
        machine.create(make_spec(ttl="8h"))
    done = extend(machine, 1)
    assert at(done.expires) < at(done.before)
    told = expiries(machine)
    assert told.pop("theirs", None) is None
    assert set(told.values()) == {done.expires}
    assert 0 < (list_deployments(machine.cloud)[0].seconds_left or 0) <= HOUR


@pytest.mark.slow
def test_a_lease_is_made_shorter_although_the_lists_are_outdated(machine: Machine) -> None:
    machine.arm.settings.set("lag", value={"lists": 100_000})
    machine.create(make_spec(ttl="8h"))
    done = extend(machine, 1)
    assert set(expiries(machine).values()) == {done.expires}
    delete_vm_by_hand(machine)
    machine.arm.settings.set("lag", value={})
    machine.arm.advance(4 * HOUR)  # a deployment without a VM stays for three
    assert actions(collect(machine)) == [("demo", "expired", "removed")]


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("end", mostly_slow(["2026-06-01T00:00:00Z", "soon"], 2))
@pytest.mark.parametrize("name", mostly_slow(["demo-nsg", "ccgpu-demo", "demo-osdisk", "demo"], 4))
def test_no_later_or_invalid_end_stays(machine: Machine, name: str, end: str) -> None:
    machine.create(make_spec(ttl="1h"))
    tag_as(machine, name, expires=end)
    done = extend(machine, 2)
    assert done.before == end
    assert name in {one.rsplit("/", 1)[-1] for one in done.resources}
    assert list_deployments(machine.cloud)[0].expires == done.expires
    machine.arm.advance(2 * HOUR + 700)
    assert actions(collect(machine)) == [("demo", "expired", "removed")]


@pytest.mark.slow
def test_a_later_end_in_an_outdated_list_is_not_shown(machine: Machine) -> None:
    machine.create(make_spec(ttl="8h"))
    outdated: list[object] = []

    def remember(request: Request, answer: Response) -> None:
        if request.path.endswith("/resources"):
            outdated.append(answer.body)

    machine.arm.on_commit = remember
    first = extend(machine, 1)
    machine.arm.on_commit = None

    def lagging(request: Request) -> Response | None:
        date = {"Date": "Thu, 01 Jan 2026 01:00:00 GMT", "x-ms-correlation-request-id": "1"}
        return Response(200, outdated[0], date) if request.path.endswith("/resources") else None

    machine.arm.faults.append(lagging)
    done = extend(machine, 2)
    assert done.before == first.expires
    assert with_end(machine, done.expires) == {"demo", "ccgpu-demo"}


def test_a_deployment_without_a_vm_is_written_completely(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    delete_vm_by_hand(machine)
    done = extend(machine, 4)
    assert with_end(machine, done.expires) == {"ccgpu-demo", "demo-nsg", "demo-vnet"}
    assert len(done.resources) == 3


def test_a_vm_that_is_not_the_deployments_is_not_written(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    tag_as(machine, "demo", deployment="another")
    done = extend(machine, 4)
    told = expiries(machine)
    assert told.pop("demo") != done.expires
    assert set(told.values()) == {done.expires}


@pytest.mark.parametrize("name", mostly_slow(["demo", "ccgpu-demo", "demo-nsg"], 3))
def test_what_another_deployment_takes_over_is_not_written(machine: Machine, name: str) -> None:
    """Ownership is judged by the read before the write, not by the lists or an earlier read."""
    machine.create(make_spec(ttl="8h"))

    class BeforeItsRead(BeforeRequest):
        def __call__(self, request: Request) -> Response | None:
            mine = request.method == "GET" and request.path.endswith(f"/{name}")
            return super().__call__(request) if mine else None

    taken = BeforeItsRead(machine.arm, 0, lambda: tag_as(machine, name, deployment="another"))
    machine.arm.faults.append(taken)
    done = extend(machine, 1)
    assert taken.request is not None
    assert name not in {one.rsplit("/", 1)[-1] for one in done.resources}
    told = expiries(machine)
    assert told.pop(name) != done.expires
    assert set(told.values()) == {done.expires}


@pytest.mark.slow
def test_a_vm_taken_over_during_the_write_is_not_written(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))

    class BeforePatch(BeforeRequest):
        def __call__(self, request: Request) -> Response | None:
            return super().__call__(request) if request.method == "PATCH" else None

    taken = BeforePatch(machine.arm, 0, lambda: tag_as(machine, "demo", deployment="another"))
    machine.arm.faults.append(taken)
    with pytest.raises(NotFound, match="not demo's any more"):
        extend(machine, 4)
    tags = machine.cloud.arm.get(Kind.VM, id_of(machine, "demo"))
    assert tags_of(tags)["ccgpu-deployment"] == "another"


@pytest.mark.slow
@BOTH
def test_a_name_in_several_groups_needs_a_choice(machine: Machine) -> None:
    machine.arm.settings.set("quota", "*", "StandardNCCads2023Family", value=400)
    machine.create(make_spec(ttl="1h"))
    machine.put("/resourceGroups/theirs", "2025-04-01", {"location": "eastus2"})
    other_machine(machine).create(THEIRS.model_copy(update={"ttl": timedelta(hours=1)}))
    before = machine.writes()
    with pytest.raises(UsageProblem, match="several resource groups"):
        extend(other_machine(machine), 4)
    assert machine.writes() == before
    cloud = machine.cloud
    done = extending.extend(cloud, "demo", timedelta(hours=4), "theirs")
    assert {one.split("/")[4] for one in done.resources} == {"theirs"}


@pytest.mark.slow
def test_with_a_chosen_group_no_other_deployment_of_that_name_is_written(
    machine: Machine,
) -> None:
    """Without the right to list the group, the list of the subscription has both."""
    machine.arm.settings.set("quota", "*", "StandardNCCads2023Family", value=400)
    machine.put("/resourceGroups/theirs", "2025-04-01", {"location": "eastus2"})
    other_machine(machine).create(THEIRS.model_copy(update={"ttl": timedelta(hours=1)}))
    machine.create(make_spec(resource_group="ccgpu-demo", ttl="8h"))
    machine.arm.faults.append(_refuse_lists_of_groups)
    done = extending.extend(machine.cloud, "demo", timedelta(hours=2), "theirs")
    assert {one.split("/")[4] for one in done.resources} == {"theirs"}
    assert at(done.before) < at(done.expires)


@pytest.mark.slow
def test_an_unlisted_deployment_of_the_default_group_also_counts(machine: Machine) -> None:
    machine.arm.settings.set("quota", "*", "StandardNCCads2023Family", value=400)
    machine.put("/resourceGroups/theirs", "2025-04-01", {"location": "eastus2"})
    other_machine(machine).create(THEIRS)
    machine.arm.advance(3 * HOUR)
    machine.arm.settings.set("lag", value={"lists": 100_000})
    machine.create(make_spec())
    machine.arm.settings.set("lag", value={"lists": 2 * HOUR})  # only the older one is listed
    with pytest.raises(UsageProblem, match="several resource groups"):
        extend(machine, 4)


def test_the_group_of_a_listed_deployment_keeps_its_spelling(machine: Machine) -> None:
    machine.create(make_spec(resource_group="MyLab"))
    assert extend(machine, 4).group == "MyLab"
    machine.arm.faults.append(_with_lists_in_capitals(machine))
    done = extend(other_machine(machine), 4)
    assert done.group == "MyLab"
    assert "MYLAB" not in "".join(done.resources)


def _with_lists_in_capitals(machine: Machine) -> Fault:
    """Lists that change the case of the group."""
    inside = False

    def fault(request: Request) -> Response | None:
        nonlocal inside
        if inside or not request.path.lower().endswith(("/resources", "/resourcegroups")):
            return None
        inside = True
        try:
            answer = machine.arm.send(request)
        finally:
            inside = False
        body = json.loads(json.dumps(answer.body).replace("MyLab", "MYLAB"))
        return Response(answer.status, body, answer.headers)

    return fault


def test_without_the_right_to_list_a_group_each_resource_is_read(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    machine.arm.settings.set("tagless_lists", value=True)
    machine.arm.faults.append(_refuse_lists_of_groups)
    tag_as(machine, "demo-vnet", expires="2026-06-01T00:00:00Z")
    requests = sent_by(machine.arm, lambda: extend(machine, 2))
    written = {one.path.rsplit("/", 1)[-1] for one in requests if one.method == "PATCH"}
    assert written == {"demo", "ccgpu-demo", "demo-vnet"}


def _refuse_lists_of_groups(request: Request) -> Response | None:
    denied = "/resourcegroups/" in request.path.lower() and request.path.endswith("/resources")
    return faults.FORBIDDEN if denied else None


def test_a_group_that_cannot_be_read_is_an_error(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    blind = NthRequest(0, lambda one: one.path.endswith("/ccgpu-demo"), faults.FORBIDDEN, None)
    machine.arm.faults.append(blind)
    with pytest.raises(Denied):
        extend(machine, 4)


# The first request before which another machine acts, and the distance to the next one.
EVERY = 8
FIRST = mostly_slow(range(EVERY), EVERY, 7)
Command = Callable[[Machine], object]


def own(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    machine.arm.advance(2 * HOUR)


def busy(machine: Machine) -> None:
    """An expired deployment with an operation in progress on its VM."""
    own(machine)
    machine.cloud.arm.act(id_of(machine, "demo"), "restart")


def theirs(machine: Machine) -> None:
    in_their_group(machine, ttl=timedelta(hours=1))
    machine.arm.advance(2 * HOUR)


def meanwhile(
    folder: Path, prepare: Command, first: int, act: Callable[[Machine, int], bool]
) -> int:
    """Call `act` for every eighth request, until it is false: there is no such request."""
    before, number = Machine(FakeArm(), folder / "before" / "one"), first
    prepare(before)
    while act(copy_of_machine(before, folder / str(number)), number):
        number += EVERY
    before.arm.close()
    return number


def without_vm(machine: Machine) -> None:
    own(machine)
    delete_vm_by_hand(machine)


@pytest.mark.slow
@pytest.mark.parametrize("prepare", mostly_slow([own, busy, theirs, without_vm], 4))
@pytest.mark.parametrize("first", FIRST)
def test_a_deployment_deleted_during_extend_is_not_found(
    tmp_path: Path, prepare: Command, first: int
) -> None:
    """Before any of its requests: the last one writes what is to outlive the VM."""

    def delete_before(machine: Machine, number: int) -> bool:
        gone = BeforeRequest(machine.arm, number, lambda: other_machine(machine).delete())
        machine.arm.faults.append(gone)
        failed = _try(lambda one: extend(one, 4), machine)
        if gone.request is not None:
            kept = ["resourceGroups"] if prepare is theirs else []
            assert machine.kinds() == kept
            # A poll shows the operation that the delete has ended; any other request shows a 404.
            polled = "/operations/" in gone.request.path
            assert isinstance(failed, NotFound) or (
                polled and failed is not None and failed.code == "OperationPreempted"
            )
        machine.arm.close()
        return gone.request is not None

    assert meanwhile(tmp_path, prepare, first, delete_before) >= 8


@pytest.mark.slow
@pytest.mark.parametrize("prepare", mostly_slow([own, busy, theirs], 3))
@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("outer", ["extend", "gc"])
def test_gc_during_an_extend_leaves_the_vm_or_ends_with_nothing(
    tmp_path: Path, prepare: Command, first: int, outer: str
) -> None:
    """Either the VM and all else stay until the new end, or what is left goes at the new end."""
    steps: dict[str, Command] = {"extend": lambda one: extend(one, 8), "gc": collect}
    inner = "gc" if outer == "extend" else "extend"

    def race(machine: Machine, number: int) -> bool:
        whole = machine.kinds()
        between = BeforeRequest(
            machine.arm, number, lambda: _try(steps[inner], other_machine(machine))
        )
        machine.arm.faults.append(between)
        failed = _try(steps[outer], machine)
        if between.request is not None and not _is_delete_of_a_group(between.request):
            _check_after_race(machine, whole, failed if outer == "extend" else None)
        assert machine.arm.slept == 0
        machine.arm.close()
        return between.request is not None

    assert meanwhile(tmp_path, prepare, first, race) >= 8


def _try(command: Command, machine: Machine) -> CcgpuError | None:
    try:
        command(machine)
    except CcgpuError as err:
        return err
    return None


def _check_after_race(machine: Machine, whole: list[str], failed: CcgpuError | None) -> None:
    kept = ["resourceGroups"] if "theirs" in str(machine.ids()) else []
    if "virtualMachines" in machine.kinds():
        assert machine.kinds() == whole
        assert failed is None
        assert collect(machine).found == ()
        assert machine.kinds() == whole
        return
    machine.arm.advance(9 * HOUR)
    collect(machine)
    assert machine.kinds() == kept


def _is_delete_of_a_group(request: Request) -> bool:
    """Azure has no conditional DELETE of groups."""
    return request.method == "DELETE" and "/providers/" not in request.path


def test_the_group_protects_a_vm_that_cannot_be_tagged_yet(machine: Machine) -> None:
    busy(machine)
    patch = request_to("PATCH", "/virtualMachines/demo")
    machine.arm.faults.append(NthRequest(0, patch, KeyboardInterrupt()))
    with pytest.raises(CcgpuError):
        extend(machine, 8)
    assert collect(other_machine(machine)).found == ()
    assert machine.kinds() == DEPLOYMENT_KINDS
