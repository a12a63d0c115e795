"""The reader of dm-verity partitions: their superblock, and the whole hash tree over the root.

Source: cryptsetup, docs/on-disk format of dm-verity (version 1: the salt before the data);
Linux, Documentation/admin-guide/device-mapper/verity.rst. Only SHA-256 over blocks of 4096 bytes,
which `veritysetup format` makes by default.
"""

import hashlib
import hmac
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from ccgpu.image.blocks import Blocks, pieces
from ccgpu.image.malformed import MalformedImage, demand

BLOCK = 4096
_MAGIC = b"verity\0\0"
_SALT_LIMIT = 256
_FIELDS = struct.Struct("<8sII16s32sIIQH6s256s168s")
_DIGEST = 32
_PER_BLOCK = BLOCK // _DIGEST


@dataclass(frozen=True, slots=True)
class VeritySuperblock:
    """Salt, the tree's UUID, and how many blocks of data it covers."""

    salt: bytes
    uuid: UUID
    data_blocks: int


def parse_superblock(data: bytes) -> VeritySuperblock:
    """Parse the first 512 bytes of a hash partition, or raise `MalformedImage`."""
    if len(data) < _FIELDS.size:
        raise MalformedImage("the verity superblock", f"{_FIELDS.size} bytes", len(data))
    (magic, version, kind, uuid, algorithm, data_block, hash_block, blocks, salt_size, pad, salt,
     rest) = _FIELDS.unpack_from(data)  # fmt: skip
    demand("the magic of the verity superblock", _MAGIC, magic)
    demand("version and hash type of verity", (1, 1), (version, kind))
    demand("the hash of verity", b"sha256", algorithm.rstrip(b"\0"))
    demand("the block sizes of verity", (BLOCK, BLOCK), (data_block, hash_block))
    if not 1 <= salt_size <= _SALT_LIMIT:
        raise MalformedImage("the size of verity's salt", f"1 to {_SALT_LIMIT}", salt_size)
    if not blocks:
        raise MalformedImage("the data blocks of verity", "1 or more", blocks)
    if any(pad) or any(salt[salt_size:]) or any(rest):
        raise MalformedImage("the unused bytes of the verity superblock", "zeros", "others")
    return VeritySuperblock(salt[:salt_size], UUID(bytes=uuid), blocks)


def check(root: Blocks, tree: Blocks, root_hash: bytes) -> VeritySuperblock:
    """Check all bytes of both partitions against the root hash (32 bytes), or `MalformedImage`.

    Bytes after the data and after the tree must be zero: nothing would check them at boot.
    """
    superblock = parse_superblock(tree.read(0, min(tree.size, _FIELDS.size)))
    end = superblock.data_blocks * BLOCK
    if end > root.size:
        raise MalformedImage("verity's data", f"at most {root.size} bytes", end)
    salted = hashlib.sha256(superblock.salt)
    levels = _levels(superblock.data_blocks)
    stored = _stored_levels(tree, levels)
    hashes = b"".join(_hashes(salted, pieces(root, 0, end)))
    for blocks_of_level in levels:
        expected = next(stored)
        found = hashes.ljust(blocks_of_level * BLOCK, b"\0")
        if expected != found:
            raise MalformedImage(
                "the hash tree",
                f"that of the root hash {root_hash.hex()}",
                _difference(expected, found),
            )
        hashes = b"".join(_hashes(salted, [expected]))
    if not hmac.compare_digest(hashes, root_hash):
        raise MalformedImage("the hash of the root file system", root_hash.hex(), hashes.hex())
    _require_zeros("the root partition after its file system", root, end)
    _require_zeros("the superblock's block", tree, _FIELDS.size, BLOCK)
    _require_zeros("the hash partition after its tree", tree, BLOCK * (1 + sum(levels)))
    return superblock


def _levels(data_blocks: int) -> list[int]:
    """The blocks of each level of the tree, from the bottom to the one block at the top."""
    levels = [-(-data_blocks // _PER_BLOCK)]
    while levels[-1] > 1:
        levels.append(-(-levels[-1] // _PER_BLOCK))
    return levels


def _stored_levels(tree: Blocks, levels: list[int]) -> Iterator[bytes]:
    """The levels as they are stored, bottom first; on the disk the top is first."""
    end = BLOCK * (1 + sum(levels))
    if end > tree.size:
        raise MalformedImage("the hash partition", f"{end} bytes or more", tree.size)
    for blocks in levels:
        yield tree.read(end - blocks * BLOCK, blocks * BLOCK)
        end -= blocks * BLOCK


def _hashes(salted: "hashlib._Hash", data: Iterable[bytes]) -> Iterator[bytes]:
    """The hash of each block in the data, which comes in pieces of whole blocks."""
    for piece in data:
        view = memoryview(piece)
        for at in range(0, len(view), BLOCK):
            hashed = salted.copy()
            hashed.update(view[at : at + BLOCK])
            yield hashed.digest()


def _difference(expected: bytes, found: bytes) -> str:
    """The first block below that does not have the stored hash."""
    at = next(
        at
        for at in range(0, len(found), _DIGEST)
        if expected[at : at + _DIGEST] != found[at : at + _DIGEST]
    )
    return f"block {at // _DIGEST} below hashes to {found[at : at + _DIGEST].hex()}"


def _require_zeros(what: str, blocks: Blocks, start: int, end: int | None = None) -> None:
    if any(piece.count(0) != len(piece) for piece in pieces(blocks, start, end)):
        raise MalformedImage(what, "zeros", "other bytes")
