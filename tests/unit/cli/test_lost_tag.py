"""A VM whose tags others have replaced, as a user meets it: `show` tells of it, with what to do."""

from ccgpu.fakearm import FAKE_SUBSCRIPTION
from support.arm import Client

_VM = (
    f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/ccgpu-demo"
    "/providers/Microsoft.Compute/virtualMachines/demo"
)


def test_show_tells_of_a_vm_without_its_tag(shell):
    create = "create demo --region eastus2 --ssh-from 203.0.113.7/32 --no-attest"
    assert shell(create).code == 0
    client = Client(shell.arm)
    tags = client.get(_VM)["tags"]
    client.complete("PATCH", _VM, {"tags": {"team": "theirs"}})
    lost = shell("show demo")
    assert lost.code == 0
    assert "has no tag ccgpu-deployment" in lost.err
    assert "what it costs is not counted" in lost.err
    assert f"az tag update --resource-id {_VM}" in lost.err
    assert shell("show demo -o json").document["untagged_vm"] == _VM
    client.complete("PATCH", _VM, {"tags": tags})
    assert "note:" not in shell("show demo").err
    assert shell("show demo -o json").document["untagged_vm"] is None
