"""The data that a log states: each length at its edge, and what is none of it."""

import pytest

from ccgpu.attest.vtpm import event_data
from ccgpu.attest.vtpm.event_data import UefiVariable


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def _node(kind: tuple[int, int], content: bytes, size: int | None = None) -> bytes:
    length = 4 + len(content) if size is None else size
    return bytes(kind) + length.to_bytes(2, "little") + content


def _image(nodes: bytes) -> bytes:
    return bytes(24) + len(nodes).to_bytes(8, "little") + nodes


_FILE, _END = (4, 4), _node((0x7F, 0xFF), b"")
_SHIM = _node(_FILE, _utf16("\\shim\0"))


@pytest.mark.parametrize(
    ("nodes", "path"),
    [
        (_SHIM + _END, r"\shim"),
        (_SHIM, r"\shim"),
        (_node(_FILE, _utf16("shim\\\0")), r"\shim"),
        (_node(_FILE, _utf16("X\\a\\X")) + _SHIM, r"\X\a\X\shim"),
        (_END + _SHIM, r"\shim"),  # a node without content, and not the path's end to this reader
        (_node((4, 1), b"a disk") + _SHIM, r"\shim"),
        (_node((1, 4), _utf16("other")) + _SHIM, r"\shim"),
        (_node(_FILE, b"odd") + _SHIM, r"\shim"),
        (_node(_FILE, b"") + _SHIM, r"\shim"),
        (_node(_FILE, _utf16("a"), size=3) + _SHIM, None),
        (_SHIM + _node(_FILE, _utf16("a"), size=7), r"\shim"),
        (_node(_FILE, _utf16("a"), size=6), r"\a"),
        (_SHIM + bytes((4, 4, 4)), r"\shim"),
        (bytes((4, 4, 4, 0)), None),
        (b"", None),
    ],
)
def test_a_path_is_made_of_the_file_nodes_that_are_whole(nodes, path):
    assert event_data.image_path(_image(nodes)) == path


@pytest.mark.parametrize("data", [_image(_SHIM) + b"\0", _image(_SHIM)[:-1]])
def test_an_image_of_another_length_has_no_path(data):
    assert event_data.image_path(data) is None


_HEAD = bytes(6)  # attributes, length of the list of file paths


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (_HEAD + _utf16("ubuntu\0"), "ubuntu"),
        (_HEAD + _utf16("a\0") + b"path", "a"),
        (_HEAD + _utf16("a\0b\0"), "a"),
        (_HEAD + _utf16("a\0") + b"x", "a"),
        (_HEAD + _utf16("\0a\0"), None),
        (_HEAD + _utf16("a"), None),
        (_HEAD + _utf16("ab"), None),
        (_HEAD + _utf16("a") + b"\0", None),
        (_HEAD + _utf16("ā\0"), "ā"),  # its bytes are 01 01
        (_HEAD + b"\x61\x00\x00\xd8\x00\x00", None),  # half a surrogate pair
        (_HEAD, None),
        (b"", None),
    ],
)
def test_the_description_of_a_boot_option_ends_at_its_first_nul(content, text):
    assert event_data.boot_option(content) == text


@pytest.mark.parametrize(
    ("data", "tag"),
    [(bytes(7), None), (bytes(8), 0), (b"\1\2\3\4" + bytes(4), 0x4030201), (b"\1" * 9, 0x1010101)],
)
def test_a_tag_has_an_id_and_a_length(data, tag):
    assert event_data.tag_id(data) == tag


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", ""), (_utf16("aX\0\0"), "aX"), (_utf16("\0a"), "\0a"), (b"a", None), (b"\0\xd8", None)],
)
def test_utf16_is_read_without_the_nul_at_its_end(data, text):
    assert event_data.utf16(data) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", ""), (b"aX\0\0", "aX"), (b"\0a", "\0a"), (b"a\xffb\0", "a\ufffdb")],
)
def test_utf8_is_read_without_the_nul_at_its_end(data, text):
    assert event_data.utf8(data) == text


def _variable(name: bytes, content: bytes, units: int | None = None) -> bytes:
    count = len(name) // 2 if units is None else units
    sizes = count.to_bytes(8, "little") + len(content).to_bytes(8, "little")
    return b"\x0a" * 16 + sizes + name + content


def test_a_variable_is_read_if_its_lengths_are_those_of_its_data():
    whole = _variable(_utf16("db"), b"content")
    assert event_data.parse_variable(whole) == UefiVariable(b"\x0a" * 16, "db", b"content")
    assert event_data.parse_variable(_variable(b"", b"")) == UefiVariable(b"\x0a" * 16, "", b"")
    assert event_data.parse_variable(whole[:-1]) is None
    assert event_data.parse_variable(whole + b"\0") is None
    assert event_data.parse_variable(_variable(b"\0\xd8", b"x")) is None
