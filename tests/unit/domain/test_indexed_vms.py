"""Which rows of the index of VMs hold: those that the live lists bear out, and no other."""

from typing import Any

import pytest

from ccgpu.domain.indexed_vms import join_index
from ccgpu.domain.resource import Body, key

_ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"
_AT = key(_ID)
_NOW = 1_800_000_000.0
_LONG_AGO = "2027-01-15T06:00:00+00:00"  # two hours before
_TAGS = {"ccgpu-deployment": "vm", "ccgpu-expires": "later"}
_SIZE = {"hardwareProfile": {"vmSize": "X"}}


def _row(**changes: Any) -> Body:
    own = {"vmId": "A-1", "provisioningState": "Updating", **_SIZE}
    return {"id": _ID, "location": "eastus2", "tags": _TAGS, "properties": own} | changes


def _view(ended: str | None) -> Body:
    states = [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/running"}]
    return {"statuses": [states[0] | ({} if ended is None else {"time": ended}), states[1]]}


def _status(ended: str | None = _LONG_AGO, state: str | None = "Succeeded", **changes: Any) -> Body:
    own = {"vmId": "a-1", "provisioningState": state, "instanceView": _view(ended)} | changes
    return {"id": _ID, "location": "eastus2", "properties": own}


def _join(row: Body | None, status: Body | None, tags: Body | None = _TAGS) -> Any:
    """What holds and what is unclear, of one VM."""
    held, unclear = join_index(
        [] if row is None else [row],
        {} if status is None else {_AT: status},
        {} if tags is None else {_AT: {"id": _ID, "tags": tags}},
        _NOW,
    )
    return held, unclear


def test_a_row_that_holds_has_the_state_of_the_live_list() -> None:
    held, unclear = _join(_row(id=_ID.upper()), _status())
    assert unclear == []
    (vm,) = held
    assert (vm["location"], vm["tags"]) == ("eastus2", _TAGS)
    live = {"provisioningState": "Succeeded", "instanceView": _view(_LONG_AGO)}
    assert vm["properties"] == {"vmId": "A-1", **_SIZE, **live}


@pytest.mark.parametrize(
    ("row", "status", "tags"),
    [
        pytest.param(None, _status(), None, id="no row"),
        pytest.param(_row(properties={}), _status(), _TAGS, id="a row without vmId"),
        pytest.param(_row(), _status(vmId=None), _TAGS, id="a status without vmId"),
        pytest.param(_row(properties={}), _status(vmId=None), _TAGS, id="neither has one"),
        pytest.param(_row(), _status(vmId="b"), _TAGS, id="another VM of the name"),
        pytest.param(_row(tags={}), _status(vmId="b"), None, id="another, which may be ours"),
        pytest.param(_row(), _status(), None, id="not among the tagged resources"),
        pytest.param(_row(tags={}), _status(), _TAGS, id="tagged since"),
        pytest.param(_row(), _status(), {**_TAGS, "ccgpu-expires": "now"}, id="other tags"),
        pytest.param(_row(), _status("2027-01-15T07:00:01Z"), _TAGS, id="changed lately"),
        pytest.param(_row(), _status("2027-01-16T00:00:00Z"), _TAGS, id="changed in the future"),
        pytest.param(_row(), _status(None), _TAGS, id="nobody says when it changed"),
        pytest.param(_row(), _status("soon"), _TAGS, id="no time"),
        pytest.param(_row(), _status(instanceView=None), _TAGS, id="no view"),
        pytest.param(_row(), _status(state="Updating"), _TAGS, id="under way"),
        pytest.param(_row(), _status(state="Deleting"), _TAGS, id="being deleted"),
        pytest.param(_row(), _status(state="Failed"), _TAGS, id="failed"),
    ],
)
def test_any_doubt_means_that_the_vm_is_read(
    row: Body | None, status: Body, tags: Body | None
) -> None:
    assert _join(row, status, tags) == ([], [status])


@pytest.mark.parametrize(
    ("row", "status"),
    [
        pytest.param(_row(tags=None), _status(None, "Creating"), id="of another owner"),
        pytest.param(_row(), None, id="only the index has it"),
    ],
)
def test_what_is_no_deployments_or_is_gone_is_neither_shown_nor_read(
    row: Body, status: Body | None
) -> None:
    assert _join(row, status, None) == ([], [])


def test_another_owners_vm_hides_none_behind_it() -> None:
    other = f"{_ID}-other"
    rows = [_row(id=other, tags=None), _row()]
    statuses = {key(other): _status() | {"id": other}, _AT: _status()}
    held, unclear = join_index(rows, statuses, {_AT: {"id": _ID, "tags": _TAGS}}, _NOW)
    assert ([one["id"] for one in held], unclear) == ([_ID], [])


def test_an_hour_after_the_last_operation_the_row_holds() -> None:
    held, unclear = _join(_row(), _status("2027-01-15T07:00:00Z"))
    assert (len(held), unclear) == (1, [])
