"""`ccgpu fake`: what the simulated subscription has, for scripts."""

import pytest

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"


def test_fake_show_lists_resources_billing_and_requests(shell):
    shell(_CREATE)
    document = shell("fake show -o json").document
    assert sorted(document) == ["billing", "now", "requests", "resources", "schema"]
    assert document["schema"] == "ccgpu.fake/1"
    assert len(document["resources"]) == 7
    assert sorted(id_.split("/")[-2] for id_ in document["billing"]) == [
        *("disks", "publicIPAddresses", "virtualMachines")
    ]
    assert {"method": "PUT", "status": 201}.items() <= next(
        one for one in document["requests"] if one["method"] == "PUT"
    ).items()


@pytest.mark.slow
def test_fake_advance_moves_time_and_reset_deletes_everything(shell):
    shell(_CREATE)
    before = shell("fake show -o json").document
    after = shell("fake advance 1h -o json").document
    billed = {one["id"]: one["billed_seconds"] for one in before["resources"]}
    for one in after["resources"]:
        rise = 3600 if one["id"] in after["billing"] else 0
        assert one["billed_seconds"] == billed[one["id"]] + rise
    empty = shell("fake reset -o json").document
    assert (empty["resources"], empty["billing"], empty["requests"]) == ([], [], [])
    assert empty["now"] == after["now"]


@pytest.mark.parametrize("duration", ["soon", "0h", "-1h"])
def test_fake_advance_refuses_invalid_durations(shell, duration):
    assert shell(f"fake advance -- {duration}").code == 2
