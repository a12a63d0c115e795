"""Files of golden PCR values: what is written is read, and stays within what is read."""

import hashlib
from pathlib import Path

import pytest

from ccgpu.domain.reference_values import RecordedEvent, ReferenceValues
from ccgpu.errors import InvalidFile, UsageProblem
from ccgpu.store import documents, reference_values

VALUE = "ab" * 32


def _values(events: int, detail: str = "/boot/vmlinuz") -> ReferenceValues:
    one = RecordedEvent(what="kernel", detail=detail, sha256=VALUE)
    return ReferenceValues(
        schema_="ccgpu.reference-values/2",
        recorded_from="demo",
        pcrs={"9": VALUE},
        events={"9": (one,) * events},
    )


def test_what_is_written_is_read(tmp_path):
    file = tmp_path / "pins.json"
    written = reference_values.write(file, _values(2, "ä \N{SNOWMAN}"))

    assert reference_values.load(file) == written
    assert written.values == _values(2, "ä \N{SNOWMAN}")
    assert written.path == str(file)
    assert written.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_path_is_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pins.yaml").write_text(f'pcrs: {{"9": "{VALUE}"}}\n')
    found = reference_values.load(Path("pins.yaml"))
    assert found.path == str(tmp_path / "pins.yaml")


def test_a_log_that_is_too_long_for_the_file_is_left_out(tmp_path):
    file = tmp_path / "pins.json"
    written = reference_values.write(file, _values(3000, "x" * 200))

    assert written.values.events == {}
    assert len(file.read_bytes()) < documents.MAX_BYTES
    assert reference_values.load(file) == written


def test_a_file_that_exists_is_kept(tmp_path):
    file = tmp_path / "pins.json"
    file.write_text("mine")
    with pytest.raises(UsageProblem, match="already exists"):
        reference_values.write(file, _values(1))
    assert file.read_text() == "mine"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageProblem, match="cannot be written"):
        reference_values.write(tmp_path / "no" / "pins.json", _values(1))


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ('{"pcrs": {"9": 7}}', "pcrs.9", "text"),
        (f'{{"pcrs": {{"6": "{VALUE}"}}}}', "", "PCR 6"),
        (f'{{"schema": "ccgpu.reference-values/9", "pcrs": {{"7": "{VALUE}"}}}}', "schema", ""),
        (f'{{"pcr": {{"7": "{VALUE}"}}}}', "pcr", ""),
    ],
)
def test_what_is_wrong_with_a_file_has_its_place(tmp_path, text, place, message):
    file = tmp_path / "pins.json"
    file.write_text(text)
    with pytest.raises(InvalidFile) as caught:
        reference_values.load(file)
    problems = {problem.path: problem.message for problem in caught.value.problems}
    assert place in problems
    assert message in problems[place]
    assert (
        caught.value.hint == "`ccgpu attest NAME --record FILE` writes a new file of golden values"
    )
