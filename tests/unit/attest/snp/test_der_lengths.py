"""DER's lengths and numbers at their edges (X.690, 8.1.3, 8.3.2, 8.19.2, 10.1)."""

import pytest

from ccgpu.attest.check import Malformed
from ccgpu.attest.snp import der


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x82", b"\x30\x82\x01"])
def test_an_element_that_ends_before_its_length_does_is_malformed(data):
    with pytest.raises(Malformed):
        der.Cursor(data).next(0x30)


@pytest.mark.parametrize(
    ("length", "size"),
    [("00", 0), ("7f", 127), ("8180", 128), ("81ff", 255), ("820100", 256), ("82ffff", 65535)],
)
def test_a_length_has_one_shortest_form(length, size):
    whole = b"\x30" + bytes.fromhex(length) + bytes(size)
    assert der.Cursor(whole).next(0x30) == (0x30, bytes(size), whole)


@pytest.mark.parametrize(
    ("length", "size"),
    [("80", 0), ("8100", 0), ("817f", 127), ("8200ff", 255), ("82007f", 127), ("83010000", 65536)],
)
def test_any_other_form_of_a_length_is_malformed(length, size):
    with pytest.raises(Malformed):
        der.Cursor(b"\x30" + bytes.fromhex(length) + bytes(size)).next(0x30)


@pytest.mark.parametrize(
    ("content", "number"),
    [
        ("00", 0),
        ("7f", 127),
        ("0080", 128),
        ("00ff", 255),
        ("", None),
        ("80", None),
        ("007f", None),
    ],
)
def test_an_integer_is_not_negative_and_in_its_shortest_form(content, number):
    if number is not None:
        assert der.integer(bytes.fromhex(content)) == number
    else:
        with pytest.raises(Malformed):
            der.integer(bytes.fromhex(content))
