"""The measured image of a spec: a mapping or a text, its file found, read and checked."""

import json
from pathlib import Path

import pytest

from ccgpu.domain.image_manifest import dump
from ccgpu.errors import InvalidFile
from ccgpu.store import specs
from support.measured_vms import manifest

_ID = (
    "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/images/providers"
    "/Microsoft.Compute/galleries/g/images/tiny/versions/1.2.3"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a manifest; the commands run beside it."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "image.json").write_bytes(dump(manifest()))
    (tmp_path / "specs" / "broken.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, *lines: str) -> Path:
    file = folder / "specs" / "vm.yaml"
    file.write_text("\n".join(("name: demo", *lines)) + "\n")
    return file


def test_the_path_is_relative_to_the_spec_file(folder):
    file = write(folder, "image:", "  measured: image.json", f"  gallery: {_ID}")
    spec = specs.build(None, file=file)
    assert spec.measured_image is not None
    assert spec.measured_image.manifest == str(folder / "specs" / "image.json")
    assert spec.measured_image.gallery.id == _ID
    assert specs.check(file) == []


def test_a_flag_and_set_say_the_same(folder):
    text = f"measured:specs/image.json@{_ID}"
    given = (
        specs.build("demo", flags={"image": text}),
        specs.build("demo", sets=[f"image={text}"]),
        specs.build("demo", sets=["image.measured=specs/image.json", f"image.gallery={_ID}"]),
    )
    assert {spec.image for spec in given} == {f"measured:{folder}/specs/image.json@{_ID}"}


@pytest.mark.parametrize(
    ("image", "path", "line", "message"),
    [
        (["  measured: none.json", f"  gallery: {_ID}"], "image.measured", 3, "No such file"),
        (["  measured: broken.json", f"  gallery: {_ID}"], "image.measured", 3, "is no manifest"),
        (["  measured: image.json"], "image.gallery", 2, "is missing"),
        ([f"  gallery: {_ID}"], "image.measured", 2, "is missing"),
        (["  measured: [a]", f"  gallery: {_ID}"], "image.measured", 3, "must be text"),
        (["  measured: image.json", "  gallery: tiny"], "image.gallery", 4, "is not the ARM id"),
        (
            ["  measured: image.json", f"  gallery: {_ID}", "  key: x"],
            "image.key", 5, "is not a field here",
        ),
    ],
)  # fmt: skip
def test_a_problem_has_its_field_and_its_line(folder, image, path, line, message):
    file = write(folder, "image:", *image)
    (problem,) = specs.check(file)
    assert (problem.path, problem.line) == (path, line)
    assert message in problem.message
    with pytest.raises(InvalidFile):
        specs.build(None, file=file)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("text", ["measured:specs/image.json", "measured:specs/image.json@tiny"])
def test_a_text_that_is_no_measured_image_is_refused(text):
    with pytest.raises(InvalidFile) as caught:
        specs.build("demo", flags={"image": text})
    (problem,) = caught.value.problems
    assert problem.path.startswith("image")


def test_an_image_that_does_not_fit_on_the_disk_is_refused(folder):
    document = json.loads(dump(manifest()))
    document["disk"]["size"] = 300 * 2**30
    (folder / "specs" / "image.json").write_text(json.dumps(document))
    measured = ("image:", "  measured: image.json", f"  gallery: {_ID}")
    file = write(folder, *measured, "os_disk:", "  size_gib: 256")
    (problem,) = specs.check(file)
    assert (problem.path, problem.line) == ("os_disk.size_gib", 6)
    assert "needs 300 GiB" in problem.message
    assert [one.path for one in specs.check(write(folder, *measured))] == ["os_disk.size_gib"]
    assert specs.check(write(folder, *measured, "os_disk: {size_gib: 300}")) == []
