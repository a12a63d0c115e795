"""The Authenticode digest of a UEFI program, which the firmware measures into PCR 4.

Source: Microsoft, Windows Authenticode Portable Executable Signature Format, "Calculating the PE
Image Hash"; tianocore/edk2, SecurityPkg, DxeTpm2MeasureBootLib (MeasurePeImageAndExtend).
"""

import hashlib

from ccgpu.image.pe import PeImage

_CHECKSUM = 64  # offset in the optional header
_CERTIFICATES = 112 + 4 * 8  # offset of the certificate table's directory in it


def digest(image: PeImage) -> bytes:
    """The SHA-256 (32 bytes) over all but checksum, certificate table and its directory."""
    data, hashed = image.data, hashlib.sha256()
    checksum, directory = image.optional + _CHECKSUM, image.optional + _CERTIFICATES
    hashed.update(data[:checksum])
    if image.directories > 4:
        hashed.update(data[checksum + 4 : directory])
        hashed.update(data[directory + 8 : image.headers_size])
    else:
        hashed.update(data[checksum + 4 : image.headers_size])
    total = image.headers_size
    for section in sorted(image.sections, key=lambda each: each.raw_offset):
        if section.raw_size:
            hashed.update(memoryview(data)[section.raw_offset : section.end])
            total += section.raw_size
    hashed.update(memoryview(data)[total : len(data) - image.certificates[1]])
    return hashed.digest()
