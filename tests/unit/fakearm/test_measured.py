"""VMs of measured images at the simulated Azure: user data, no agent, the image that they boot."""

import base64

import pytest

from support.arm import image_reference, vm_body, vm_path
from support.measured_deployments import IMAGE, VERSION, gallery

_DATA, _OTHER = (base64.b64encode(one).decode() for one in (b"{}", b"other"))
_NO_AGENT = {
    "os__linuxConfiguration__provisionVMAgent": False,
    "os__allowExtensionOperations": False,
}


def body(data=_DATA, **changes):
    made = vm_body(**_NO_AGENT, **changes)
    made["properties"]["userData"] = data
    return made


@pytest.fixture
def vm(az):
    """A VM without an agent, with user data."""
    az.network()
    az.complete("PUT", vm_path(), body())
    return vm_path()


def user_data(az, path):
    return az.get(path, query="&$expand=userData")["properties"].get("userData")


def test_user_data_is_told_to_who_asks_and_can_be_changed(az, vm):
    assert "userData" not in az.get(vm)["properties"]
    assert user_data(az, vm) == _DATA
    az.complete("PATCH", vm, {"properties": {"userData": _OTHER}})
    assert user_data(az, vm) == _OTHER
    az.complete("PATCH", vm, {"tags": {"a": "b"}})
    assert user_data(az, vm) == _OTHER


@pytest.mark.parametrize("data", ["no base64", "A" * (64 * 1024 + 4), 7])
def test_user_data_is_base64_of_a_bounded_size(az, data):
    az.network()
    assert az.refusal("PUT", vm_path(), body(data)) == (400, "InvalidParameter")


def test_user_data_may_have_64_kib(az):
    az.network()
    az.complete("PUT", vm_path(), body("A" * (64 * 1024)))


def test_without_an_agent_nothing_reports_from_inside(az, vm):
    az.arm.advance(600)
    view = az.get(vm, query="&$expand=instanceView")["properties"]["instanceView"]
    assert "PowerState/running" in [one["code"] for one in view["statuses"]]
    assert view.keys().isdisjoint({"vmAgent", "computerName", "osName"})
    script = {"commandId": "RunShellScript", "script": ["id"]}
    assert az.refusal("POST", f"{vm}/runCommand", script)[0] == 409


def test_a_specialized_image_takes_no_os_profile(az):
    az.network()
    assert not az.arm.add(gallery(state="Specialized")).problems
    given = body(image={"id": VERSION})
    answer = az.send("PUT", vm_path(), given)
    assert (answer.status, answer.body["error"]["code"]) == (400, "InvalidParameter")
    assert "'osProfile' is not allowed" in answer.body["error"]["message"]


def test_a_version_is_read_with_its_tags(az):
    resources = gallery()
    assert not az.arm.add(resources).problems
    assert az.get(VERSION)["tags"] == resources[2]["tags"]
    assert az.get(IMAGE)["properties"]["osState"] == "Generalized"
    listed = az.get(f"{IMAGE}/versions")["value"]
    assert [one["tags"] for one in listed] == [resources[2]["tags"]]


def test_a_full_disk_encryption_is_not_needed_and_secure_boot_may_be_off(az):
    az.network()
    given = body(security__uefiSettings__secureBootEnabled=False, image=image_reference())
    az.complete("PUT", vm_path(), given)
