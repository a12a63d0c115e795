"""The checksums that a client of Azure Storage may send with the bytes that it writes."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache

from ccgpu.fakearm.storage import refusals

# Azure Storage's CRC-64: polynomial 0x9A6C9329AC4BC9B5 (reflected), begun and ended with all ones
# (Azure/azure-storage-net-data-movement, Crc64), in little-endian order.
_POLYNOMIAL = 0x9A6C9329AC4BC9B5
_ONES = 0xFFFFFFFFFFFFFFFF


def check(headers: Mapping[str, str], data: bytes) -> dict[str, str]:
    """Refuse wrong checksums. Returns the header that tells what the server calculated."""
    md5, crc = headers.get("Content-MD5"), headers.get("x-ms-content-crc64")
    if md5 is not None and crc is not None:
        raise refusals.bad_header()
    if md5 is not None and md5 != md5_of(data):
        raise refusals.wrong_md5()
    if crc is not None and crc != crc64_of(data):
        raise refusals.wrong_crc64()
    if crc is not None:
        return {"x-ms-content-crc64": crc}
    return {"Content-MD5": md5} if md5 is not None else {}


def md5_of(data: bytes) -> str:
    """The MD5 in base64: a checksum, which protects nobody."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def crc64_of(data: bytes) -> str:
    table, value = _table(), _ONES
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return base64.b64encode((value ^ _ONES).to_bytes(8, "little")).decode()


@cache
def _table() -> tuple[int, ...]:
    found = []
    for value in range(256):
        rest = value
        for _ in range(8):
            rest = (rest >> 1) ^ (_POLYNOMIAL if rest & 1 else 0)
        found.append(rest)
    return tuple(found)
