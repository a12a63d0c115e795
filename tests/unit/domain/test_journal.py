"""What a journal says after any sequence of runs: nothing that was begun is forgotten."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.catalog import Kind
from ccgpu.domain.journal import Journal, Record
from ccgpu.domain.resource import Resource, ResourceId, key, resource_id

_VM = resource_id("S", "G", Kind.VM, "demo")
_DISK = resource_id("S", "G", Kind.DISK, "demo-osdisk")
_NSG = resource_id("S", "G", Kind.NSG, "demo-nsg")


def _journal(run: str = "r1", **changes: Any) -> Journal:
    return Journal("demo", "S", "G", run, "2026-01-01T00:00:00Z", **changes)


def _vm() -> Resource:
    return Resource(Kind.VM, _VM, {}, implicitly_created={_DISK: Kind.DISK})


def _nsg() -> Resource:
    return Resource(Kind.NSG, _NSG, {})


def test_implicitly_created_resources_begin_with_their_put():
    assert _journal().begin(_vm()).records == (
        Record(_VM, Kind.VM, "r1", "begun"),
        Record(_DISK, Kind.DISK, "r1", "begun"),
    )


def test_observed_resources_are_done():
    journal = _journal().begin(_vm()).done((_VM, Kind.VM))
    assert {r.id: r.state for r in journal.records} == {_VM: "done", _DISK: "begun"}


def test_resources_named_by_azure_are_done_without_beginning():
    nic = resource_id("S", "G", Kind.NIC, "demo-nic-4711")
    assert _journal().done((nic, Kind.NIC)).records == (Record(nic, Kind.NIC, "r1", "done"),)


@pytest.mark.parametrize("spelt", [_VM, ResourceId(_VM.upper()), ResourceId(_VM + "/")])
def test_deleted_resources_are_removed_case_insensitively(spelt):
    journal = _journal().begin(_vm()).begin(_nsg()).gone(spelt)
    assert [r.id for r in journal.records] == [_DISK, _NSG]


def test_an_id_in_another_case_is_the_same_record():
    journal = _journal().begin(_vm()).done((ResourceId(_VM.upper()), Kind.VM))
    assert len(journal.records) == 2


def test_a_resource_keeps_the_run_that_created_it():
    first = _journal().begin(_nsg()).done((_NSG, Kind.NSG)).end_stage("provision")
    second = _journal("r2", records=first.records).begin(_nsg()).begin(_vm())
    assert [r.id for r in second.of_run()] == [_VM, _DISK]
    assert {r.id: r.run for r in second.records}[_NSG] == "r1"


def test_a_recreated_resource_belongs_to_the_new_run():
    first = _journal().begin(_nsg()).end_stage("provision")
    second = _journal("r2", records=first.records).gone(_NSG).begin(_nsg())
    assert [r.id for r in second.of_run()] == [_NSG]


def test_stages_complete_in_order_and_restart_with_a_new_resource():
    journal = _journal().begin(_nsg()).end_stage("provision").end_stage("boot").end_stage("boot")
    assert journal.stages == ("provision", "boot")
    assert journal.done((_VM, Kind.VM)).stages == ("provision", "boot")
    assert journal.begin(_vm()).stages == ()


_KINDS = {_VM: Kind.VM, _DISK: Kind.DISK, _NSG: Kind.NSG}
_STEPS = st.lists(
    st.tuples(st.sampled_from(["begin", "done", "gone"]), st.sampled_from([_vm(), _nsg()])),
    max_size=12,
)


@given(_STEPS)
def test_every_begun_resource_is_in_the_journal_once_until_deleted(steps):
    journal, there = _journal(), set()
    for what, resource in steps:
        if what == "begin":
            journal = journal.begin(resource)
            there |= {resource.id, *resource.implicitly_created}
        elif what == "done":
            journal = journal.done((resource.id, resource.kind))
            there.add(resource.id)
        else:
            journal = journal.gone(resource.id)
            there.discard(resource.id)
    ids = [key(record.id) for record in journal.records]
    assert sorted(ids) == sorted(key(id_) for id_ in there)
    assert all(record.kind is _KINDS[record.id] for record in journal.records)
