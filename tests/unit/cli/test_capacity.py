"""`ccgpu capacity` and `quota`: typed verdicts, few requests, and a memory of an hour."""

import json

import pytest

from ccgpu.fakearm import NCC_SIZE
from support.cloud import NO_ROOM


def _paths(shell):
    return [one["path"] for one in shell.arm.show()["requests"]]


def _availability(done):
    return {
        (one["region"], one["zone"]): one["availability"] for one in done.document["candidates"]
    }


def test_capacity_text(shell, golden):
    shell.arm.settings.set("quota", "centralus", "cores", value=30)
    barred = [{"type": "Zone", "reasonCode": "NotAvailableForSubscription", "zones": ["2"]}]
    shell.arm.settings.set("restrictions", NCC_SIZE, "westeurope", value=barred)
    golden("cli/capacity.txt", str(shell("capacity")))


def test_quota_text(shell, golden):
    shell.arm.settings.set("quota", "eastus2", "StandardNCCads2023Family", value=0)
    golden("cli/quota.txt", str(shell("quota --region eastus2 --region westeurope")))


@pytest.mark.slow
def test_all_of_forty_regions_take_few_requests_and_the_second_run_lists_no_sizes(shell):
    shell("fake scenario many-regions")
    done = shell("capacity --all-regions -o json")
    assert done.code == 0
    regions = {one["region"] for one in done.document["candidates"]}
    assert regions == {"eastus2", "westeurope", "centralus", "swedencentral", "southcentralus"}
    first = _paths(shell)
    assert len(first) <= 45
    assert len([path for path in first if path.endswith("/skus")]) == 1
    again = shell("capacity --all-regions -o json")
    assert again.out == done.out
    assert [path for path in _paths(shell)[len(first) :] if path.endswith("/skus")] == []
    shell("fake advance 61m")
    shell("capacity --all-regions -o json")
    assert len([path for path in _paths(shell) if path.endswith("/skus")]) == 2


@pytest.mark.parametrize(
    ("settings", "code", "kinds"),
    [
        ({}, 0, {"ok"}),
        ({"quota": {"*": {"StandardNCCads2023Family": 0}}}, 5, {"quota"}),
        ({"quota": {"*": {"cores": 39}}}, 5, {"quota"}),
        ({"reported": {"sizes": False}}, 0, {"unknown"}),
        (
            {
                "restrictions": {
                    NCC_SIZE: {"eastus2": [{"type": "Location", "reasonCode": "QuotaId"}]}
                }
            },
            *(6, {"restricted"}),
        ),
    ],
)
def test_each_world_has_its_verdict_and_exit_code(shell, settings, code, kinds):
    shell.arm.configure(settings)
    done = shell("capacity --region eastus2 -o json")
    assert (done.code, set(_availability(done).values())) == (code, kinds)


@pytest.mark.parametrize("command", ["capacity", "quota"])
def test_a_region_that_does_not_exist_is_bad_input(shell, command):
    for _ in "12":  # the second time from the cache
        done = shell(f"{command} --region eastus2 --region eastus22")
        assert (done.code, done.out) == (3, "")
        assert "regions: eastus22 is not a region with VM sizes, did you mean eastus2?" in done.err
        assert "eastus2 is" not in done.err


def test_spot_counts_against_its_own_quota(shell):
    shell.arm.configure({"quota": {"*": {"lowPriorityCores": 3}}})
    assert shell("capacity --region eastus2").code == 0
    done = shell("capacity --region eastus2 --spot -o json")
    assert (done.code, done.document["candidates"][0]["quota"][0]["limit"]) == (5, 3)


def test_an_image_that_a_region_lacks_is_no_image(shell):
    done = shell("capacity --region eastus2 --image Canonical:ubuntu-24_04-lts:cvm:1.0.0 -o json")
    assert (done.code, set(_availability(done).values())) == (6, {"no_image"})


