"""Outputs of a job: whole, or an error; never over something else."""

from pathlib import Path

import pytest

from ccgpu.errors import ConnectionLost, CopyFailed
from ccgpu.workflows.run.outputs import fetch_outputs


def _offer(files: int, size: int, *left: str):
    offered = {"path": "/mnt/ccgpu/export/one", "files": files, "bytes": size, "left": [*left]}
    return lambda _: offered


def _write(folder: Path, **files: str) -> None:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)


def test_what_is_complete_is_put_into_place(scripted, tmp_path):
    made = scripted(_offer(2, 3, "pipe"), get_=lambda part: _write(part, a="x", b="yz"))
    out = tmp_path / "above" / "out"
    fetched = fetch_outputs(made.guest, "one", out)
    assert (fetched.folder, fetched.files) == (str(out), {"a": 1, "b": 2})
    assert sorted(one.name for one in out.parent.iterdir()) == ["out"]
    assert "not fetched, since it is neither a file nor a folder: pipe" in made.texts


@pytest.mark.parametrize(("files", "size"), [(3, 3), (2, 4), (1, 3)])
def test_what_comes_in_part_stays_beside(scripted, tmp_path, files, size):
    made = scripted(_offer(files, size), get_=lambda part: _write(part, a="x", b="yz"))
    with pytest.raises(CopyFailed, match="the outputs are not complete: 2 of"):
        fetch_outputs(made.guest, "one", tmp_path / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["out.part"]


def test_a_job_without_outputs_leaves_an_empty_folder(scripted, tmp_path):
    made = scripted(_offer(0, 0))
    assert fetch_outputs(made.guest, "one", tmp_path / "out").files == {}
    assert [*(tmp_path / "out").iterdir()] == []


def test_a_copy_is_tried_again_from_the_start(scripted, tmp_path):
    tries: list[Path] = []

    def get(part: Path) -> None:
        tries.append(part)
        _write(part, a="x", b="yz")
        if len(tries) < 3:
            raise ConnectionLost("the connection ended")

    made = scripted(_offer(2, 3), get_=get)
    assert len(fetch_outputs(made.guest, "one", tmp_path / "out").files) == 2
    assert len(tries) == 3


def test_a_folder_that_has_got_files_meanwhile_is_left_alone(scripted, tmp_path):
    def get(part: Path) -> None:
        _write(part, a="x")
        _write(part.with_name("out"), mine="y")

    made = scripted(_offer(1, 1), get_=get)
    with pytest.raises(CopyFailed, match="could not be moved"):
        fetch_outputs(made.guest, "one", tmp_path / "out")
    assert (tmp_path / "out" / "mine").read_text() == "y"
    assert (tmp_path / "out.part" / "a").read_text() == "x"


@pytest.mark.parametrize("files", [0, 1])
def test_a_place_that_cannot_be_written_is_an_error(scripted, tmp_path, files):
    (tmp_path / "file").write_text("x")
    made = scripted(_offer(files, files))
    with pytest.raises(CopyFailed, match="could not be written"):
        fetch_outputs(made.guest, "one", tmp_path / "file" / "out")
