"""What a deployment is doing, told from its VM."""

from typing import Any

import pytest

from ccgpu.domain.resource import Body
from ccgpu.domain.status import State, last_change, vm_state
from ccgpu.domain.vm_view import power_state


def _vm(
    provisioning: str | None = "Succeeded", running: str | None = "running", agent: Any = "Ready"
) -> Body:
    statuses = [{"code": "ProvisioningState/succeeded"}]
    if running is not None:
        statuses.append({"code": f"PowerState/{running}"})
    view: Body = {"statuses": statuses}
    if agent is not None:
        view["vmAgent"] = {"statuses": [{"displayStatus": "Old"}, {"displayStatus": agent}]}
    return {"properties": {"provisioningState": provisioning, "instanceView": view}}


@pytest.mark.parametrize(
    ("vm", "told"),
    [
        pytest.param(None, State.LEFTOVERS, id="no vm"),
        pytest.param(_vm(), State.READY, id="ready"),
        pytest.param(_vm(provisioning=None), State.READY, id="no provisioning state is done"),
        pytest.param(_vm("Updating"), State.READY, id="being updated, still running"),
        pytest.param(_vm("Canceled"), State.READY, id="canceled update"),
        pytest.param(_vm("Creating"), State.CREATING, id="creating"),
        pytest.param(_vm("Migrating"), State.CREATING, id="unknown word"),
        pytest.param(_vm("Failed"), State.FAILED, id="failed"),
        pytest.param(_vm("Deleting"), State.DELETING, id="deleting"),
        pytest.param(_vm(agent="Not Ready"), State.BOOTING, id="agent not ready"),
        pytest.param(_vm(agent=None), State.BOOTING, id="no agent"),
        pytest.param(_vm(running="starting"), State.BOOTING, id="starting"),
        pytest.param(_vm(running=None), State.BOOTING, id="no power state"),
        pytest.param(_vm(running="stopped"), State.STOPPED, id="stopped"),
        pytest.param(_vm(running="stopping"), State.STOPPED, id="stopping"),
        pytest.param(_vm(running="deallocated"), State.STOPPED, id="deallocated"),
        pytest.param(_vm(running="deallocating"), State.STOPPED, id="deallocating"),
        pytest.param(_vm("Failed", "running"), State.FAILED, id="failed while running"),
        pytest.param({}, State.BOOTING, id="nothing said"),
        pytest.param({"properties": None}, State.BOOTING, id="null"),
        pytest.param(
            {"properties": {"instanceView": {"statuses": None, "vmAgent": None}}},
            State.BOOTING,
            id="null inside",
        ),
        pytest.param(
            {
                "properties": {
                    "instanceView": {
                        "statuses": [{"code": "PowerState/running"}],
                        "vmAgent": {"statuses": None},
                    }
                }
            },
            State.BOOTING,
            id="agent without statuses",
        ),
    ],
)
def test_the_state_of_a_vm_follows_from_provisioning_and_power_state(vm, told):
    assert vm_state(vm) is told


@pytest.mark.parametrize("word", ["running", "stopped", "deallocated"])
def test_the_power_state_is_that_of_azure(word):
    assert power_state(_vm(running=word)) == word


@pytest.mark.parametrize("view", [{}, {"statuses": [{}]}, {"statuses": [{"code": "Other/x"}]}])
def test_the_power_state_is_unknown_without_an_instance_view(view):
    assert power_state({"properties": {"instanceView": view}}) is None


def test_the_names_of_states_are_those_of_the_contract():
    words = {"creating", "booting", "ready", "stopped", "failed", "deleting", "leftovers"}
    assert {str(one) for one in State} == words
    assert all(one == one.name.lower() for one in State)


def _other(provisioning: str, path: str = "/providers/Microsoft.Network/virtualNetworks/v") -> Body:
    id_ = f"/subscriptions/s/resourceGroups/g{path}"
    return {"id": id_, "properties": {"provisioningState": provisioning}}


@pytest.mark.parametrize(
    ("vm", "around", "told"),
    [
        (None, [], State.LEFTOVERS),
        (None, [_other("Succeeded", "")], State.LEFTOVERS),
        (None, [_other("Succeeded"), _other("Failed")], State.LEFTOVERS),
        (None, [_other("Succeeded"), _other("Updating")], State.CREATING),
        (None, [_other("Updating"), _other("Deleting")], State.DELETING),
        (None, [_other("Deleting", "")], State.DELETING),
        (_vm(), [_other("Deleting", "")], State.DELETING),
        (_vm(), [_other("Deleting")], State.READY),
        (_vm(), [_other("Updating", "")], State.READY),
    ],
)
def test_without_a_vm_the_other_resources_decide_the_state(vm, around, told):
    assert vm_state(vm, around) is told


def _vm_with_times(changed: str | None, reported: str | None) -> Body:
    body = _vm()
    view = body["properties"]["instanceView"]
    view["statuses"][0] |= {"time": changed}
    for one in view["vmAgent"]["statuses"]:
        one["time"] = reported
    return body


@pytest.mark.parametrize(
    ("changed", "reported", "told"),
    [
        pytest.param("10:00:00.1234567", "10:00:30", State.READY, id="since the start"),
        pytest.param("10:00:00", "10:00:00", State.READY, id="at the same second"),
        pytest.param("10:00:00", "09:59:10", State.READY, id="an update between two reports"),
        pytest.param("10:00:00", "09:58:59", State.BOOTING, id="before the stop"),
        pytest.param("10:00:00", None, State.READY, id="no time of the report"),
        pytest.param(None, "09:00:00", State.READY, id="no time of the change"),
        pytest.param("10:00:00", "soon", State.READY, id="no time that can be read"),
    ],
)
def test_agent_statuses_from_before_the_start_are_ignored(changed, reported, told):
    day = "2026-01-01T{}+00:00".format
    clock = [text and (day(text) if ":" in text else text) for text in (changed, reported)]
    assert vm_state(_vm_with_times(*clock)) is told


def test_only_the_end_of_an_operation_is_a_change_of_the_vm() -> None:
    later = {"time": "1970-01-01T00:02:00Z"}
    ended = {"code": "ProvisioningState/succeeded", "time": "1970-01-01T00:01:00Z"}
    statuses = [ended, {"code": "PowerState/running", **later}, {"code": None, **later}, later]
    assert last_change({"properties": {"instanceView": {"statuses": statuses}}}) == 60.0