def test_who_may_not_read_the_quota_is_told_that_it_is_unknown(shell):
    shell.arm.settings.set("principal", value=["Microsoft.Compute/skus/read"])
    done = shell("capacity --region eastus2 -o json")
    assert (done.code, set(_availability(done).values())) == (0, {"unknown"})
    assert "does not have authorization" in done.document["candidates"][0]["reason"]


def test_a_damaged_memory_is_read_anew(shell, tmp_path):
    shell("capacity --region eastus2")
    folders = [path for path in tmp_path.rglob("*.skus") if path.is_dir()]
    (entry,) = [path for folder in folders for path in folder.iterdir()]
    for damage in (b"{", json.dumps({"schema": "ccgpu.skus/1", "at": 0}).encode()):
        entry.write_bytes(damage)
        assert shell("capacity --region eastus2").code == 0
    assert len([path for path in _paths(shell) if path.endswith("/skus")]) == 3


@pytest.mark.slow
def test_the_spec_of_a_deployment_is_looked_at_by_name(shell):
    flags = "--region eastus2 --ssh-from 203.0.113.7/32 --disk-encryption state-only --no-attest"
    assert shell(f"create demo {flags}").code == 0
    done = shell("capacity demo -o json")
    assert {one["region"] for one in done.document["candidates"]} == {"eastus2"}
    assert done.document["candidates"][0]["quota"][0]["used"] == 40


@pytest.mark.slow
def test_a_refusal_of_azure_names_the_quota_in_numbers(shell):
    shell("fake scenario quota-zero")
    flags = "--region eastus2 --ssh-from 203.0.113.7/32 --disk-encryption state-only --no-attest"
    done = shell(f"create demo {flags} --skip-preflight")
    assert done.code == 5
    shortage = "Standard NCCads2023 Family vCPUs: 0 of 0 used, 40 more needed: the limit must be 40"
    assert shortage in done.err
    assert "https://portal.azure.com/" in done.err


_SOLD_OUT = dict.fromkeys(("eastus2", "westeurope", "centralus"), NO_ROOM)
_CREATE = "create demo --ssh-from 203.0.113.7/32 --disk-encryption state-only --no-attest"


@pytest.mark.slow
def test_create_waits_for_capacity_and_tells_what_it_tried(shell, golden):
    room = {"capacity": {NCC_SIZE: {"eastus2": {"2": 1}}}}
    full = {"capacity": {NCC_SIZE: {"eastus2": NO_ROOM}}}
    shell.arm.configure({**full, "timeline": [{"after": 3600, "settings": room}]})
    done = shell(f"{_CREATE} --region eastus2 --wait-for-capacity 6h")
    assert done.code == 0
    pauses = [
        line.rsplit("again in ", 1)[1] for line in done.err.splitlines() if "again in" in line
    ]
    assert pauses == ["5 minutes", "10 minutes", "20 minutes"]
    golden("cli/create-tries.txt", done.out)


@pytest.mark.slow
def test_the_document_of_create_has_the_tries(shell):
    shell.arm.configure({"capacity": {NCC_SIZE: {"eastus2": {"": 0}}}})
    document = shell(f"{_CREATE} --region eastus2 -o json").document
    assert document["zone"] == "1"
    (tried,) = document["tries"]
    assert (tried["region"], tried["zone"], tried["code"]) == ("eastus2", None, "AllocationFailed")
    assert tried["seconds"] > 30


@pytest.mark.slow
def test_create_tries_any_region_if_asked(shell):
    shell.arm.configure({"capacity": {NCC_SIZE: dict(list(_SOLD_OUT.items())[:2])}})
    assert shell(f"{_CREATE} --region eastus2").code == 6
    done = shell(f"{_CREATE} --region eastus2 --any-region -o json")
    assert (done.code, done.document["region"]) == (0, "centralus")
    again = shell("create demo --no-attest -o json")
    assert (again.code, again.document["region"]) == (0, "centralus")


def test_nobody_waits_for_what_is_not_a_time(shell):
    done = shell(f"{_CREATE} --wait-for-capacity soon")
    assert done.code == 2
    assert shell.arm.show()["requests"] == []
