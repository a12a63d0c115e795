"""Laws of merging, and `--set`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.errors import InvalidFile, UsageProblem
from ccgpu.store.assignments import assign
from ccgpu.store.layers import Layer, Place, merge, overlay

_keys = st.sampled_from(["a", "b", "c"])
_values = st.recursive(
    st.integers(0, 9) | st.none() | st.lists(st.integers(0, 9), max_size=2),
    lambda inner: st.dictionaries(_keys, inner, max_size=3),
    max_leaves=6,
)
_mappings = st.dictionaries(_keys, _values, max_size=3)


def _layer(values, source, path=()):
    places = {}
    for key, value in values.items():
        places[(*path, key)] = Place(source)
        if isinstance(value, dict):
            places |= _layer(value, source, (*path, key)).places
    return Layer(values, places)


def _leaves(values, path=()):
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


@given(_mappings)
def test_merging_with_an_empty_layer_changes_nothing(values):
    assert merge(values, {}) == values
    assert merge({}, values) == values
    assert merge(values, values) == values


@given(_mappings, _mappings)
def test_values_of_the_upper_layer_win(base, over):
    found = dict(_leaves(merge(base, over)))
    assert dict(_leaves(over)).items() <= found.items() or any(v == {} for v in over.values())
    for path, value in _leaves(over):
        assert found[path] == value


@given(_mappings, _mappings)
def test_merging_changes_neither_side(base, over):
    before = repr((base, over))
    merge(base, over)
    assert repr((base, over)) == before


@given(_mappings, _mappings)
def test_every_leaf_has_the_place_of_its_layer(base, over):
    result = overlay(_layer(base, "base"), _layer(over, "over"))
    above = dict(_leaves(over))
    for path, _ in _leaves(result.values):
        expected = "over" if path in above else "base"
        assert result.places[path] == Place(expected)


@pytest.mark.parametrize(
    ("base", "assignment", "values"),
    [
        ({}, "zone=1", {"zone": "1"}),
        ({}, " zone = 1 ", {"zone": "1"}),
        ({}, "ttl=", {"ttl": None}),
        ({}, "ttl=~", {"ttl": None}),
        ({}, "os_disk.size_gib=64", {"os_disk": {"size_gib": "64"}}),
        ({"d": {"a": "x"}}, "d.b=64", {"d": {"a": "x", "b": "64"}}),
        ({}, "regions=[a, b]", {"regions": ["a", "b"]}),
        ({}, "tags={a: 'b c'}", {"tags": {"a": "b c"}}),
        ({}, "tags.app.example/x=a=b", {"tags": {"app.example/x": "a=b"}}),
        ({}, "tags.a=x #y: z", {"tags": {"a": "x #y: z"}}),
        ({}, "tags.a='null'", {"tags": {"a": "null"}}),
        ({}, "tags=x", {"tags": "x"}),
        ({}, "tags.1=x", {"tags": {"1": "x"}}),
        ({}, "data_disks.0.size_gib=8", {"data_disks": [{"size_gib": "8"}]}),
        ({"data_disks": None}, "data_disks.0=8", {"data_disks": ["8"]}),
        ({"r": ["a", "b"]}, "r.1=c", {"r": ["a", "c"]}),
        ({"r": ["a", "b"]}, "r.2=c", {"r": ["a", "b", "c"]}),
        ({"d": [{"a": 1}, {"b": 2}]}, "d.0.b=3", {"d": [{"a": 1, "b": "3"}, {"b": 2}]}),
        ({"size": "x"}, "size=y", {"size": "y"}),
    ],
)  # fmt: skip
def test_set_puts_one_value_at_its_path(base, assignment, values):
    before = repr(base)
    result = assign(Layer(base), assignment)
    assert result.values == values
    assert repr(base) == before


@pytest.mark.parametrize(
    ("base", "assignment", "fragment"),
    [
        ({"size": "x"}, "size.a=1", "size is one value"),
        ({"os_disk": {"type": "x"}}, "os_disk.type.a=1", "os_disk.type is one value"),
        ({"r": ["a"]}, "r.x=1", "r is a list, give an index such as r.0"),
        ({"r": ["a"]}, "r.3=1", "r has 1 entries, the next is 1"),
        ({}, "=1", "is not a field path"),
        ({}, "a..b=1", "is not a field path"),
        ({}, ".a=1", "is not a field path"),
        ({}, "a={b: 1, b: 2}", "is a duplicate"),
        ({}, "a=[", "is not YAML"),
        ({}, "a='x' y", "is not YAML"),
        ({}, f"a.{'9' * 5000}.{'9' * 4}=1", "has 0 entries"),
        ({}, "a=[*x]", "anchors and aliases"),
    ],
)
def test_an_invalid_set_has_a_reason(base, assignment, fragment):
    with pytest.raises(InvalidFile) as caught:
        assign(Layer(base), assignment)
    assert caught.value.source.startswith("--set")
    assert all(problem.line is None for problem in caught.value.problems)
    assert fragment in str(caught.value)


def test_set_without_equals_is_a_usage_error():
    with pytest.raises(UsageProblem, match="KEY=VALUE"):
        assign(Layer(), "zone")


def test_the_place_of_a_set_value_and_its_fields_is_the_option():
    base = Layer({"tags": {"a": 1}, "b": 1}, {("tags", "a"): Place("f", 1, 1), ("b",): Place("f")})
    result = assign(base, "tags={a: c}")
    assert result.place(("tags", "a")) == Place("--set tags")
    assert result.place(("b",)) == Place("f")
    assert result.place(("nowhere",)) is None


@given(st.text())
def test_any_set_option_is_applied_or_refused(text):
    try:
        assert assign(Layer(), text).values
    except (InvalidFile, UsageProblem):
        return
