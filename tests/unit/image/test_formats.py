"""The formats of a measured image: what is written is read; what is damaged is refused."""

import hashlib
import io
import os
import stat
import struct
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccgpu.image import authenticode, cpio, fat, gpt, pe, uki, verity, vhd
from ccgpu.image.blocks import BytesBlocks, Window
from ccgpu.image.cpio import CpioEntry
from ccgpu.image.gpt import GptPartition
from ccgpu.image.malformed import MalformedImage
from support import measured_images as images

MIB = images.MIB
_SIZE = 8 * MIB


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@st.composite
def partition_tables(draw):
    at, parts = 34, []
    for number in range(draw(st.integers(0, 6))):
        at += draw(st.integers(0, 300))
        sectors = draw(st.integers(1, 2000))
        name = draw(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=36))
        kind = UUID(int=draw(st.integers(1, 2**128 - 1)))
        parts.append(GptPartition(kind, UUID(int=number + 1), at * 512, sectors * 512, name))
        at += sectors
    return parts


def written(size: int, disk: UUID, parts: list[GptPartition]) -> bytearray:
    out = bytearray(size)
    for offset, data in gpt.write(size, disk, parts):
        out[offset : offset + len(data)] = data
    return out


@pytest.mark.slow
@given(partition_tables(), st.uuids())
def test_a_partition_table_is_read_as_it_was_written(parts, disk):
    table = gpt.parse(BytesBlocks(bytes(written(_SIZE, disk, parts))))
    assert (table.disk, list(table.partitions)) == (disk, parts)


@pytest.mark.parametrize("at", [510, 512, 520, 540, 600, 1024, 1030, _SIZE - 512, _SIZE - 16000])
def test_a_damaged_partition_table_is_refused(at):
    part = GptPartition(gpt.ESP, UUID(int=1), MIB, MIB, "a")
    table = bytes(written(_SIZE, images.DISK, [part]))
    gpt.parse(BytesBlocks(table))
    with pytest.raises(MalformedImage):
        gpt.parse(BytesBlocks(flipped(table, at)))


def test_the_backup_must_have_the_same_partitions_and_disk():
    size, one = 8 * MIB, GptPartition(gpt.ESP, UUID(int=1), MIB, MIB, "a")
    for disk, part in ((images.DISK, replace(one, name="b")), (UUID(int=3), one)):
        table = written(size, images.DISK, [one])
        offset, data = gpt.write(size, disk, [part])[1]
        table[offset:] = data
        with pytest.raises(MalformedImage, match="backup GPT"):
            gpt.parse(BytesBlocks(bytes(table)))


@pytest.mark.parametrize(
    ("first", "second"), [((MIB, 2 * MIB), (2 * MIB, MIB)), ((512, MIB), (MIB, MIB))]
)
def test_partitions_that_overlap_are_not_written(first, second):
    parts = [GptPartition(gpt.ESP, UUID(int=1), at, size, "a") for at, size in (first, second)]
    with pytest.raises(MalformedImage, match="the partition"):
        gpt.write(_SIZE, images.DISK, parts)


@given(st.integers(1, 3_000_000), st.uuids())
def test_a_vhd_is_its_disk_and_a_footer(mebibytes, unique):
    size = mebibytes * MIB
    footer = vhd.footer(size, unique)
    assert len(footer) == 512
    cylinders, heads, sectors = struct.unpack_from(">HBB", footer, 56)
    assert 4 <= heads <= 16
    assert cylinders * heads * sectors <= size // 512


def test_a_fixed_vhd_is_stripped():
    disk = os.urandom(MIB)
    whole = disk + vhd.footer(MIB, images.DISK)
    stripped = vhd.strip(BytesBlocks(whole))
    assert (stripped.size, stripped.read(0, MIB)) == (MIB, disk)
    assert vhd.strip(BytesBlocks(disk)).size == MIB


@pytest.mark.parametrize("at", [8, 12, 16, 40, 48, 60, 64, 84, 100, 511])
def test_a_damaged_footer_is_refused(at):
    whole = bytes(MIB) + vhd.footer(MIB, images.DISK)
    with pytest.raises(MalformedImage, match="VHD"):
        vhd.strip(BytesBlocks(flipped(whole, MIB + at)))


def test_a_vhd_has_whole_mebibytes():
    with pytest.raises(MalformedImage, match="whole MiB"):
        vhd.footer(MIB + 512, images.DISK)


_NAMES = st.text("ABCDEFGHIJ0123456789", min_size=1, max_size=8)
_TREES = st.dictionaries(
    st.tuples(st.sampled_from(["", "EFI/", "EFI/BOOT/", "LOADER/ENTRIES/"]), _NAMES).map("".join),
    st.binary(max_size=3000),
    max_size=8,
)


@pytest.mark.parametrize("wide", [False, pytest.param(True, marks=pytest.mark.slow)])
@settings(max_examples=20)
@given(files=_TREES)
def test_every_file_of_an_esp_is_found(wide, files):
    files = {name: data for name, data in files.items() if not name.startswith(("EFI/BOOT/EFI",))}
    volume = fat.parse(BytesBlocks(images.fat(files, wide=wide)))
    found = {each.path: volume.content(each) for each in volume.entries() if not each.is_folder}
    assert found == files


