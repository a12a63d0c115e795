"""Answers for scripts: bare scalars, and tab-separated values that can be split again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.views.query_result import as_json, as_tsv

_SCALARS = st.none() | st.booleans() | st.integers() | st.text()
_UNESCAPED = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("a\tb", "a\tb"),
        (None, ""),
        (True, "true"),
        (9, "9"),
        (1.5, "1.5"),
        ([], ""),
        ({}, ""),
        (["a", None, 2], "a\t\t2"),
        ({"name": "demo", "zone": None}, "demo\t"),
        ([["a", 1], ["b", 2]], "a\t1\nb\t2"),
        ([{"n": "a", "s": "ready"}, "odd"], "a\tready\nodd"),
        (["a\tb", "c\nd", "e\\f"], "a\\tb\tc\\nd\te\\\\f"),
        ([{"n": "a", "tags": {"x": [1]}}], 'a\t{"x":[1]}'),
        ({"schema": "ccgpu.list/1", "deployments": [{"name": "a"}, {"name": "b"}]}, "a\nb"),
        ({"schema": "ccgpu.list/1", "deployments": []}, ""),
        ({"schema": "ccgpu.show/1", "name": "a", "x": [], "y": []}, "ccgpu.show/1\ta\t[]\t[]"),
        ({"deployments": ["a"]}, '["a"]'),
    ],
)
def test_values_are_shown_as_a_shell_reads_them(value, shown):
    assert as_tsv(value) == (f"{shown}\n" if shown or value is None else "")


@pytest.mark.slow
@given(st.lists(st.lists(_SCALARS, min_size=2), min_size=1))
def test_rows_can_be_split_again(rows):
    *lines, end = as_tsv(rows).split("\n")
    assert not end
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        cells = line.split("\t")
        texts = ["" if c is None else c if isinstance(c, str) else json.dumps(c) for c in row]
        assert [_unescape(cell) for cell in cells] == texts


def _unescape(cell):
    parts = iter(cell)
    return "".join(_UNESCAPED[next(parts)] if c == "\\" else c for c in parts)


def test_a_text_is_quoted_in_json_alone():
    assert as_json("a") == '"a"'
    assert as_json("a", bare=True) == "a"
    assert as_json(["a"], bare=True, indent=None) == '["a"]'
    assert as_json(None, bare=True) == "null"
