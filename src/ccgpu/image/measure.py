"""Measures a whole disk: everything that its manifest states of bytes, out of the bytes alone.

The layout is fixed (docs/measured-image.md): an ESP that holds the UKI and nothing else, the root
file system, its hash tree. What differs is refused with its name: the stub would take addons,
credentials and extensions from the ESP, and a boot loader its entries.
"""

import hashlib
import re
from collections.abc import Sequence
from uuid import UUID

from ccgpu.domain.image_manifest import ImageBytes, ImageDisk, ImageRoot, pcrs_of
from ccgpu.domain.image_pcrs import BOOT_PROGRAM, UkiDigests
from ccgpu.image import fat, gpt, uki, verity, vhd
from ccgpu.image.blocks import Blocks, Window, pieces
from ccgpu.image.fat import FatFile
from ccgpu.image.gpt import GptPartition
from ccgpu.image.malformed import MalformedImage, demand

_ROOT_HASH = re.compile(r"roothash=([0-9a-f]{64})")
_LAYOUT = ((gpt.ESP, "ESP"), (gpt.ROOT, "root"), (gpt.ROOT_VERITY, "root's hash tree"))
_ON_ESP = (  # systemd-stub(7); UAPI Group, Boot Loader Specification
    (r"(?i).*\.addon\.efi", "an addon of the command line"),
    (r"(?i).*\.cred", "a credential"),
    (r"(?i).*\.raw", "a system or configuration extension"),
    (r"(?i)loader/.*", "a file of a boot loader"),
    (r"(?i).*\.efi", "another boot program"),
)


def measure(blocks: Blocks) -> ImageBytes:
    """Measure a disk, raw or in a fixed VHD, or raise `MalformedImage`."""
    disk = vhd.strip(blocks)
    table = gpt.parse(disk)
    esp, root, tree = (Window(disk, at.offset, at.size) for at in _partitions(table.partitions))
    program = _boot_program(esp)
    asked = _root_hash(program.command_line)
    superblock = verity.check(root, tree, asked)
    return ImageBytes(
        disk=_disk(blocks, disk.size, table.disk),
        uki=program,
        root=ImageRoot(
            hash=asked.hex(),
            salt=superblock.salt.hex(),
            uuid=str(superblock.uuid),
            data_blocks=superblock.data_blocks,
        ),
        secure_boot="off",
        pcrs=pcrs_of(program, None),
    )


def _partitions(found: Sequence[GptPartition]) -> Sequence[GptPartition]:
    """ESP, root and hash tree: these three, in this order."""
    expected = ", ".join(name for _, name in _LAYOUT)
    names = dict(_LAYOUT)
    kinds = ", ".join(names.get(each.kind, str(each.kind)) for each in found)
    demand("the partitions of the disk", expected, kinds)
    return found


def _boot_program(esp: Blocks) -> UkiDigests:
    """The UKI, which must be all that the ESP holds."""
    volume = fat.parse(esp)
    entries = volume.entries()
    files = [each for each in entries if not each.is_folder]
    others = [each for each in files if each.path != BOOT_PROGRAM]
    if others:
        named = "; ".join(f"{each.path} ({_kind(each)})" for each in others[:8])
        raise MalformedImage("the files of the ESP", f"{BOOT_PROGRAM} alone", named)
    demand("the number of boot programs on the ESP", 1, len(files))
    above = BOOT_PROGRAM.split("/")[:-1]
    allowed = ["/".join(above[: end + 1]) for end in range(len(above))]
    demand("the folders of the ESP", allowed, [each.path for each in entries if each.is_folder])
    return uki.parse(volume.content(files[0])).digests


def _kind(file: FatFile) -> str:
    """What the stub or a boot loader would take a file on the ESP for."""
    kinds = (what for pattern, what in _ON_ESP if re.fullmatch(pattern, file.path))
    return next(kinds, "a file that nothing measures")


def _root_hash(command_line: str) -> bytes:
    found = [word for word in command_line.split(" ") if word.startswith("roothash")]
    match = _ROOT_HASH.fullmatch(found[0]) if len(found) == 1 else None
    if match is None:
        named = " ".join(found) or "none"
        raise MalformedImage("the root hash of the command line", "one of 64 hex digits", named)
    return bytes.fromhex(match[1])


def _disk(blocks: Blocks, size: int, unique: UUID) -> ImageDisk:
    """Size and digests. The VHD of a raw disk is the one with the disk's own id."""
    hashed = hashlib.sha256()
    for piece in pieces(blocks, 0, size):
        hashed.update(piece)
    sha256 = hashed.hexdigest()
    raw = size == blocks.size
    hashed.update(vhd.footer(size, unique) if raw else blocks.read(size, vhd.FOOTER))
    return ImageDisk(size=size, sha256=sha256, vhd_sha256=hashed.hexdigest())
