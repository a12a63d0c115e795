"""Start, stop and restart with their bill, and the serial log."""

import base64

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from ccgpu.fakearm import FakeGap, Request, scenarios
from support.arm import REGION, image_reference, resource_path, vm_body, vm_path

SIZE = "Standard_NCC40ads_H100_v5"


def power(az):
    return az.get(f"{vm_path()}/instanceView")["statuses"][-1]["code"]


def billed(az, kind="virtualMachines"):
    (one,) = [one for one in az.arm.show()["resources"] if one["kind"].endswith(f"/{kind}")]
    return one["billed_seconds"]


@pytest.mark.parametrize(
    ("action", "seconds", "during", "after", "costs"),
    [
        ("deallocate", 35, "deallocating", "deallocated", False),
        ("powerOff", 20, "stopping", "stopped", True),
        ("restart", 30, "running", "starting", True),
    ],
)
def test_action_takes_its_duration(az, action, seconds, during, after, costs):
    az.network()
    az.machine()
    az.arm.advance(60)
    answer = az.ok("POST", f"{vm_path()}/{action}")
    assert (answer.status, answer.body, "Location" in answer.headers) == (202, None, True)
    assert power(az) == f"PowerState/{during}"
    assert az.refusal("POST", f"{vm_path()}/start") == (409, "Conflict")
    az.arm.advance(seconds)
    assert power(az) == f"PowerState/{after}"
    assert (vm_path() in az.arm.show()["billing"]) == costs


def test_power_off_may_skip_the_shutdown(az):
    az.network()
    az.machine()
    az.complete("POST", f"{vm_path()}/powerOff", query="&skipShutdown=true")
    assert power(az) == "PowerState/stopped"


def test_a_start_boots_again(az):
    az.network()
    az.machine()
    az.complete("POST", f"{vm_path()}/deallocate")
    assert "vmAgent" not in az.get(f"{vm_path()}/instanceView")
    az.ok("POST", f"{vm_path()}/start")
    assert power(az) == "PowerState/starting"
    az.arm.advance(40)
    assert power(az) == "PowerState/starting"
    az.arm.advance(40)
    assert power(az) == "PowerState/running"


def test_start_allocates_again(az):
    az.network()
    az.machine()
    az.complete("POST", f"{vm_path()}/deallocate")
    az.arm.settings.set("capacity", SIZE, REGION, "", value=0)
    answer = az.ok("POST", f"{vm_path()}/start")
    ended = az.wait_for_end(answer.headers["Azure-AsyncOperation"])
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "AllocationFailed")
    assert power(az) == "PowerState/deallocated"
    assert vm_path() not in az.arm.show()["billing"]
    az.arm.settings.set("capacity", value={})
    az.complete("POST", f"{vm_path()}/start")
    assert az.get(vm_path())["properties"]["provisioningState"] == "Succeeded"


def test_only_deallocation_frees_capacity(az):
    az.network()
    az.arm.settings.set("capacity", SIZE, REGION, "", value=1)
    az.machine()
    az.complete("POST", f"{vm_path()}/powerOff")
    refused = az.ok("PUT", vm_path("two"), vm_body("two"))
    assert az.wait_for_end(refused.headers["Azure-AsyncOperation"])["status"] == "Failed"
    az.complete("POST", f"{vm_path()}/start")
    az.complete("POST", f"{vm_path()}/deallocate")
    az.complete("PUT", vm_path("two"), vm_body("two"))


def test_restart_needs_a_running_vm(az):
    az.network()
    az.machine()
    az.complete("POST", f"{vm_path()}/deallocate")
    assert az.refusal("POST", f"{vm_path()}/restart") == (409, "OperationNotAllowed")


def test_a_vm_costs_while_it_is_allocated(az):
    az.network()
    az.machine()
    before = billed(az)
    az.arm.advance(100)
    assert billed(az) == before + 100
    az.ok("POST", f"{vm_path()}/deallocate")
    az.arm.advance(35)
    az.arm.advance(1000)
    assert billed(az) == before + 135
    assert billed(az, "disks") == before + 1135
    az.complete("POST", f"{vm_path()}/start")
    assert billed(az) > before + 135