def test_a_long_name_is_read():
    volume = fat.parse(
        BytesBlocks(images.fat({"EFI/a rather long name.addon.efi": b"x"}, wide=False))
    )
    assert [each.path for each in volume.entries()] == ["EFI", "EFI/a rather long name.addon.efi"]


def test_a_long_name_of_another_file_is_refused():
    volume = images.fat({"a rather long name": b"x"}, wide=False)
    at = volume.index(b"LONGNA~1")
    with pytest.raises(MalformedImage, match="a long name"):
        fat.parse(BytesBlocks(flipped(volume, at))).entries()


def _fat16() -> bytearray:
    return bytearray(images.fat({"EFI/A": b"a" * 2000}, wide=False))


def test_a_chain_that_loops_ends():
    volume = _fat16()
    struct.pack_into("<H", volume, 512 + 2 * 2, 2)  # the first file's first cluster follows itself
    second = 512 + 512 * (-(-5002 * 2 // 512))
    struct.pack_into("<H", volume, second + 2 * 2, 2)
    parsed = fat.parse(BytesBlocks(bytes(volume)))
    with pytest.raises(MalformedImage, match="clusters of"):
        [parsed.content(each) for each in parsed.entries()]


def test_the_second_table_must_be_the_first():
    volume = _fat16()
    with pytest.raises(MalformedImage, match="second FAT"):
        fat.parse(BytesBlocks(flipped(bytes(volume), 512 + 600)))


def test_a_file_system_of_another_kind_is_refused():
    for at in (11, 13, 16, 510):
        volume = _fat16()
        volume[at] ^= 0x40
        with pytest.raises(MalformedImage):
            fat.parse(BytesBlocks(bytes(volume)))


@given(st.binary(min_size=1, max_size=200_000), st.binary(min_size=1, max_size=256), st.data())
def test_verity_finds_any_changed_byte(data, salt, draw):
    root = data.ljust(-(-len(data) // 4096) * 4096, b"\0")
    tree, root_hash = images.verity(root, salt)
    found = verity.check(BytesBlocks(root), BytesBlocks(tree), root_hash)
    assert (found.salt, found.data_blocks) == (salt, len(root) // 4096)
    at = draw.draw(st.integers(0, len(root) - 1))
    with pytest.raises(MalformedImage):
        verity.check(BytesBlocks(flipped(root, at)), BytesBlocks(tree), root_hash)
    at = draw.draw(st.integers(0, len(tree) - 1))
    try:
        damaged = verity.check(BytesBlocks(root), BytesBlocks(flipped(tree, at)), root_hash)
    except MalformedImage:
        return
    assert 16 <= at < 32  # the UUID, which is nothing's input
    assert damaged.uuid != found.uuid


def test_a_tree_of_two_levels_and_bytes_after_the_ends():
    root = images.Parts().root * 2
    tree, root_hash = images.verity(root)
    assert len(tree) > 3 * 4096
    verity.check(BytesBlocks(root + bytes(8192)), BytesBlocks(tree + bytes(512)), root_hash)
    with pytest.raises(MalformedImage, match="after its file system"):
        verity.check(BytesBlocks(root + b"\1" * 4096), BytesBlocks(tree), root_hash)
    with pytest.raises(MalformedImage, match="after its tree"):
        verity.check(BytesBlocks(root), BytesBlocks(tree + b"\1"), root_hash)
    with pytest.raises(MalformedImage, match="the hash of the root file system"):
        verity.check(BytesBlocks(root), BytesBlocks(tree), bytes(32))
    with pytest.raises(MalformedImage, match="verity's data"):
        verity.check(BytesBlocks(root[:-4096]), BytesBlocks(tree), root_hash)


def read_cpio(archive: bytes) -> list[tuple[str, int, bytes]]:
    stream = io.BytesIO(archive)
    out: list[tuple[str, int, bytes]] = []
    while True:
        head = stream.read(110)
        fields = [int(head[at : at + 8], 16) for at in range(6, 110, 8)]
        name = stream.read(fields[11])[:-1].decode()
        stream.read(-(110 + fields[11]) % 4)
        data = stream.read(fields[6])
        stream.read(-fields[6] % 4)
        if name == "TRAILER!!!":
            assert not stream.read().strip(b"\0")
            return out
        assert fields[2:4] == [0, 0]
        assert fields[5] == 0
        out.append((name, fields[1], data))


@given(st.dictionaries(st.text("abc-._0", min_size=1, max_size=9), st.binary(max_size=99)))
def test_an_archive_has_its_entries_in_order(files):
    files = {name: data for name, data in files.items() if name not in (".", "..")}
    entries = [CpioEntry(name, stat.S_IFREG | 0o644, data) for name, data in files.items()]
    archive = cpio.archive(reversed(entries))
    assert archive == cpio.archive(entries)
    assert read_cpio(archive) == [(n, stat.S_IFREG | 0o644, files[n]) for n in sorted(files)]
    assert len(archive) % 512 == 0


@pytest.mark.parametrize("path", ["", "/a", "a/../b", "a//b", "TRAILER!!!", "missing/b", "x\0"])
def test_a_bad_path_is_not_archived(path):
    with pytest.raises(MalformedImage):
        cpio.archive([CpioEntry(path, stat.S_IFREG | 0o644)])


def test_a_path_stands_once_and_has_a_type():
    file = CpioEntry("a", stat.S_IFREG | 0o644)
    with pytest.raises(MalformedImage, match="once"):
        cpio.archive([file, file])
    with pytest.raises(MalformedImage, match="a file type"):
        cpio.archive([replace(file, mode=0o644)])


def test_an_authenticode_digest_ignores_checksum_and_signature():
    plain, signed = (
        images.program({".text": b"a" * 900}, signature=each) for each in (b"", b"s" * 100)
    )
    digests = [authenticode.digest(pe.parse(each)) for each in (plain, signed)]
    assert digests[0] == digests[1]
    checksum = pe.parse(plain).optional + 64
    assert authenticode.digest(pe.parse(flipped(plain, checksum))) == digests[0]
    assert authenticode.digest(pe.parse(flipped(plain, len(plain) - 1))) != digests[0]
    longer = authenticode.digest(pe.parse(plain + b"more    "))
    assert longer != digests[0]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[1:], "DOS header"),
        (lambda data: flipped(data, 0x80), "PE signature"),
        (lambda data: flipped(data, 0x84), "machine"),
        (lambda data: flipped(data, 0x98), "magic"),
        (lambda data: data[:500], "size of the headers"),
        (lambda data: data[:-600], "the section .b"),
    ],
)
def test_a_damaged_program_is_refused(damage, message):
    data = images.program({".a": b"1" * 700, ".b": b"2" * 900})
    with pytest.raises(MalformedImage, match=message):
        pe.parse(damage(data))


def test_sections_that_overlap_or_stand_twice_are_refused():
    data = bytearray(images.program({".a": b"1" * 700, ".b": b"2" * 900}))
    image = pe.parse(bytes(data))
    struct.pack_into("<I", data, image.table + 40 + 20, image.sections[0].raw_offset)
    with pytest.raises(MalformedImage, match="the section"):
        pe.parse(bytes(data))
    data = bytearray(image.data)
    data[image.table + 40 : image.table + 48] = b".a".ljust(8, b"\0")
    with pytest.raises(MalformedImage, match="2 times"):
        pe.parse(bytes(data)).content(".a")


@given(st.binary(max_size=3000), st.binary(max_size=3000), st.sampled_from([252, 255, 257]))
def test_a_uki_holds_what_it_was_made_of(initrd, seed, version):
    kernel = images.kernel(seed)
    data = uki.write(images.stub(version), "quiet roothash=0", initrd, kernel)
    parsed = uki.parse(data)
    assert (parsed.digests.stub, parsed.digests.command_line) == (version, "quiet roothash=0")
    sections = {each.name: each.sha256 for each in parsed.digests.sections}
    contents = {".linux": kernel, ".initrd": initrd, ".cmdline": b"quiet roothash=0\0"}
    for name, content in contents.items():
        assert sections[name] == hashlib.sha256(content).hexdigest()
    assert data == uki.write(images.stub(version), "quiet roothash=0", initrd, kernel)


@pytest.mark.parametrize("line", ["", " a", "a ", "a  b", "a\tb", "a\n", "ä", "a" * 2048])
def test_a_command_line_that_the_stub_would_change_is_refused(line):
    with pytest.raises(MalformedImage, match="command line"):
        uki.write(images.stub(), line, b"", images.kernel())


@pytest.mark.parametrize("name", ["osrel", "profile", "ucode", "dtb", "uname", "pcrsig", "other"])
def test_a_section_that_no_measured_image_has_is_refused(name):
    with pytest.raises(MalformedImage, match=rf"found \.{name}"):
        uki.write(images.stub(252, **{name: b"x"}), "a", b"", images.kernel())


@pytest.mark.parametrize("version", [251, 253, 254, 256, 258, 999])
def test_another_stub_measures_otherwise(version):
    with pytest.raises(MalformedImage, match="systemd-stub 252, 255, 257"):
        uki.write(images.stub(version), "a", b"", images.kernel())


def test_a_stub_without_room_is_refused():
    full = images.program({f".x{number}": b"1" for number in range(13)})
    with pytest.raises(MalformedImage, match="room for 3 sections"):
        uki.write(full, "a", b"", images.kernel())


def test_a_window_ends_where_it_should():
    window = Window(BytesBlocks(b"0123456789"), 2, 4)
    assert window.read(1, 3) == b"345"
    for offset, size in ((1, 4), (-1, 2), (5, 0)):
        with pytest.raises(MalformedImage, match="within 4 bytes"):
            window.read(offset, size)
    with pytest.raises(MalformedImage):
        Window(BytesBlocks(b"0123456789"), 8, 4)
