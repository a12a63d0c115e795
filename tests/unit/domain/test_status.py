"""What a deployment is doing, told from its VM."""

from typing import Any

import pytest

from ccgpu.domain.resource import Body
from ccgpu.domain.status import State, power, state


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
        pytest.param(None, State.CREATING, id="no vm"),
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
def test_the_state_of_a_vm(vm, told):
    assert state(vm) is told


@pytest.mark.parametrize("word", ["running", "stopped", "deallocated"])
def test_power_is_azures_word(word):
    assert power(_vm(running=word)) == word


@pytest.mark.parametrize("view", [{}, {"statuses": [{}]}, {"statuses": [{"code": "Other/x"}]}])
def test_power_is_unknown_where_nothing_says_it(view):
    assert power({"properties": {"instanceView": view}}) is None


def test_the_states_are_the_words_of_the_contract():
    words = {"creating", "booting", "ready", "stopped", "failed", "deleting"}
    assert {str(one) for one in State} == words
    assert all(one == one.name.lower() for one in State)
