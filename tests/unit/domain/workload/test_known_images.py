"""Known images: pictures pass; black, noise, other seeds and other files do not."""

import base64
import json
import random
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.workload import png
from ccgpu.domain.workload.known_answers import CheckAnswer
from ccgpu.domain.workload.known_images import CAUSES, KnownImages
from support.png import make_png

_SIDE = 512
_CHECK = KnownImages(8500, "stabilityai/stable-diffusion-xl-base-1.0")


def _picture(shift=0):
    """A soft pattern, as pictures are."""
    rows = []
    for y in range(_SIDE):
        row = bytearray([0, 50, y // 4] * _SIDE)
        row[::3] = bytes((x // 3 + y // 5 + shift) % 200 for x in range(_SIDE))
        rows.append(bytes(row))
    return rows


_PICTURE, _OTHER = make_png(_picture()), make_png(_picture(60))
_BLACK = make_png([bytes(3 * _SIDE)] * _SIDE)
_NOISE = make_png([random.Random(y).randbytes(3 * _SIDE) for y in range(_SIDE)])


def _answer(image, status=200):
    body = {"data": [{"b64_json": base64.b64encode(image).decode()}]}
    return CheckAnswer(status, json.dumps(body).encode(), 3.0)


def test_requests_want_png_with_two_equal_seeds_and_another_one():
    asked = [each.body for each in _CHECK.requests()]
    assert [each["seed"] for each in asked] == [1, 1, 2]
    assert {each["size"] for each in asked} == {"512x512"}
    assert {each["response_format"] for each in asked} == {"b64_json"}
    assert {each.path for each in _CHECK.requests()} == {"/v1/images/generations"}


def test_pictures_pass():
    result = _CHECK.judge([_answer(_PICTURE), _answer(_PICTURE), _answer(_OTHER)])
    assert (result.is_good, result.problems, result.right) == (True, (), 3)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ((_BLACK, _BLACK, _BLACK), "of one colour"),
        ((_NOISE, _NOISE, _NOISE), "is noise"),
        ((_PICTURE, _OTHER, _OTHER), "one prompt and one seed differ"),
        ((_PICTURE, _PICTURE, _PICTURE), "different seeds are the same"),
    ],
    ids=["black", "noise", "seed-not-obeyed", "seed-ignored"],
)
def test_what_is_no_picture_fails_with_causes(images, words):
    result = _CHECK.judge([_answer(each) for each in images])
    assert not result.is_good
    assert any(words in problem for problem in result.problems)
    assert result.causes == CAUSES


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (CheckAnswer(0, b"", 0.0), "could not be reached"),
        (CheckAnswer(503, b"", 0.0), "answered 503"),
        (CheckAnswer(200, b"{}", 0.0), "with no image"),
        (CheckAnswer(200, b'{"data": [{"b64_json": "!"}]}', 0.0), "with no image"),
        (CheckAnswer(200, b'{"data": [{"b64_json": 5}]}', 0.0), "with no image"),
        (_answer(b"GIF89a"), "it is not PNG"),
        (_answer(make_png([bytes(24)] * 8)), "8 x 8 pixels"),
    ],
)
def test_what_cannot_be_read_is_told(answer, words):
    result = _CHECK.judge([answer, _answer(_PICTURE), _answer(_OTHER)])
    assert not result.is_good
    assert words in result.problems[0]
    assert "of 3 requests" in _CHECK.judge([answer]).problems[0]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("filters", [(0,), (1,), (2,), (3,), (4,), (4, 3, 2, 1, 0)])
def test_every_filter_is_undone(channels, filters):
    rows = [random.Random(y).randbytes(7 * channels) for y in range(6)]
    pixels = png.decode(make_png(rows, channels, filters=filters))
    assert pixels.rows == tuple(rows)
    assert pixels.luminance() == [list(row[::channels]) for row in rows]


_ROWS = [bytes(9)] * 3
_GOOD = make_png(_ROWS)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not PNG"),
        (_GOOD[:20], "no header"),
        (make_png(_ROWS, depth=16), "another format"),
        (make_png(_ROWS, colour=3), "another format"),
        (make_png(_ROWS, interlaced=1), "another format"),
        (make_png([b""] * 3), "0 x 3 pixels"),
        (make_png([bytes(3 * 2049)]), "2049 x 1 pixels"),
        (_GOOD.replace(b"IDAT", b"IDAX"), "fewer pixels"),
        (_GOOD[:-30] + bytes(30), "unpacked|fewer"),
    ],
)
def test_what_is_no_such_png_is_refused(data, why):
    with pytest.raises(ValueError, match=why):
        png.decode(data)


def test_an_unknown_filter_is_refused():
    raw = bytes([9]) + bytes(3)
    body = zlib.compress(raw)
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", body)]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(each)) + name + each + bytes(4) for name, each in chunks
    )
    with pytest.raises(ValueError, match="unknown filter"):
        png.decode(data)
    broken = data.replace(body, bytes(len(body)))
    with pytest.raises(ValueError, match="cannot be unpacked"):
        png.decode(broken)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data):
    with pytest.raises(ValueError, match="it"):
        png.decode(_GOOD[:33] + data)
