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
    began = time.process_time()
    with pytest.raises(Malformed):
        strict_json.load(data, 10**7)
    assert time.process_time() - began < 5


@given(st.binary() | st.text().map(str.encode) | st.text('{}[]":,\\u01eE.aN-').map(str.encode))
def test_any_bytes_are_an_object_or_malformed(data):
    with contextlib.suppress(Malformed):
        assert isinstance(strict_json.load(data, LIMIT), dict)


@pytest.mark.parametrize(
    ("data", "expected", "actual"),
    [
        (b'{"a":1}', "at most 6 bytes", "7 bytes"),
        (b'{"a":"\0"}', "no NUL", "NUL at byte 6"),
        (b'{"a":"\\u0000"}', "no NUL", "an escaped NUL"),
        (b'{"a":"\\ud800"}', "Unicode text", "half a surrogate pair"),
        (b'{"a":"\xff"}', "UTF-8", "byte 6: invalid start byte"),
        (b"[" * 33, "at most 32", 33),
        (b"[" * 32 + b"[" * 8 + b"]" * 40, "at most 32", 40),
        (b"[1]", "an object", "list"),
        (
            b'{"' + b"k" * 80 + b'":1,"' + b"k" * 80 + b'":1}',
            "every key once",
            f"'{'k' * 64}' twice",
        ),
        (b'{"\xc3\xa9":1,"\xc3\xa9":1}', "every key once", "'\\xe9' twice"),
        (b'{"a":NaN}', "a finite number", "NaN"),
        (b'{"a":' + b"9" * 400 + b".0}", "a finite number", "9" * 32),
        (b'{"a"', "JSON", "Expecting ':' delimiter: line 1 column 5 (char 4)"),
    ],
)
def test_refused_json_says_what_it_is_and_what_it_may_be(data, expected, actual):
    limit = 6 if expected == "at most 6 bytes" else LIMIT
    with pytest.raises(Malformed) as caught:
        strict_json.load(data, limit)
    assert (caught.value.expected, caught.value.actual) == (expected, actual)


def test_32_levels_are_counted_outside_of_strings_alone():
    strings = b'"' + b"[" * 40 + b'\\""'
    assert strict_json.load(b'{"a":' + b"[" * 31 + strings + b"]" * 31 + b"}", LIMIT)
    for other in (b'"}]"', b'"]}\\"]}"'):
        with pytest.raises(Malformed) as caught:
            strict_json.load(b'{"a":' + other.join([b"["] * 32) + b"]" * 32 + b"}", LIMIT)
        assert caught.value.actual == 33


def test_a_key_may_come_again_in_another_object():
    assert strict_json.load(b'{"a":{"a":[{"a":1},{"a":1}]}}', LIMIT) == {
        "a": {"a": [{"a": 1}, {"a": 1}]}
    }
