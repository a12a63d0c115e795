"""The footer of a fixed VHD, which ends an upload.

Source: Microsoft, "Virtual Hard Disk Image Format Specification", hard disk footer format.
"""

import struct

from ccgpu.fakearm import errors
from ccgpu.fakearm.wire import Body

FOOTER = 512
_COOKIE = b"conectix"
_FIXED = 2  # disk type
_CHECKSUM = slice(64, 68)


def footer_problem(footer: bytes, size: int, blob: str) -> Body | None:
    """Why a disk of `size` bytes does not end with this footer, as the error of the operation."""
    current, kind = struct.unpack_from(">Q", footer, 48)[0], struct.unpack_from(">I", footer, 60)[0]
    if footer[: len(_COOKIE)] != _COOKIE:
        return _invalid(
            f"The specified cookie value in VHD footer indicates that disk 'abcd' with blob {blob} "
            "is not a supported VHD. Disk is expected to have cookie value 'conectix'."
        )
    if kind != _FIXED:
        return _invalid(
            f"The disk 'abcd' with blob {blob} is of type {kind}. Only fixed VHDs are supported."
        )
    given = struct.unpack_from(">I", footer, 64)[0]
    summed = ~(sum(footer) - sum(footer[_CHECKSUM])) & 0xFFFFFFFF
    if given != summed:
        return _invalid(f"The checksum of the VHD footer of blob {blob} is wrong.")
    if current != size:
        return _invalid(
            f"The VHD footer of blob {blob} names {current} bytes, the disk has {size}."
        )
    return None


def _invalid(message: str) -> Body:
    return errors.error("InvalidVhd", message)
