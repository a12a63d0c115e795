"""The writer and reader of unified kernel images (UKI) on systemd-stub.

Source: UAPI Group, Unified Kernel Image Specification; systemd, src/fundamental/uki.h and
docs/TPM2_PCR_MEASUREMENTS.md. Only what a measured image needs is accepted: kernel, initrd and
command line. Further sections would change what the stub measures, or the initrd that it builds.
"""

import hashlib
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ccgpu.domain.image_pcrs import (
    COMMAND_LINE,
    COMMAND_LINE_LIMIT,
    MEASURED_SECTIONS,
    SBAT_MEASURED,
    UkiDigests,
    UkiSection,
)
from ccgpu.image import authenticode, pe
from ccgpu.image.malformed import MalformedImage
from ccgpu.image.pe import SECTION_HEADER, PeImage

_MAGIC = re.compile(rb"#### LoaderInfo: systemd-stub ([0-9]{3})[ -~]{0,64} ####\0*")
_OF_STUB = frozenset(
    (".text", ".rodata", ".data", ".bss", ".reloc", ".dynamic", ".rela", ".dynsym", ".sdmagic")
)
_READ_ONLY_DATA = 0x40000040  # IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ
_ALIGNMENTS, _SIZE_OF_IMAGE, _CHECKSUM = 32, 56, 64  # offsets in the optional header


@dataclass(frozen=True, slots=True)
class Uki:
    """A unified kernel image: what is measured of it, and its command line."""

    digests: UkiDigests
    image: PeImage


def write(stub: bytes, command_line: str, initrd: bytes, kernel: bytes) -> bytes:
    """A UKI out of systemd's stub. It reads no clock: the same parts are the same bytes."""
    _require_command_line(command_line)
    added = ((".cmdline", command_line.encode() + b"\0"), (".initrd", initrd), (".linux", kernel))
    data = _with_sections(pe.parse(stub), added)
    parse(data)
    return data


def parse(data: bytes) -> Uki:
    """Parse a UKI, or raise `MalformedImage` for one that no measured image has."""
    image = pe.parse(data)
    names = [section.name for section in image.sections]
    others = sorted({*names} - _OF_STUB - {*MEASURED_SECTIONS})
    if others:
        raise MalformedImage(
            "the sections of the UKI",
            "those of the stub, kernel, initrd, command line",
            ", ".join(others),
        )
    stub = _stub_version(image)
    command_line = _command_line(_content(image, ".cmdline"))
    kernel = pe.parse(_content(image, ".linux"))
    sections = tuple(
        UkiSection(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name in MEASURED_SECTIONS
        for content in (_content(image, name),)
    )
    return Uki(
        UkiDigests(
            authenticode=authenticode.digest(image).hex(),
            kernel_authenticode=authenticode.digest(kernel).hex(),
            stub=stub,
            command_line=command_line,
            sections=sections,
        ),
        image,
    )


def _content(image: PeImage, name: str) -> bytes:
    content = image.content(name)
    if content is None:
        raise MalformedImage("the sections of the UKI", name, "none of that name")
    return content


def _stub_version(image: PeImage) -> int:
    """The version of systemd-stub, by the magic that it carries."""
    magic = _content(image, ".sdmagic")
    match = _MAGIC.fullmatch(magic)
    version = int(match[1]) if match else 0
    if version not in SBAT_MEASURED:
        known = ", ".join(map(str, SBAT_MEASURED))
        raise MalformedImage(
            "the stub of the UKI", f"systemd-stub {known}", version or ascii(magic[:64])
        )
    return version


def _command_line(content: bytes) -> str:
    """The text in the section: all of it, with one NUL at its end."""
    text = content.removesuffix(b"\0")
    try:
        line = text.decode("ascii")
    except UnicodeDecodeError:
        raise MalformedImage("the command line of the UKI", "ASCII", ascii(content[:64])) from None
    _require_command_line(line)
    if text == content:
        raise MalformedImage("the command line of the UKI", "a NUL at its end", "none")
    return line


def _require_command_line(line: str) -> None:
    if len(line) > COMMAND_LINE_LIMIT or not re.fullmatch(COMMAND_LINE, line):
        form = f"printable ASCII, single spaces, at most {COMMAND_LINE_LIMIT}"
        raise MalformedImage("the command line of the UKI", form, ascii(line[:64]))


def _with_sections(stub: PeImage, added: Sequence[tuple[str, bytes]]) -> bytes:
    """The stub with sections behind its last, each on its own page. No time, symbols, checksum."""
    count = len(stub.sections)
    end = max(section.end for section in stub.sections)
    first = min(section.raw_offset for section in stub.sections if section.raw_size)
    if stub.table + (count + len(added)) * SECTION_HEADER > min(stub.headers_size, first):
        raise MalformedImage("the stub's headers", f"room for {len(added)} sections", "less")
    section_alignment, file_alignment = struct.unpack_from(
        "<II", stub.data, stub.optional + _ALIGNMENTS
    )
    if not section_alignment or not file_alignment:
        raise MalformedImage("the alignments of the stub", "not zero", "zero")
    data = bytearray(stub.data[:end])
    address = max(
        each.virtual_address + max(each.virtual_size, each.raw_size) for each in stub.sections
    )
    for number, (name, body) in enumerate(added, count):
        address = _aligned(address, section_alignment)
        data += bytes(-len(data) % file_alignment)
        header = struct.pack(
            "<8sIIIIIIHHI", name.encode(), len(body), address, _aligned(len(body), file_alignment),
            len(data), 0, 0, 0, 0, _READ_ONLY_DATA,
        )  # fmt: skip
        struct.pack_into("<40s", data, stub.table + SECTION_HEADER * number, header)
        data += body + bytes(-len(body) % file_alignment)
        address += len(body)
    struct.pack_into("<H", data, stub.coff + 2, count + len(added))
    struct.pack_into("<III", data, stub.coff + 4, 0, 0, 0)
    struct.pack_into(
        "<I", data, stub.optional + _SIZE_OF_IMAGE, _aligned(address, section_alignment)
    )
    struct.pack_into("<I", data, stub.optional + _CHECKSUM, 0)
    return bytes(data)


def _aligned(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment
