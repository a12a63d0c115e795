import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest import strict_json
from ccgpu.attest.check import Malformed

LIMIT = 64 * 1024

REFUSED = {
    b'{"a":1,"a":1}': "json.duplicate",
    b'{"a":{"b":1,"\\u0062":2}}': "json.duplicate",
    b'{"a":NaN}': "json.number",
    b'{"a":-Infinity}': "json.number",
    b'{"a":1e999}': "json.number",
    b'{"a":"\xff"}': "json.encoding",
    b'{"a":"\xed\xa0\x80"}': "json.encoding",
    b'{"a":["\\ud800"]}': "json.encoding",
    b'{"\\udfff":1}': "json.encoding",
    b'{"a":"\0"}': "json.nul",
    b'{"a":[{"b":"\\u0000"}]}': "json.nul",
    b'{"\\u0000":1}': "json.nul",
    b'{"a":' + b"[" * 32 + b"]" * 32 + b"}": "json.depth",
    b"[" * 60_000: "json.depth",
    b'{"a":1': "json.syntax",
    b'{"a":1}x': "json.syntax",
    b"\xef\xbb\xbf{}": "json.syntax",
    b'{"a":' + b"1" * 5000 + b"}": "json.syntax",
    b"": "json.syntax",
    b"[]": "json.object",
    b"1": "json.object",
    b"null": "json.object",
    b'{"a":"' + b"x" * LIMIT + b'"}': "json.size",
}


@pytest.mark.parametrize(("data", "id_"), REFUSED.items(), ids=range(len(REFUSED)))
def test_ambiguous_and_invalid_json_is_refused(data, id_):
    with pytest.raises(Malformed) as caught:
        strict_json.load(data, LIMIT)
    assert caught.value.rule.id == id_


def test_a_byte_order_mark_is_named():
    with pytest.raises(Malformed, match="Unexpected UTF-8 BOM"):
        strict_json.load(b"\xef\xbb\xbf{}", LIMIT)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a":[1,2.5,true,null,"x"]}', {"a": [1, 2.5, True, None, "x"]}),
        (b'{"a":' + b"[" * 31 + b"]" * 31 + b"}", None),
        (b'{"a":[' + b"[]," * 40 + b"{}]}", {"a": [[]] * 40 + [{}]}),
        (b'{"a":"\\ud83d\\ude00 \\\\u0000"}', {"a": "\U0001f600 \\u0000"}),
        (b'{"a":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\"[["}', None),
        (b" {} \n", {}),
    ],
)
def test_valid_json_is_parsed(data, value):
    loaded = strict_json.load(data, LIMIT)
    assert value is None or loaded == value


def test_the_limits_are_inclusive():
    assert strict_json.load(b'{"a":1}', 7) == {"a": 1}


@pytest.mark.parametrize(
    "data", [b'"' + b'\\"' * 500_000, b'{"a":"' + b"\\" * 999_999, b'"' * 10**6]
)
def test_hostile_strings_are_parsed_quickly(data):
    began = time.perf_counter()
    with pytest.raises(Malformed):
        strict_json.load(data, 10**7)
    assert time.perf_counter() - began < 5


@given(st.binary() | st.text().map(str.encode) | st.text('{}[]":,\\u01eE.aN-').map(str.encode))
def test_any_bytes_are_an_object_or_malformed(data):
    with contextlib.suppress(Malformed):
        assert isinstance(strict_json.load(data, LIMIT), dict)
