"""The reader of PE32+ programs: headers and sections, as far as UEFI images need.

Source: Microsoft, PE Format (COFF header, optional header, section table). What would let two
readers see different programs is refused: overlapping sections, sections beyond the file's end.
"""

import struct
from dataclasses import dataclass

from ccgpu.image.malformed import MalformedImage, demand

SECTION_HEADER = 40
_MAX_SECTIONS = 96  # Windows' limit, PE Format, "COFF File Header"
_PE32_PLUS = 0x20B
_AMD64 = 0x8664
_FIXED_OPTIONAL = 112  # bytes of the optional header before its data directories
_CERTIFICATE_TABLE = 4  # index of its data directory


@dataclass(frozen=True, slots=True)
class PeSection:
    """A section: its name, where it is loaded, and where it is in the file."""

    name: str
    virtual_size: int
    virtual_address: int
    raw_size: int
    raw_offset: int

    @property
    def end(self) -> int:
        """Where the section ends in the file."""
        return self.raw_offset + self.raw_size


@dataclass(frozen=True, slots=True)
class PeImage:
    """A program. Offsets in `data`: of the COFF and optional header, and of the section table.

    `directories`: how many data directories there are. `certificates`: offset and size of the
    certificate table in the file; zeros without one.
    """

    data: bytes
    coff: int
    optional: int
    table: int
    headers_size: int
    directories: int
    certificates: tuple[int, int]
    sections: tuple[PeSection, ...]

    def content(self, name: str) -> bytes | None:
        """A section as it is loaded: VirtualSize bytes, zero-padded. None if it is absent."""
        found = [section for section in self.sections if section.name == name]
        if not found:
            return None
        if len(found) > 1:
            raise MalformedImage(f"the section {name}", "once", f"{len(found)} times")
        section = found[0]
        size = min(section.raw_size, section.virtual_size)
        raw = self.data[section.raw_offset : section.raw_offset + size]
        return raw.ljust(section.virtual_size, b"\0")


def parse(data: bytes) -> PeImage:
    """Parse a PE32+ program for x86-64, or raise `MalformedImage`."""
    demand("the DOS header's magic", b"MZ", data[:2])
    (start,) = _unpack("<I", data, 0x3C)
    demand("the PE signature", b"PE\0\0", data[start : start + 4])
    coff = start + 4
    machine, count, _, _, _, optional_size, _ = _unpack("<HHIIIHH", data, coff)
    demand("the program's machine (AMD64)", hex(_AMD64), hex(machine))
    if not 1 <= count <= _MAX_SECTIONS:
        raise MalformedImage("the number of sections", f"1 to {_MAX_SECTIONS}", count)
    optional = coff + 20
    (magic,) = _unpack("<H", data, optional)
    demand("the optional header's magic (PE32+)", hex(_PE32_PLUS), hex(magic))
    (headers_size,) = _unpack("<I", data, optional + 60)
    (directories,) = _unpack("<I", data, optional + 108)
    if _FIXED_OPTIONAL + 8 * directories > optional_size:
        raise MalformedImage("the data directories", f"within {optional_size} bytes", directories)
    table = optional + optional_size
    if not table + count * SECTION_HEADER <= headers_size <= len(data):
        raise MalformedImage("the size of the headers", f"up to {len(data)}", headers_size)
    image = PeImage(
        data=data,
        coff=coff,
        optional=optional,
        table=table,
        headers_size=headers_size,
        directories=directories,
        certificates=_certificates(data, optional, directories),
        sections=tuple(_section(data, table + SECTION_HEADER * at) for at in range(count)),
    )
    _require_apart(image)
    return image


def _certificates(data: bytes, optional: int, directories: int) -> tuple[int, int]:
    """Offset and size of the certificate table, which must end the file."""
    if directories <= _CERTIFICATE_TABLE:
        return 0, 0
    offset, size = _unpack("<II", data, optional + _FIXED_OPTIONAL + 8 * _CERTIFICATE_TABLE)
    if size:
        demand("the end of the certificate table", len(data), offset + size)
    return offset, size


def _section(data: bytes, at: int) -> PeSection:
    raw_name = data[at : at + 8].rstrip(b"\0")
    virtual_size, address, raw_size, offset = _unpack("<IIII", data, at + 8)
    try:
        name = raw_name.decode("ascii")
    except UnicodeDecodeError:
        name = ""
    if not name.isprintable() or not name:
        raise MalformedImage("the name of a section", "printable ASCII", ascii(raw_name))
    if virtual_size > len(data) + 16 * 1024 * 1024:  # zeros after the file's bytes cost memory
        raise MalformedImage(f"the size of the section {name}", "that of the file", virtual_size)
    return PeSection(name, virtual_size, address, raw_size, offset)


def _require_apart(image: PeImage) -> None:
    """Refuse sections that overlap each other, the headers or the certificates in the file."""
    end, limit = image.headers_size, image.certificates[0] or len(image.data)
    for section in sorted(image.sections, key=lambda each: each.raw_offset):
        if not section.raw_size:
            continue
        if section.raw_offset < end or section.end > limit:
            raise MalformedImage(
                f"the section {section.name}", f"between {end} and {limit}", section.raw_offset
            )
        end = section.end


def _unpack(form: str, data: bytes, at: int) -> tuple[int, ...]:
    if at + struct.calcsize(form) > len(data):
        raise MalformedImage("a header of the program", f"within {len(data)} bytes", f"at {at}")
    return struct.unpack_from(form, data, at)
