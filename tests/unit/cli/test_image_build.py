"""`ccgpu image build`: what it refuses before anything begins."""

import pytest

from ccgpu.domain.image_lock import SCHEMA, ImageLock, dump_lock
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


def test_container_images_need_a_program_more(shell, recipe, machine, tmp_path):
    image = f"registry.example/a/b@sha256:{'a' * 64}"
    recipe.write_text(f"{_RECIPE}containers: [{{image: '{image}'}}]\n")
    done = shell(f"image build {recipe} --out {tmp_path}/out")
    assert done.code == 3
    assert "apt-get install skopeo util-linux" in done.err
    assert machine.exists()


@pytest.mark.parametrize(("driver", "said"), [("580", "no published manifest"), ("1", "must be")])
def test_a_driver_that_cannot_be_attested_is_refused(shell, recipe, tmp_path, driver, said):
    recipe.write_text(f"{_RECIPE}driver: {driver}\n")
    done = shell(f"image build {recipe} --out {tmp_path}/out")
    assert done.code == 3
    assert "driver" in done.err
    assert said in done.err


@pytest.mark.parametrize(
    ("more", "field"),
    [("driver: 595\n", "asked"), ("containers: [{image: IMAGE}]\n", "containers")],
)
def test_a_lock_of_another_recipe_is_refused(shell, recipe, machine, tmp_path, more, field):
    lock = ImageLock(
        schema_=SCHEMA,
        suite="bookworm",
        asked=("linux-image-cloud-amd64",),
        epoch=1,
        programs={},
        packages=(),
    )
    (tmp_path / "lock").write_bytes(dump_lock(lock))
    image = f"registry.example/a/b@sha256:{'a' * 64}"
    recipe.write_text(_RECIPE + more.replace("IMAGE", f"'{image}'"))
    done = shell(f"image build {recipe} --out {tmp_path}/out --lock {tmp_path}/lock")
    assert done.code == 3
    assert field in done.err
    assert "of another recipe" in done.err
    assert machine.exists()


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
