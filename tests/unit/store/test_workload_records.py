"""The records of the workloads that this machine has started."""

import json
from pathlib import Path

import pytest

from ccgpu.domain.workload_record import WorkloadRecord
from ccgpu.errors import StateUnusable
from ccgpu.store.workload_records import WorkloadRecords

PLACE = ("subscription", "demo")


def _record(name: str, **section: object) -> WorkloadRecord:
    return WorkloadRecord(name, "server", (1, 2), "boot", "2026-01-01T00:00:00Z", section)


@pytest.fixture
def records(tmp_path: Path) -> WorkloadRecords:
    return WorkloadRecords(tmp_path / "journals")


def test_records_come_back_the_latest_last(records):
    assert records.find(*PLACE) == {}
    for name in ("a", "b", "a"):
        records.record(*PLACE, _record(name, use="x"))
    assert [*records.find(*PLACE)] == ["b", "a"]
    assert records.find(*PLACE)["a"] == _record("a", use="x")


def test_only_the_latest_eight_are_kept(records):
    for number in range(10):
        records.record(*PLACE, _record(f"w{number}"))
    assert [*records.find(*PLACE)] == [f"w{number}" for number in range(2, 10)]


def test_one_or_all_are_forgotten(records):
    records.record(*PLACE, _record("a"))
    records.record(*PLACE, _record("b"))
    records.forget(*PLACE, "a")
    records.forget(*PLACE, "no-such")
    assert [*records.find(*PLACE)] == ["b"]
    records.forget(*PLACE)
    assert records.find(*PLACE) == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(schema="ccgpu.workloads/2"),
        lambda document: document.pop("workloads"),
        lambda document: document["workloads"][0].update(section=[]),
        lambda document: document["workloads"][0].update(boot_id=1),
        lambda document: document["workloads"][0].update(ended="no"),
        lambda document: document["workloads"][0].update(more=1),
        lambda document: document["workloads"][0].update(ports=["x"]),
    ],
)
def test_a_damaged_record_is_an_error(records, change):
    records.record(*PLACE, _record("a"))
    (path,) = records.folder.rglob("demo.workloads")
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(StateUnusable, match="the workloads of the VM"):
        records.find(*PLACE)
