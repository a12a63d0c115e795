"""The journals on disk: whole or not there, private, locked, never overwritten when unreadable."""

import json
import os
import stat
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.given import RememberedSpec
from ccgpu.domain.journal import Journal, Record
from ccgpu.domain.resource import ResourceId
from ccgpu.errors import StateUnusable
from ccgpu.store.journals import JournalFile, Journals

RECORD = Record(ResourceId("/subscriptions/s/resourceGroups/g"), Kind.GROUP, "r1", "begun")
JOURNAL = Journal("demo", "s", "g", "r1", "2026-01-01T00:00:00Z", records=(RECORD,))


_OLD = {"deployment": "demo", "subscription": "s", "group": "g", "run": "r1"}
_OLD |= {"created": JOURNAL.created}
_REST = {
    "finished": True,
    "deployment": "demo",
    "subscription": "s",
    "group": "g",
    "run": "r",
    "created": "c",
}
_NEW = {name: value for name, value in _REST.items() if name != "finished"}
SPEC = RememberedSpec({"os_disk": {"size_gib": 512}, "tags": {}}, ("os_disk.size_gib",))


@pytest.fixture
def file(tmp_path: Path) -> JournalFile:
    return JournalFile(tmp_path / "demo.json")


def test_a_written_journal_is_read_back(file: JournalFile) -> None:
    assert file.read() is None
    file.write(JOURNAL)
    assert file.read() == JOURNAL
    file.write(replace(JOURNAL, stages=("provision", "boot")))
    assert file.read() == replace(JOURNAL, stages=("provision", "boot"))
    file.remove()
    file.remove()
    assert file.read() is None


def test_the_journal_contains_the_spec(file: JournalFile) -> None:
    file.write(replace(JOURNAL, spec=SPEC))
    assert file.read() == replace(JOURNAL, spec=SPEC)


@pytest.mark.parametrize(
    ("finished", "stages"), [(True, ("provision", "boot")), (False, ())], ids=["ended", "begun"]
)
@pytest.mark.parametrize("version", [1, 2])
def test_a_journal_of_an_older_version_is_converted(
    file: JournalFile, version: int, finished: bool, stages: tuple[str, ...]
) -> None:
    record = {"id": RECORD.id, "kind": RECORD.kind, "run": "r1", "stage": "begun"}
    old = {**_OLD, "schema": f"ccgpu.journal/{version}", "records": [record], "finished": finished}
    spec = {"spec": {"values": dict(SPEC.values), "given": list(SPEC.given)}} if version > 1 else {}
    file.path.write_text(json.dumps(old | spec))
    expected = replace(JOURNAL, stages=stages, spec=SPEC if version > 1 else None)
    assert file.read() == expected
    file.write(expected)
    assert json.loads(file.path.read_text())["schema"] == "ccgpu.journal/3"
    assert file.read() == expected


def test_a_journal_of_a_newer_ccgpu_is_refused_and_kept(file: JournalFile) -> None:
    text = '{"schema": "ccgpu.journal/4", "deployment": "demo", "more": true}'
    file.path.write_text(text)
    with pytest.raises(StateUnusable, match="written by a newer ccgpu"):
        file.read()
    assert file.path.read_text() == text


def test_the_spec_is_saved_before_the_first_resource(tmp_path: Path) -> None:
    journals = Journals(tmp_path / "journals")
    assert journals.remembered("s", "demo") is None
    assert not (tmp_path / "journals").exists()
    with journals.locked("s", "demo", lambda: None) as file:
        file.write(replace(JOURNAL, spec=SPEC))
        assert journals.remembered("s", "demo") == SPEC
        assert journals.remembered("another", "demo") is None
        file.write(replace(JOURNAL, spec=SPEC, records=()))
        assert journals.remembered("s", "demo") == SPEC
        file.remove()
        assert journals.remembered("s", "demo") is None


@pytest.mark.parametrize("name", ["../s/demo", "a/b", "..", "Demo", "demo\n", ""])
def test_invalid_names_are_not_used_as_paths(tmp_path: Path, name: str) -> None:
    (tmp_path / "s").mkdir()
    JournalFile(tmp_path / "s" / "demo.json").write(replace(JOURNAL, spec=SPEC))
    assert Journals(tmp_path).remembered("s", name) is None


