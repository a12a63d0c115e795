"""`ccgpu image build`: what it refuses before anything begins."""

import pytest

from ccgpu.imaging import programs

_RECIPE = "name: tiny\nversion: 1.0.0\ndistribution:\n  suite: bookworm\n"


@pytest.fixture
def recipe(tmp_path):
    """A recipe that is right."""
    file = tmp_path / "image.yaml"
    file.write_text(_RECIPE)
    return file


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A folder with a stand-in for every program that builds; none does anything."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in programs.PROGRAMS:
        (folder / name).write_text("#!/bin/sh\nexit 9\n")
        (folder / name).chmod(0o755)
    monkeypatch.setattr(programs, "_PATH", str(folder))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return folder


def test_a_wrong_recipe_is_refused_with_every_problem_and_its_place(shell, recipe, tmp_path):
    recipe.write_text(_RECIPE.replace("tiny", "Tiny") + "packages: [A]\nunit: []\n")
    done = shell(f"image build {recipe} --out {tmp_path}/out")
    assert done.code == 3
    assert "3 problems" in done.err
    assert all(place in done.err for place in ("1:1: name", "5:12: packages.0", "6:1: unit"))
    assert not (tmp_path / "out").exists()


def test_a_missing_program_is_named_with_its_package(shell, recipe, machine, tmp_path):
    (machine / "mkfs.erofs").unlink()
    done = shell(f"image build {recipe} --out {tmp_path}/out -o json")
    assert done.code == 3
    assert done.error["code"] == "ProgramMissing"
    assert "mkfs.erofs" in done.error["message"]
    assert "apt-get install erofs-utils" in done.error["hint"]
    assert not (tmp_path / "out").exists()


def test_an_image_that_is_there_is_not_written_over(shell, recipe, machine, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "image.json").write_text("{}")
    done = shell(f"image build {recipe} --out {tmp_path}/out")
    assert (done.code, "exists already" in done.err) == (2, True)
    assert machine.exists()


def test_a_program_that_fails_ends_the_build_and_leaves_nothing(shell, recipe, machine, tmp_path):
    recipe.write_text(
        "name: tiny\nversion: 1.0.0\ndistribution:\n  suite: bookworm\n"
        "  sources: ['deb http://mirror.example/debian bookworm main']\n"
    )
    done = shell(f"image build {recipe} --out {tmp_path}/out --lock {tmp_path}/lock")
    assert done.code == 4
    assert "apt-get failed with exit code 9" in done.err
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "lock").exists()
    assert machine.exists()