def test_unallocated_vm_is_never_billed(az):
    az.network()
    az.arm.settings.set("capacity", SIZE, REGION, "", value=0)
    az.ok("PUT", vm_path(), vm_body())
    az.arm.advance(500)
    assert billed(az) == 0


def log_address(az, query=""):
    return az.ok("POST", f"{vm_path()}/retrieveBootDiagnosticsData", query=query).body


def read(az, url):
    return az.arm.send(Request("GET", url))


def test_the_serial_log_grows_as_the_vm_boots(az):
    az.network()
    az.ok("PUT", vm_path(), vm_body())
    url = log_address(az)["serialConsoleLogBlobUri"]
    assert read(az, url).body == ""
    az.arm.advance(44)
    assert "Linux version" in read(az, url).body
    assert "SSH HOST KEY" not in read(az, url).body
    az.arm.advance(40)
    answer = read(az, url)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain")
    lines = answer.body.splitlines()
    block = lines[
        lines.index("-----BEGIN SSH HOST KEY KEYS-----") + 1 : lines.index(
            "-----END SSH HOST KEY KEYS-----"
        )
    ]
    (line,) = block
    assert line.startswith("ssh-ed25519 ")
    load_ssh_public_key(line.encode())
    assert len(base64.b64decode(line.split()[1])) == 51


def test_each_vm_has_its_own_host_key(az):
    az.network()
    keys = set()
    for name in ("one", "two"):
        az.machine(name)
        az.arm.advance(60)
        answer = az.ok("POST", f"{vm_path(name)}/retrieveBootDiagnosticsData")
        text = read(az, answer.body["serialConsoleLogBlobUri"]).body
        keys.add(text.partition("SSH HOST KEY KEYS-----")[2].split()[1])
    assert len(keys) == 2


def test_a_confidential_vm_has_no_screenshot(az):
    az.network()
    az.machine()
    assert set(log_address(az)) == {"serialConsoleLogBlobUri"}
    plain = vm_body(
        "plain",
        size="Standard_D4s_v5",
        security=...,
        managed__securityProfile=...,
        image=image_reference("server"),
    )
    az.complete("PUT", vm_path("plain"), plain)
    told = az.ok("POST", f"{vm_path('plain')}/retrieveBootDiagnosticsData").body
    assert set(told) == {"serialConsoleLogBlobUri", "consoleScreenshotBlobUri"}


def test_log_url_expires(az):
    az.network()
    az.machine()
    url = log_address(az, "&sasUriExpirationTimeInMinutes=1")["serialConsoleLogBlobUri"]
    az.arm.advance(59)
    assert read(az, url).status == 200
    az.arm.advance(1)
    assert read(az, url).status == 403
    assert read(az, log_address(az)["serialConsoleLogBlobUri"]).status == 200


@pytest.mark.parametrize("minutes", [0, 1441])
def test_log_url_expires_after_a_minute_to_a_day(az, minutes):
    az.network()
    az.machine()
    path, query = (
        f"{vm_path()}/retrieveBootDiagnosticsData",
        f"&sasUriExpirationTimeInMinutes={minutes}",
    )
    assert az.refusal("POST", path, query=query) == (400, "InvalidParameter")


def test_unknown_log_url_is_not_found(az):
    az.network()
    az.machine()
    url = log_address(az)["serialConsoleLogBlobUri"]
    assert read(az, url + "0").status == 404
    with pytest.raises(FakeGap):
        az.arm.send(Request("PUT", url))
    with pytest.raises(FakeGap, match="token"):
        az.arm.send(Request("GET", url, {"Authorization": "Bearer x"}))


def test_without_boot_diagnostics_there_is_no_log(az):
    az.network()
    az.machine(properties__diagnosticsProfile=...)
    refused = az.refusal("POST", f"{vm_path()}/retrieveBootDiagnosticsData")
    assert refused == (409, "OperationNotAllowed")


