"""`ccgpu image`: what a disk is, whether it is that of its manifest, and what is in it."""

from dataclasses import replace
from pathlib import Path

import pytest

from ccgpu.domain.image_manifest import dump
from ccgpu.imaging import programs
from support.erofs import root_that_lists_the_facts
from support.measured_images import Parts

SMALL = Parts(wide=False)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder as `image build` leaves it."""
    (tmp_path / "disk.vhd").write_bytes(SMALL.vhd())
    (tmp_path / "image.json").write_bytes(dump(SMALL.manifest()))
    return tmp_path


def test_a_disk_is_measured(shell, built):
    done = shell(f"image measure {built}/disk.vhd")
    assert done.code == 0
    assert f"PCR 11        {SMALL.manifest().pcrs['11']}" in done.out
    assert "the same as" not in done.out


@pytest.mark.slow
def test_a_disk_is_that_of_its_manifest(shell, built):
    shell.width = 300
    done = shell(f"image measure {built}/disk.vhd --manifest {built}/image.json")
    assert done.code == 0
    assert f"the same as {built}/image.json: tiny 1.2.3, SHA-256 " in done.out
    document = shell(
        f"image measure {built}/disk.vhd --manifest {built}/image.json -o json"
    ).document
    assert document["schema"] == "ccgpu.image-measured/1"
    assert (document["same"], document["differences"]) == (True, [])
    assert document["measured"]["pcrs"] == SMALL.manifest().pcrs
    assert document["manifest"]["name"] == "tiny"


@pytest.mark.slow
def test_another_disk_is_named_by_what_differs(shell, built):
    (built / "disk.vhd").write_bytes(replace(SMALL, initrd=b"another").vhd())
    done = shell(f"image measure {built}/disk.vhd --manifest {built}/image.json")
    assert done.code == 9
    assert "NOT the same as" in done.out
    assert "disk.sha256: expected" in done.err
    assert "uki.authenticode: expected" in done.err
    assert " more\n" in done.err
    document = shell(
        f"image measure {built}/disk.vhd --manifest {built}/image.json -o json"
    ).document
    assert document["same"] is False
    assert "uki.sections.initrd.sha256" in [each["field"] for each in document["differences"]]


def test_a_flipped_bit_of_the_root_is_9(shell, built):
    raw = bytearray((built / "disk.vhd").read_bytes())
    raw[raw.index(SMALL.root[:4096]) + 4097] ^= 1
    (built / "disk.vhd").write_bytes(raw)
    for line in ("image measure {}/disk.vhd", "image show {}/disk.vhd"):
        done = shell(line.format(built))
        assert done.code == 9
        assert "is not a sound measured image: the hash tree: expected that of the root" in done.err


def test_what_is_on_the_esp_is_named(shell, built):
    (built / "disk.vhd").write_bytes(
        replace(SMALL, more_on_esp=(("loader/addons/x.addon.efi", b"x"),)).vhd()
    )
    done = shell(f"image measure {built}/disk.vhd")
    assert done.code == 9
    assert "loader/addons/x.addon.efi (an addon of the command line)" in done.err


@pytest.fixture
def listing(built: Path) -> Path:
    """The same, with a root file system that lists what the manifest states."""
    parts = replace(SMALL, root=root_that_lists_the_facts())
    (built / "disk.vhd").write_bytes(parts.vhd())
    (built / "image.json").write_bytes(dump(parts.manifest()))
    return built


def test_what_is_inside_is_shown(shell, listing):
    shell.width, built = 200, listing
    for file in ("image.json", "disk.vhd"):
        done = shell(f"image show {built}/{file}")
        assert done.code == 0
        assert "tiny 1.2.3, SHA-256 " in done.out
        assert "console=ttyS0 quiet roothash=" in done.out
        assert "packages: 2\n  busybox-static 1:1.35.0-4 amd64\n" in done.out
        assert "units: 1\n  ccgpu-ready.service" in done.out
        assert "containers: 1\n  docker.io/x/y:1 sha256:aaaa" in done.out
    document = shell(f"image show {built}/image.json -o json").document
    assert document["schema"] == "ccgpu.image-shown/1"
    assert document["image"]["schema"] == "ccgpu.image/1"
    assert document["image"]["packages"][0]["name"] == "busybox-static"


def test_a_disk_without_a_manifest_shows_what_its_bytes_say(shell, listing):
    (listing / "image.json").unlink()
    done = shell(f"image show {listing}/disk.vhd")
    assert done.code == 0
    assert "No manifest is beside the disk" in done.out
    assert "packages: 2\n  tpm2-tools 5.4-1 amd64\n  busybox-static" in done.out
    document = shell(f"image show {listing}/disk.vhd -o json").document
    assert document["manifest"] is None
    assert "packages" not in document["image"]
    assert document["inside"]["units"] == ["ccgpu-ready.service"]
    assert document["inside"]["containers"][0]["reference"] == "docker.io/x/y:1"


def test_a_manifest_that_lists_something_else_than_the_root_is_9(shell, listing):
    text = (listing / "image.json").read_text().replace("5.4-1", "5.4-2")
    (listing / "image.json").write_text(text)
    done = shell(f"image show {listing}/disk.vhd")
    assert done.code == 9
    assert "packages.tpm2-tools: expected 5.4-2 amd64, found 5.4-1 amd64" in done.err


def test_a_root_that_is_no_file_system_is_9(shell, built):
    done = shell(f"image show {built}/disk.vhd")
    assert done.code == 9
    assert "the root file system of" in done.err


def test_a_missing_reader_is_named_with_its_package(shell, built, monkeypatch):
    monkeypatch.setattr(programs, "_PATH", "/nonexistent")
    done = shell(f"image show {built}/disk.vhd")
    assert done.code == 3
    assert "fsck.erofs" in done.err
    assert "apt-get install erofs-utils" in done.err


def test_a_disk_beside_another_manifest_is_9(shell, built):
    (built / "image.json").write_bytes(dump(replace(SMALL, kernel=b"another").manifest()))
    done = shell(f"image show {built}/disk.vhd")
    assert done.code == 9
    assert "is not the image of" in done.err


@pytest.mark.parametrize(
    "line", ["image measure {}/none", "image show {}/none", "image measure {}"]
)
def test_what_cannot_be_read_is_3(shell, built, line):
    done = shell(line.format(built))
    assert done.code == 3
    assert "cannot be read" in done.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ('{"schema": "ccgpu.image/1", "schema": 1}', "is a duplicate"),
        ("schema: ccgpu.image/1", "is not JSON"),
        ('{"a": NaN}', "expected a value"),
        ("{" + '"a":{' * 30 + "}" * 31, "nests deeper"),
        (" " * 300_000, "is larger than"),
        ('{"schema": "ccgpu.image/1"}', "pcrs: is missing"),
    ],
)
def test_a_manifest_is_untrusted_input(shell, built, text, message):
    (built / "image.json").write_text(text)
    done = shell(f"image measure {built}/disk.vhd --manifest {built}/image.json")
    assert done.code == 3
    assert message in done.err


def test_a_file_that_is_no_disk_is_9(shell, built):
    (built / "disk.vhd").write_bytes(bytes(100_000))
    done = shell(f"image measure {built}/disk.vhd")
    assert done.code == 9
    assert "the signature of the MBR" in done.err
