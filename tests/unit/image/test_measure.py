"""What a whole disk is measured to be, and what a manifest must say of it."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from ccgpu.domain import image_manifest
from ccgpu.domain.image_manifest import ImageManifest, differences, dump, pcrs_of
from ccgpu.domain.image_pcrs import BOOT_PROGRAM
from ccgpu.image import gpt, vhd
from ccgpu.image.blocks import BytesBlocks
from ccgpu.image.malformed import MalformedImage
from ccgpu.image.measure import measure
from support import measured_images as images
from support.measured_images import Parts

SMALL = Parts(wide=False)


def measured(parts: Parts) -> image_manifest.ImageBytes:
    return measure(BytesBlocks(parts.raw()))


def refusal(disk: bytes) -> str:
    with pytest.raises(MalformedImage) as caught:
        measure(BytesBlocks(disk))
    return str(caught.value)


def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(dump(SMALL.manifest()))
    return loaded


def test_a_disk_and_its_vhd_are_the_same_image():
    disk, whole = SMALL.raw(), SMALL.vhd()
    assert measure(BytesBlocks(disk)) == measure(BytesBlocks(whole))


def test_the_pcrs_follow_from_the_bytes_and_from_nothing_else():
    pcrs = measured(SMALL).pcrs
    assert list(pcrs) == ["4", "8", "9", "11", "12", "13"]
    assert pcrs["12"] == pcrs["13"] == "0" * 64
    changed = {
        "root": replace(SMALL, root=bytes(8192)),
        "word": replace(SMALL, command_line="console=ttyS0 quiet roothash={} debug"),
        "initrd": replace(SMALL, initrd=b"another"),
        "kernel": replace(SMALL, kernel=b"another"),
    }
    differ = {
        name: [index for index, value in measured(parts).pcrs.items() if value != pcrs[index]]
        for name, parts in changed.items()
    }
    assert differ == {
        "root": ["4", "9", "11"],
        "word": ["4", "9", "11"],
        "initrd": ["4", "9", "11"],
        "kernel": ["4", "11"],
    }


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (f"{BOOT_PROGRAM}.extra.d/a.addon.efi", "an addon of the command line"),
        ("LOADER/CREDENTI/SECRET.CRED", "a credential"),
        ("loader/credentials/key.cred", "a credential"),
        ("loader/entries/other.conf", "a file of a boot loader"),
        ("EFI/Linux/other.efi", "another boot program"),
        ("EFI/BOOT/BOOTIA32.EFI", "another boot program"),
        ("loader/addons/global.addon.efi", "an addon of the command line"),
        ("ext.sysext.raw", "a system or configuration extension"),
        ("README", "a file that nothing measures"),
    ],
)
def test_the_esp_holds_the_boot_program_alone(path, named):
    found = refusal(replace(SMALL, more_on_esp=((path.replace(".EFI.", "."), b"x"),)).raw())
    assert named in found
    assert "the files of the ESP" in found


def test_an_esp_without_its_program_is_refused():
    esp = images.fat({"EFI/BOOT/OTHER.EFI": b"x"}, wide=False)
    tree, _ = images.verity(SMALL.root)
    assert "OTHER.EFI (another boot program)" in refusal(images.disk(esp, SMALL.root, tree))


def test_an_empty_folder_is_refused():
    files = {BOOT_PROGRAM: SMALL.uki(), "LOADER/X": b""}
    esp = bytearray(images.fat(files, wide=False))
    tree, _ = images.verity(SMALL.root)
    at = esp.index(b"X          ")
    esp[at] = 0xE5  # deleted
    found = refusal(images.disk(bytes(esp), SMALL.root, tree))
    assert "the folders of the ESP" in found


def test_the_partitions_are_three():
    disk = bytearray(SMALL.raw())
    table = gpt.parse(BytesBlocks(bytes(disk)))
    for parts in (table.partitions[:2], table.partitions[1:]):
        for offset, data in gpt.write(len(disk), table.disk, parts):
            disk[offset : offset + len(data)] = data
        assert "the partitions of the disk" in refusal(bytes(disk))


@pytest.mark.parametrize(
    "line", ["quiet", "roothash={} roothash={}", "roothash=00", "roothash={}x"]
)
def test_the_command_line_names_one_root(line):
    assert "root hash of the command line" in refusal(replace(SMALL, command_line=line).raw())


def test_one_bit_of_the_root_is_found():
    disk = bytearray(SMALL.raw())
    root = gpt.parse(BytesBlocks(bytes(disk))).partitions[1]
    disk[root.offset + 5000] ^= 1
    assert "the hash tree" in refusal(bytes(disk))
    assert "block 1 below" in refusal(bytes(disk))


def test_what_no_partition_has_changes_the_digest_alone():
    disk, stated = bytearray(SMALL.raw()), SMALL.manifest()
    disk[-images.MIB] ^= 1
    found = measure(BytesBlocks(bytes(disk)))
    assert [each.field for each in differences(stated, found)] == ["disk.sha256", "disk.vhd_sha256"]


def test_a_footer_of_another_maker_changes_the_vhds_digest_alone():
    other = SMALL.raw() + vhd.footer(len(SMALL.raw()), UUID(int=77))
    found = differences(SMALL.manifest(), measure(BytesBlocks(other)))
    assert [each.field for each in found] == ["disk.vhd_sha256"]


def test_differences_name_the_fields():
    other = measured(replace(SMALL, initrd=b"another"))
    fields = {each.field for each in differences(SMALL.manifest(), other)}
    assert fields >= {"disk.sha256", "uki.authenticode", "uki.sections.initrd.sha256", "pcrs.9"}
    assert not fields & {"root.hash", "uki.sections.linux.sha256"}


def test_a_manifest_is_read_as_it_was_written():
    stated = SMALL.manifest()
    assert ImageManifest.model_validate(json.loads(dump(stated))) == stated
    assert dump(ImageManifest.model_validate(json.loads(dump(stated)))) == dump(stated)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("pcrs", "4"), "0" * 64, "pcrs.4 must be"),
        (("pcrs", "12"), "1" * 64, "pcrs.12 must be"),
        (("pcrs", "14"), "0" * 64, "pcrs must have 4, 8, 9, 11, 12, 13"),
        (("pcrs", "13"), None, "pcrs must have 4, 8, 9, 11, 12, 13"),
        (("uki", "stub"), 255, "pcrs.11 must be"),
        (("uki", "stub"), 256, "uki.stub must be one of"),
        (("uki", "stub"), "252", "valid integer"),
        (("uki", "command_line"), "quiet", "must have roothash="),
        (("uki", "authenticode"), "A" * 64, "pattern"),
        (("root", "hash"), "1" * 64, "must have roothash="),
        (("root", "algorithm"), "sha1", "sha256"),
        (("secure_boot",), "on", "off"),
        (("schema",), "ccgpu.image/2", "ccgpu.image/1"),
        (("name",), "A", "pattern"),
        (("disk", "size"), 1000, "multiple of"),
        (("more",), 1, "Extra"),
        (("lock_sha256",), None, "required"),
        (("packages",), [{"name": "a\nb", "version": "1", "architecture": "x"}], "pattern"),
        (("units",), ["a"] * 257, "256"),
        (("containers",), [{"reference": "a", "digest": "sha256:1"}], "pattern"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(path, value, message):
    stated = document()
    place: Any = stated
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(ValidationError, match=message):
        ImageManifest.model_validate(stated)


def test_sections_stand_in_their_order():
    stated = document()
    stated["uki"]["sections"].reverse()
    with pytest.raises(ValidationError, match="in this order"):
        ImageManifest.model_validate(stated)


def test_a_config_changes_pcr_8_alone():
    uki = SMALL.manifest().uki
    without, other = pcrs_of(uki, None), pcrs_of(uki, b'{"ssh": []}')
    assert {index for index in without if without[index] != other[index]} == {"8"}
