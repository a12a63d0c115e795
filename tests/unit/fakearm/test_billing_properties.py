"""After any history, a deleted group leaves no resources and no bill."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.fakearm import FakeArm
from support.arm import (
    Client,
    disk_body,
    group_path,
    inline_nic,
    pip_body,
    resource_path,
    vm_body,
    vm_path,
)

PIP = resource_path("Microsoft.Network/publicIPAddresses", "spare")
DISK = resource_path("Microsoft.Compute/disks", "spare")
USAGES = vm_path().partition("/resourceGroups/")[0] + (
    "/providers/Microsoft.Compute/locations/eastus2/usages"
)
KEPT = vm_body(
    "vm",
    disk__deleteOption="Detach",
    net__networkInterfaceConfigurations=[inline_nic("Detach")],
)
STEPS = {
    "make": ("PUT", vm_path(), vm_body()),
    "make to keep": ("PUT", vm_path(), KEPT),
    "delete": ("DELETE", vm_path(), None),
    "start": ("POST", f"{vm_path()}/start", None),
    "deallocate": ("POST", f"{vm_path()}/deallocate", None),
    "address": ("PUT", PIP, pip_body()),
    "no address": ("DELETE", PIP, None),
    "disk": ("PUT", DISK, disk_body()),
    "os disk": ("DELETE", resource_path("Microsoft.Compute/disks", "vm-os"), None),
}
SECONDS = [1, 20, 45, 200]


def play(steps: list[str | int], *, room: int | None = None) -> Client:
    az = Client(FakeArm())
    az.network()
    if room is not None:
        az.arm.settings.set("capacity", "Standard_NCC40ads_H100_v5", "eastus2", "", value=room)
    for step in steps:
        if isinstance(step, int):
            az.arm.advance(step)
        else:
            az.send(*STEPS[step])
    return az


scripts = st.lists(st.sampled_from([*STEPS, *SECONDS]), max_size=15)


@pytest.mark.slow
@given(scripts, st.sampled_from([None, 0]))
def test_deleted_group_leaves_no_resource_and_no_bill(steps, room):
    az = play(steps, room=room)
    az.ok("DELETE", group_path())
    az.arm.advance(10_000)
    shown = az.arm.show()
    assert (shown["resources"], shown["billing"]) == ([], [])
    assert {one["currentValue"] for one in az.get(USAGES)["value"]} == {0}


@pytest.mark.slow
@given(scripts, st.sampled_from([None, 0]))
def test_only_existing_resources_are_billed(steps, room):
    az = play(steps, room=room)
    shown = az.arm.show()
    ids = {one["id"] for one in shown["resources"]}
    assert set(shown["billing"]) <= ids
    costing = {"virtualMachines", "publicIPAddresses", "natGateways", "disks"}
    for one in shown["resources"]:
        if one["kind"].rsplit("/", 1)[1] not in costing:
            assert one["billed_seconds"] == 0
        assert 0 <= one["billed_seconds"] <= az.arm.now() - 1_767_225_600


@given(scripts)
def test_settled_vm_is_billed_only_while_allocated(steps):
    az = play(steps)
    az.arm.advance(10_000)
    answer = az.send("GET", f"{vm_path()}/instanceView")
    power = answer.body["statuses"][-1]["code"] if answer.status == 200 else None
    assert (vm_path() in az.arm.show()["billing"]) == (power == "PowerState/running")
