"""Which resources an extend writes, by the VM, the list entries and the new end."""

from typing import Any

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.extension import LeaseTarget, further_targets, is_shorter
from ccgpu.domain.resource import Body, ResourceId, key

_NAMES = Names("00000000-0000-4000-8000-000000000001", "ccgpu-demo", "demo")
_NSG = _NAMES.of(Kind.NSG, "-nsg")
_VNET = _NAMES.of(Kind.VNET, "-vnet")
_NIC = _NAMES.of(Kind.NIC, "-nic-1")
_IP = _NAMES.of(Kind.PUBLIC_IP, "-ip-1")
_DATA = _NAMES.data_disk(0)
_EARLY, _MIDDLE, _LATE = (f"2026-01-01T0{hour}:00:00Z" for hour in (1, 2, 3))
_SHARED = {name.rsplit("/", 1)[-1] for name in _NAMES.shared} - {"ccgpu-demo"}


def body(id_: ResourceId, expires: str | None = None, owner: str | None = "demo") -> Body:
    times = {} if expires is None else {"ccgpu-expires": expires}
    return {"id": id_, "tags": ({} if owner is None else {"ccgpu-deployment": owner}) | times}


def vm(expires: str | None = _EARLY, option: str = "Delete") -> Body:
    disk = {"managedDisk": {"id": _NAMES.os_disk}, "deleteOption": option}
    interface = {"id": _NIC, "properties": {"deleteOption": option}}
    properties = {
        "storageProfile": {"osDisk": disk, "dataDisks": []},
        "networkProfile": {"networkInterfaces": [interface]},
    }
    return body(_NAMES.vm, expires) | {"properties": properties}


def listed(**changed: Body) -> dict[ResourceId, Body]:
    """The entries of a whole deployment, with `changed` ones."""
    ids = {"nsg": _NSG, "vnet": _VNET, "nic": _NIC, "ip": _IP, "disk": _NAMES.os_disk}
    entries = {name: body(id_, _EARLY) for name, id_ in ids.items()} | changed
    entries |= {"group": body(_NAMES.of(Kind.GROUP), _EARLY), "vm": body(_NAMES.vm, _EARLY)}
    return {key(entry["id"]): entry for entry in entries.values()}


def chosen(
    entries: dict[ResourceId, Body],
    of_vm: Body,
    *,
    expires: str = _MIDDLE,
    group_suffices: bool = True,
    **more: Any,
) -> dict[str, bool]:
    """The names of the targets, and whether each is only written if it is later."""
    dependents = more.get("dependents", {})
    targets = further_targets(
        _NAMES, entries, of_vm, expires, group_suffices=group_suffices, dependents=dependents
    )
    assert not any(one.must_exist for one in targets)
    return {one.id.rsplit("/", 1)[-1]: one.only_if_later for one in targets}


def test_with_a_group_that_suffices_a_longer_lease_needs_nothing_else() -> None:
    assert chosen(listed(), vm()) == {}


def test_without_such_a_group_what_outlives_the_vm_is_written() -> None:
    told = chosen(listed(), vm(), group_suffices=False)
    assert told == dict.fromkeys(_SHARED | {"demo-ip-1"}, False)


def test_disks_and_interfaces_that_azure_only_detaches_outlive_the_vm() -> None:
    told = chosen(listed(), vm(option="Detach"), group_suffices=False)
    assert told == dict.fromkeys(_SHARED | {"demo-ip-1", "demo-nic-1", "demo-osdisk"}, False)


def test_a_detached_data_disk_outlives_the_vm() -> None:
    told = chosen(listed(data=body(_DATA, _EARLY)), vm(), group_suffices=False)
    assert told["demo-data0"] is False


@pytest.mark.parametrize("of_vm", [_EARLY, None])
@pytest.mark.parametrize("end", [_LATE, "soon"])
def test_an_entry_with_a_later_or_invalid_end_is_read(end: str, of_vm: str | None) -> None:
    assert chosen(listed(nsg=body(_NSG, end)), vm(of_vm)) == {"demo-nsg": True}


def test_an_entry_later_than_the_vm_is_read_for_the_old_end() -> None:
    assert chosen(listed(nsg=body(_NSG, _MIDDLE)), vm(), expires=_LATE) == {"demo-nsg": True}
    assert chosen(listed(nsg=body(_NSG, _MIDDLE)), vm(None), expires=_LATE) == {}


@pytest.mark.parametrize("owner", [None, "another"])
def test_an_entry_without_the_tag_of_the_deployment_is_read(owner: str | None) -> None:
    assert chosen(listed(nic=body(_NIC, owner=owner)), vm()) == {"demo-nic-1": True}


@pytest.mark.parametrize("of_vm", [_LATE, "soon"])
def test_a_shorter_lease_reads_all_that_may_exist(of_vm: str) -> None:
    assert is_shorter(vm(of_vm), _MIDDLE)
    told = chosen({}, vm(of_vm), dependents={_NIC: Kind.NIC, _IP: Kind.PUBLIC_IP})
    assert told == dict.fromkeys(_SHARED | {"demo-osdisk", "demo-nic-1", "demo-ip-1"}, True)


@pytest.mark.parametrize("of_vm", [_EARLY, _MIDDLE, None])
def test_a_lease_is_not_shorter_than_an_earlier_or_missing_end(of_vm: str | None) -> None:
    assert not is_shorter(vm(of_vm), _MIDDLE)


def test_neither_the_vm_nor_the_group_is_chosen_again() -> None:
    capitals = {key(id_): body(ResourceId(id_.upper()), _LATE) for id_ in (_NAMES.vm, _NSG)}
    group = _NAMES.of(Kind.GROUP)
    entries = capitals | {key(group): body(group, _LATE)}
    for suffices in (True, False):
        told = chosen(entries, vm(_LATE), group_suffices=suffices)
        assert {"demo", "ccgpu-demo", "DEMO"}.isdisjoint(told)
        assert "demo-nsg" in told


@pytest.mark.parametrize(
    ("end", "needed"), [(None, False), (_EARLY, False), (_MIDDLE, False), (_LATE, True), ("", True)]
)
def test_a_resource_is_written_always_or_only_if_its_end_is_later(
    end: str | None, needed: bool
) -> None:
    read = body(_NSG, end)
    assert LeaseTarget(_NSG, Kind.NSG, only_if_later=True).needs(read, _MIDDLE) is needed
    assert LeaseTarget(_NSG, Kind.NSG).needs(read, _MIDDLE)


def test_an_entry_of_a_kind_that_ccgpu_does_not_know_is_left_alone() -> None:
    provider = "/subscriptions/s/resourceGroups/ccgpu-demo/providers/Microsoft.Web/sites/demo"
    told = chosen(listed(site=body(ResourceId(provider), _EARLY)), vm(), group_suffices=False)
    assert told == dict.fromkeys(_SHARED | {"demo-ip-1"}, False)
