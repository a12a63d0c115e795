"""The log of workloads as a file of a folder, and in a bundle."""

import base64
import json
from dataclasses import fields
from pathlib import Path

import pytest

from ccgpu.domain import bundle
from ccgpu.domain.evidence import CpuEvidence
from ccgpu.errors import InvalidFile
from ccgpu.store import evidence
from ccgpu.store.evidence.kinds import kind_of
from support.vms import AT, Judge, amd_roots, nonce_evidence, vm
from support.workload_events import encode, event, log_of, vm_with

_LOG = log_of(event("one"), event("two"))
_EVENT = encode(event())


def _folder(path: Path, log: bytes) -> Path:
    """A folder with the raw evidence of a VM that started two workloads, and some log."""
    found = nonce_evidence(vm_with(event("one"), event("two"))).cpu
    assert found is not None
    for each in fields(CpuEvidence):
        value = getattr(found, each.name)
        if isinstance(value, bytes):
            (path / each.name).write_bytes(value)
    values = {str(index): value.hex() for index, value in (found.pcrs or {}).items()}
    (path / "pcrs.json").write_text(json.dumps(values))
    (path / "nonce").write_text(nonce_evidence(vm()).claimed.nonce.hex())  # type: ignore[union-attr]
    (path / "workload_log").write_bytes(log)
    return path


def _reasons(path: Path) -> tuple[str, ...]:
    read = evidence.read_evidence(path)
    object.__setattr__(read, "simulated_roots", amd_roots(vm()))
    return tuple(Judge()(read).reasons)


def test_a_folder_may_contain_the_log(tmp_path):
    folder = _folder(tmp_path, _LOG)
    read = evidence.read_evidence(folder)
    assert read.cpu is not None
    assert (read.cpu.workload_log, read.ignored) == (_LOG, ())
    assert _reasons(folder) == ()


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (_LOG.replace(b"two", b"ten"), "workloads.log.replay"),
        (_LOG.replace(b"workload-event/1", b"workload-event/2"), "workloads.log.value"),
        (_LOG.replace(b'{"command":[', b'{ "command":['), "workloads.log.canonical"),
        (_LOG[:-1], "workloads.log.lines"),
    ],
)
def test_a_damaged_log_in_a_folder_is_refused_and_not_left_out(tmp_path, log, reason):
    assert _reasons(_folder(tmp_path, log)) == (reason,)


def test_a_folder_with_two_logs_is_ambiguous(tmp_path):
    folder = _folder(tmp_path, _LOG)
    (folder / "another").write_bytes(_LOG)
    with pytest.raises(InvalidFile, match="two files of the kind workload_log"):
        evidence.read_evidence(folder)


def test_a_log_alone_is_no_evidence(tmp_path):
    (tmp_path / "folder").mkdir()
    for file in (tmp_path / "workloads.log", tmp_path / "folder" / "workloads.log"):
        file.write_bytes(_LOG)
    with pytest.raises(InvalidFile, match="is only a log of workloads"):
        evidence.read_evidence(tmp_path / "workloads.log")
    with pytest.raises(InvalidFile, match="of known kinds there are: workload_log"):
        evidence.read_evidence(tmp_path / "folder")


def test_a_log_is_not_taken_twice(tmp_path):
    folder = _folder(tmp_path, _LOG)
    for name in (each.name for each in fields(CpuEvidence)):
        if name != "workload_log":
            (folder / name).unlink(missing_ok=True)
    (folder / "pcrs.json").unlink()
    made = bundle.from_evidence(nonce_evidence(vm_with(event())), made_at=AT, tool="test")
    (folder / "bundle.json").write_text(made.model_dump_json(by_alias=True, exclude_none=True))
    with pytest.raises(InvalidFile, match="workload_log twice"):
        evidence.read_evidence(folder)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (_EVENT, "workload_log"),
        (_EVENT[:20], "workload_log"),
        (b'{"x":1,"schema":"ccgpu.workload-event/1"}', "workload_log"),
        (b' {"command":[', None),
        (b'{"command":{}}', None),
        (b'["schema":"ccgpu.workload-event/1"]', None),
    ],
)
def test_a_log_is_known_by_its_beginning_or_its_schema(data, kind):
    assert kind_of("file", data) == kind


def test_a_bundle_keeps_the_log():
    found = nonce_evidence(vm_with(event()))
    made = bundle.from_evidence(found, made_at=AT, tool="test")
    document = json.loads(made.model_dump_json(by_alias=True, exclude_none=True))
    assert base64.b64decode(document["cpu"]["workload_log"]) == log_of(event())
    assert made.evidence().cpu == found.cpu


def test_a_bundle_has_one_spelling_of_the_log(tmp_path):
    made = bundle.from_evidence(nonce_evidence(vm_with(event())), made_at=AT, tool="test")
    document = json.loads(made.model_dump_json(by_alias=True, exclude_none=True))
    document["cpu"]["workload_log"] = document["cpu"]["workload_log"] + "\n"
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(document))
    with pytest.raises(InvalidFile, match="is not base64"):
        evidence.read_evidence(file)
