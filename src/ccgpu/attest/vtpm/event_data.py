"""Parsers of the data that event logs state beside their digests. All return None if it is no such.

Nothing here is proven: whoever needs that compares the data's hash with the event's digest.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ccgpu.attest.vtpm import layout

_NODE_HEAD = 4  # type, subtype, length (2 bytes): EFI_DEVICE_PATH_PROTOCOL, UEFI 2.10, §10.2
_MEDIA, _FILE_PATH = 4, 4  # UEFI 2.10, §10.3.5.4


@dataclass(frozen=True, slots=True)
class UefiVariable:
    """A UEFI variable: the vendor's GUID, the name, the content."""

    vendor: bytes
    name: str
    content: bytes


def parse_variable(data: bytes) -> UefiVariable | None:
    """The variable in a UEFI_VARIABLE_DATA (PFP, §10.2.6)."""
    start = layout.VARIABLE["VariableDataLength"].end
    sizes = ("UnicodeNameLength", "VariableDataLength")
    name, content = (int.from_bytes(layout.VARIABLE[size].of(data), "little") for size in sizes)
    end = start + 2 * name
    text = utf16(data[start:end])
    if len(data) != end + content or text is None:
        return None
    return UefiVariable(layout.VARIABLE["VariableName"].of(data), text, data[end:])


def image_path(data: bytes) -> str | None:
    """The path of a started image, in a UEFI_IMAGE_LOAD_EVENT (PFP, §10.2.3)."""
    field = layout.IMAGE_LOAD["LengthOfDevicePath"]
    size = int.from_bytes(field.of(data), "little")
    if len(data) != field.end + size:
        return None
    parts = [text for text in map(utf16, _file_paths(data[field.end :])) if text]
    return "".join("\\" + part.strip("\\") for part in parts) or None


def _file_paths(nodes: bytes) -> Iterator[bytes]:
    """The parts of the path in the nodes of a device path."""
    while len(nodes) >= _NODE_HEAD:
        size = int.from_bytes(nodes[2:_NODE_HEAD], "little")
        if not _NODE_HEAD <= size <= len(nodes):
            return
        if (nodes[0], nodes[1]) == (_MEDIA, _FILE_PATH):
            yield nodes[_NODE_HEAD:size]
        nodes = nodes[size:]


def boot_option(content: bytes) -> str | None:
    """The description of a boot option, EFI_LOAD_OPTION (UEFI 2.10, §3.1.3)."""
    units = [content[at : at + 2] for at in range(6, len(content) - 1, 2)]
    end = units.index(b"\0\0") if b"\0\0" in units else 0
    return utf16(b"".join(units[:end])) or None


def tag_id(data: bytes) -> int | None:
    """The id of a TCG_PCClientTaggedEvent (PFP, §10.4.2.1)."""
    return int.from_bytes(data[:4], "little") if len(data) >= 8 else None


def utf16(data: bytes) -> str | None:
    """UTF-16 text without trailing NULs; None if it is not valid."""
    try:
        return data.decode("utf-16-le").rstrip("\0")
    except UnicodeDecodeError:
        return None


def utf8(data: bytes) -> str:
    """UTF-8 text without trailing NULs; bytes that are none are replaced."""
    return data.rstrip(b"\0").decode("utf-8", "replace")