def disks_in(body):
    storage = body["properties"]["storageProfile"]
    return [
        (one.get("diskSizeGB"), one["managedDisk"].get("storageAccountType"))
        for one in (storage["osDisk"], *storage["dataDisks"])
    ]


DISK = "Microsoft.Compute/disks"
DATA = [{"name": "data", "lun": 0, "createOption": "Empty", "diskSizeGB": 32}]
SIZES = [(64, "Premium_LRS"), (32, "Premium_LRS")]


def test_deallocated_vm_omits_size_and_type_of_its_disks(az):
    az.network()
    az.machine(data_disks=DATA)
    assert disks_in(az.get(vm_path())) == SIZES
    az.complete("POST", f"{vm_path()}/powerOff")
    assert disks_in(az.get(vm_path())) == SIZES
    az.complete("POST", f"{vm_path()}/deallocate")
    (listed,) = az.get(resource_path("Microsoft.Compute/virtualMachines", "x").removesuffix("/x"))[
        "value"
    ]
    told = [az.get(vm_path()), az.get(vm_path(), query="&$expand=instanceView"), listed]
    told += [az.complete("PATCH", vm_path(), {"tags": {"a": "b"}}).body]
    assert [disks_in(body) for body in told] == [[(None, None), (None, None)]] * 4
    assert [body["properties"]["storageProfile"]["osDisk"]["name"] for body in told] == [
        "vm-os"
    ] * 4
    for name, size in (("vm-os", 64), ("data", 32)):
        disk = az.get(resource_path(DISK, name))
        assert (disk["properties"]["diskSizeGB"], disk["sku"]["name"]) == (size, "Premium_LRS")
    az.complete("POST", f"{vm_path()}/start")
    assert disks_in(az.get(vm_path())) == SIZES


def agent(az):
    view = az.get(f"{vm_path()}/instanceView")
    said = [
        (one["displayStatus"], one["time"]) for one in view.get("vmAgent", {}).get("statuses", ())
    ]
    return said, "computerName" in view


def ready_machine(az):
    az.network()
    az.machine()
    az.arm.advance(60)


def test_stopped_vm_shows_the_last_agent_report_for_a_while(az):
    ready_machine(az)
    ((_, time),), _ = agent(az)
    az.complete("POST", f"{vm_path()}/powerOff")
    assert agent(az) == ([("Ready", time)], True)
    az.arm.advance(700)
    assert agent(az) == ([], False)


@pytest.mark.parametrize("stale", [False, True])
def test_stale_agents_setting_extends_the_last_report(az, stale):
    ready_machine(az)
    if stale:
        scenarios.apply(az.arm, "stale-agents")
    ((_, time),), _ = agent(az)
    az.complete("POST", f"{vm_path()}/deallocate")
    assert agent(az) == ([("Ready", time)] if stale else [], stale)
    az.ok("POST", f"{vm_path()}/start")
    az.arm.advance(45)
    assert power(az) == "PowerState/starting"
    ((what, when),), named = agent(az)
    assert (what, when == time, named) == (
        ("Ready", True, True) if stale else ("Not Ready", False, False)
    )
    az.arm.advance(60)
    ((what, when),), _ = agent(az)
    assert (what, when > time) == ("Ready", True)


def test_a_deallocated_vms_disk_is_reserved(az):
    ready_machine(az)
    disk = resource_path(DISK, "vm-os")
    told = az.get(disk)["properties"]
    assert (told["diskState"], told["diskSizeBytes"]) == ("Attached", 64 * 1024**3)
    az.complete("POST", f"{vm_path()}/deallocate")
    assert az.get(disk)["properties"]["diskState"] == "Reserved"
    az.complete("POST", f"{vm_path()}/start")
    assert az.get(disk)["properties"]["diskState"] == "Attached"


@pytest.mark.parametrize(
    ("action", "after"),
    [("restart", None), ("powerOff", None), ("deallocate", "10"), ("reapply", "10")],
)
def test_actions_have_their_recorded_retry_after(az, action, after):
    ready_machine(az)
    assert az.ok("POST", f"{vm_path()}/{action}").headers.get("Retry-After") == after
