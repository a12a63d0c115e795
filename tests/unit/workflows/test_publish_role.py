"""The printed role allows `image publish`, and each of its actions for that is needed."""

from pathlib import Path

import pytest

from ccgpu.domain.role import NO_EXTRAS, RoleExtras, permission_needs
from ccgpu.errors import CcgpuError, Denied
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm
from ccgpu.workflows import gc as collecting
from support import faults
from support.built_folders import BuiltFolder, build_folder, publish
from support.cloud import Machine, make_spec
from support.faults import NthRequest, request_to
from support.slow import mostly_slow

EXTRAS = RoleExtras(gallery_group="ccgpu-images")
ACTIONS = sorted(
    {one.action for one in permission_needs(make_spec(), FAKE_SUBSCRIPTION, EXTRAS)}
    - {one.action for one in permission_needs(make_spec(), FAKE_SUBSCRIPTION, NO_EXTRAS)}
)
# Of the whole role: gc's lists, and what other commands need as well.
SHARED = (
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Resources/subscriptions/resources/read",
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/locations/diskOperations/read",
    *(f"Microsoft.Compute/disks/{verb}" for verb in ("read", "write", "delete")),
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltFolder:
    return build_folder(tmp_path_factory.mktemp("image") / "built")


def run_all(machine: Machine, built: BuiltFolder) -> None:
    """Publish; then a publication that fails, and whose version has to be deleted; then gc."""
    publish(machine, built)
    machine.arm.faults.append(
        NthRequest(0, request_to("GET", "/capsOperations/"), faults.UNAVAILABLE)
    )
    machine.arm.settings.set("replication", "fails", value=["eastus2"])
    collecting.collect(machine.cloud, yes=True)
    with pytest.raises(CcgpuError, match="replicat"):
        publish(machine, built, name="other")
    machine.arm.settings.set("replication", "fails", value=[])
    assert not [id_ for id_ in machine.ids() if "/images/other/versions/" in id_]


def made(tmp_path: Path, actions: tuple[str, ...]) -> Machine:
    """A machine whose user has these rights; the gallery's group is there."""
    machine = Machine(FakeArm(), tmp_path / "state")
    machine.put("/resourceGroups/ccgpu-images", "2025-04-01", {"location": "eastus2"})
    machine.arm.settings.set("principal", value=list(actions))
    return machine


def test_the_printed_role_allows_publishing(tmp_path: Path, built: BuiltFolder) -> None:
    run_all(made(tmp_path, (*ACTIONS, *SHARED)), built)


def test_a_group_that_is_not_there_is_made_only_with_the_right_to(
    tmp_path: Path, built: BuiltFolder
) -> None:
    spec = make_spec(resource_group="lab")
    machine = Machine(FakeArm(), tmp_path / "state")
    for makes in (False, True):
        needs = permission_needs(
            spec, FAKE_SUBSCRIPTION, EXTRAS._replace(makes_gallery_group=makes)
        )
        machine.arm.settings.set("principal", value=[one.action for one in needs])
        if makes:
            assert publish(machine, built).action == "published"
        else:
            with pytest.raises(Denied, match="resourceGroups/write"):
                publish(machine, built)


@pytest.mark.parametrize("missing", mostly_slow(ACTIONS, len(ACTIONS)))
def test_every_action_is_needed(tmp_path: Path, built: BuiltFolder, missing: str) -> None:
    machine = made(tmp_path, tuple(one for one in (*ACTIONS, *SHARED) if one != missing))
    with pytest.raises((CcgpuError, AssertionError, pytest.fail.Exception)):
        run_all(machine, built)
