"""The lock: canonical, strict, and of one recipe."""

import json

import pytest

from ccgpu.domain.image_lock import SCHEMA, ImageLock, LockedPackage, dump_lock, parse_lock
from ccgpu.errors import InvalidFile
from ccgpu.scheduling.clock import RealClock
from ccgpu.store.image_locks import read_lock, write_lock
from ccgpu.workflows.build_image import ImageBuild

_RECIPE = "name: tiny\nversion: 1.0.0\ndistribution:\n  suite: bookworm\n"


def _package(name="curl", **changes):
    values = {"name": name, "version": "1:2.0-1", "architecture": "amd64", "size": 3}
    values |= {"path": f"pool/main/c/{name}_2.0-1_amd64.deb", "sha256": "ab" * 32, "use": "root"}
    return LockedPackage(**(values | changes))


def _lock(*packages, asked=("linux-image-cloud-amd64",)):
    return ImageLock(
        schema_=SCHEMA,
        suite="bookworm",
        asked=asked,
        epoch=1,
        programs={"mkfs.erofs": "1.5"},
        packages=packages or (_package(),),
    )


def test_a_lock_comes_back_as_it_was_written(tmp_path):
    lock = _lock(_package(), _package("dash", use="boot"))
    write_lock(tmp_path / "lock", lock)
    assert read_lock(tmp_path / "lock") == lock
    assert (tmp_path / "lock").read_bytes() == dump_lock(lock)


def test_the_digest_is_that_of_the_content_not_of_the_layout(tmp_path):
    loose = json.dumps(json.loads(dump_lock(_lock())), indent=7)
    (tmp_path / "lock").write_text(loose)
    assert read_lock(tmp_path / "lock").sha256 == _lock().sha256
    assert _lock(_package(sha256="cd" * 32)).sha256 != _lock().sha256


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("sha256", "AB" * 32, "packages.0.sha256"),
        ("path", "../../etc/passwd.deb", "packages.0.path"),
        ("path", "http://x/y.deb", "packages.0.path: must be a path below a source"),
        ("path", "pool/../../x.deb", "packages.0.path: must be a path below a source"),
        ("size", 0, "packages.0.size: must be above 0"),
        ("use", "other", "packages.0.use"),
        ("more", "x", "packages.0.more"),
    ],
)
def test_a_lock_with_another_value_is_refused_with_its_place(field, value, said):
    document = json.loads(dump_lock(_lock()))
    document["packages"][0][field] = value
    with pytest.raises(ValueError, match=said):
        parse_lock(json.dumps(document).encode())


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"\xff", b"{" * 100000, b" " * (5 << 20)])
def test_any_other_file_is_refused(raw, tmp_path):
    (tmp_path / "lock").write_bytes(raw)
    with pytest.raises(InvalidFile, match="lock"):
        read_lock(tmp_path / "lock")


def test_a_lock_that_lists_a_package_twice_is_refused():
    document = json.loads(dump_lock(_lock()))
    document["packages"] *= 2
    with pytest.raises(ValueError, match="lists a package twice"):
        parse_lock(json.dumps(document).encode())


def test_a_lock_of_another_recipe_is_not_built_from(tmp_path):
    (tmp_path / "image.yaml").write_text(_RECIPE + "packages: [curl]\n")
    write_lock(tmp_path / "lock", _lock())
    build = ImageBuild(
        tmp_path / "image.yaml",
        tmp_path / "out",
        tmp_path / "lock",
        tmp_path / "cache",
        RealClock().now,
        lambda _: None,
    )
    with pytest.raises(InvalidFile, match="locks the packages of another recipe"):
        build.carry_out()
    assert not (tmp_path / "out").exists()