def test_journals_are_readable_only_by_the_user(tmp_path: Path) -> None:
    with Journals(tmp_path / "state" / "journals").locked("s", "demo", lambda: None) as file:
        file.write(JOURNAL)
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_temporary_files_of_a_killed_write_are_removed(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    with journals.locked("s", "demo", lambda: None) as file:
        file.write(JOURNAL)
    left = file.path.with_name(".demo.json.0123456789abcdef.new")
    other = file.path.with_name(".demo2.json.0123456789abcdef.new")
    left.write_text("half a docu")
    other.write_text("another one's, who is at it")
    with journals.locked("s", "demo", lambda: None) as file:
        assert file.read() == JOURNAL
    assert not left.exists()
    assert other.exists()


def test_symlinks_are_not_followed(file: JournalFile, tmp_path: Path) -> None:
    target = tmp_path / "victim"
    target.write_text("precious")
    file.path.symlink_to(target)
    with pytest.raises(StateUnusable, match="symbolic link"):
        file.write(JOURNAL)
    assert target.read_text() == "precious"


_OF_VM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/"


def _with(changes: Mapping[str, object], record: Mapping[str, object] | None = None) -> str:
    """The journal's text, with other values in it and in its record."""
    known = {"id": RECORD.id, "kind": RECORD.kind, "run": "r", "state": "done", **(record or {})}
    whole = {"schema": "ccgpu.journal/3", "records": [known], "spec": None, "stages": []}
    return json.dumps({**whole, **_NEW, **changes})


def test_a_journal_is_read_as_the_cases_below_change_it(file: JournalFile) -> None:
    vm = {"id": _OF_VM + "demo", "kind": Kind.VM}
    for text in (_with({}), _with({"group": ""}), _with({}, vm)):
        file.path.write_text(text)
        assert file.read() is not None


@pytest.mark.parametrize(
    "text",
    [
        *(_with({name: value}) for name in _NEW for value in (None, 5)),
        *(_with({"group": group}) for group in ("..", "a/b", "a b")),
        *(_with({}, {"id": id_}) for id_ in (None, 5, "", "x", "/subscriptions/s", _OF_VM + "a")),
        *(_with({}, {"id": _OF_VM + end, "kind": Kind.VM}) for end in ("", "..", "a/..", "a/b")),
        _with({}, {"id": f"x{_OF_VM}a", "kind": Kind.VM}),
        _with({}, {"run": None}),
        _with({}, {"state": "gone"}),
        "",
        "{",
        "[]",
        "{}",
        '{"schema": "ccgpu.journal/2"}',
        '{"schema": "ccgpu.journal/1", "records": []}',
        '{"schema": "ccgpu.journal/0"}',
        '{"schema": "ccgpu.journal/2 "}',
        '{"schema": 2}',
        '{"schema": "ccgpu.journal/1", "records": [{"id": "/x", "kind": "strange"}]}',
        json.dumps({"schema": "ccgpu.journal/1", "records": [], "deployment": "demo", "more": 1}),
        json.dumps({"schema": "ccgpu.journal/2", "records": [], "spec": 5} | _REST),
        json.dumps({"schema": "ccgpu.journal/2", "records": [{"id": "/x"}]} | _REST),
        json.dumps(
            {"schema": "ccgpu.journal/3", "records": [], "spec": None, "stages": [1]} | _NEW
        ),
        json.dumps({"schema": "ccgpu.journal/3", "records": [], "spec": None, "stages": 1} | _NEW),
        json.dumps({"schema": "ccgpu.journal/2", "records": [], "spec": {"values": []}} | _REST),
        json.dumps(
            {"schema": "ccgpu.journal/2", "records": [], "spec": {"values": {}, "given": [1]}}
            | _REST
        ),
    ],
)
def test_a_damaged_journal_is_refused_and_kept(file: JournalFile, text: str) -> None:
    file.path.write_text(text)
    with pytest.raises(StateUnusable, match="damaged, or of another version") as caught:
        file.read()
    assert "ccgpu delete" in str(caught.value.hint)
    assert file.path.read_text() == text


def test_a_journal_that_is_not_utf8_is_refused(file: JournalFile) -> None:
    file.path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StateUnusable, match=r"the journal .* is damaged"):
        file.read()


def test_a_folder_in_place_of_the_journal_is_refused(file: JournalFile) -> None:
    (file.path / "inside").mkdir(parents=True)
    with pytest.raises(StateUnusable, match="cannot read"):
        file.read()
    with pytest.raises(StateUnusable, match="cannot write"):
        file.write(JOURNAL)
    with pytest.raises(StateUnusable, match="cannot remove"):
        file.remove()


def test_a_file_in_place_of_the_state_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journals").write_text("")
    with (
        pytest.raises(StateUnusable, match="cannot use the state folder"),
        Journals(tmp_path / "journals").locked("s", "demo", lambda: None),
    ):
        pass


def test_a_second_process_waits_for_the_lock_and_is_notified(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    waiting, done = threading.Event(), threading.Event()

    def second() -> None:
        with journals.locked("s", "demo", waiting.set):
            done.set()

    with journals.locked("s", "demo", lambda: None):
        other = threading.Thread(target=second)
        other.start()
        assert waiting.wait(10)
        assert not done.is_set()
    other.join(10)
    assert done.is_set()


@pytest.mark.slow
def test_writes_are_synced_before_they_return(file: JournalFile, tmp_path: Path) -> None:
    """Told by the kernel: the file and its folder are synced, in this order, around the rename."""
    if not Path("/usr/bin/strace").exists():
        pytest.skip("needs strace, to see what is synced")
    log = tmp_path / "log"
    code = (
        "from pathlib import Path; from unit_journal import JOURNAL; "
        "from ccgpu.store.journals import JournalFile; "
        f"JournalFile(Path({str(file.path)!r})).write(JOURNAL)"
    )
    (tmp_path / "unit_journal.py").write_text(
        "from ccgpu.domain.journal import Journal\nJOURNAL = Journal('d', 's', 'g', 'r', 'c')\n"
    )
    import subprocess
    import sys

    environ = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    traced = ["strace", "-f", "-e", "trace=fsync,rename,renameat,renameat2", "-o", str(log)]
    subprocess.run([*traced, sys.executable, "-c", code], check=True, env=environ)
    calls = [line.split("(")[0].split()[-1] for line in log.read_text().splitlines() if "(" in line]
    synced = [call for call in calls if call.startswith(("fsync", "rename"))]
    assert [call.removesuffix("at").removesuffix("at2") for call in synced] == [
        "fsync",
        "rename",
        "fsync",
    ]
