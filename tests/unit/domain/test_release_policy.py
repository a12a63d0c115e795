"""Release policies: what is one, and that writing and reading are inverse."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain import release_policy
from ccgpu.domain.release_policy import (
    AuthorityConditions,
    ClaimCondition,
    ConditionGroup,
    InvalidReleasePolicy,
    ReleasePolicy,
)

_CLAIM = {"claim": "a", "equals": 1}
_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=8)
_VALUES = st.one_of(_TEXTS, st.booleans(), st.integers(-9, 9), st.floats(-9, 9))
_CONDITIONS = st.recursive(
    st.builds(ClaimCondition, _TEXTS, _VALUES),
    lambda inner: st.builds(
        ConditionGroup,
        st.sampled_from(["anyOf", "allOf"]),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
    ),
    max_leaves=6,
)
POLICIES = st.builds(
    ReleasePolicy,
    st.lists(
        st.builds(
            AuthorityConditions,
            _TEXTS,
            st.builds(
                ConditionGroup,
                st.sampled_from(["anyOf", "allOf"]),
                st.lists(_CONDITIONS, min_size=1, max_size=3).map(tuple),
            ),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
)


@given(POLICIES)
def test_a_policy_that_was_written_is_read_again(policy):
    assert release_policy.parse(release_policy.encode(policy)) == policy


def _policy(condition=None, **changes):
    group = {"allOf": [_CLAIM if condition is None else condition]}
    return {"version": "1.0.0", "anyOf": [{"authority": "https://a", **group, **changes}]}


def _nested(depth):
    condition = _CLAIM
    for _ in range(depth):
        condition = {"anyOf": [condition]}
    return condition


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ([], "", "must be an object"),
        ({"anyOf": []}, "version", '"1.0.0"'),
        ({"version": "2.0.0", "anyOf": [1]}, "version", '"1.0.0"'),
        ({"version": "1.0.0"}, "anyOf", "at least one"),
        ({"version": "1.0.0", "anyOf": []}, "anyOf", "at least one"),
        ({"version": "1.0.0", "allOf": []}, "", "'allOf' is not known"),
        ({"version": "1.0.0", "anyOf": [1]}, "anyOf[0]", "must be an object"),
        (_policy(authority=""), "anyOf[0].authority", "address of an authority"),
        (_policy(authority=7), "anyOf[0].authority", "address of an authority"),
        (_policy(anyOf=[_CLAIM]), "anyOf[0]", "either anyOf or allOf"),
        (_policy({}), "anyOf[0].allOf[0]", "either anyOf or allOf"),
        (_policy({"claim": "a"}), "anyOf[0].allOf[0].equals", "a text, a number"),
        (_policy({"equals": 1}), "anyOf[0].allOf[0].claim", "the name of a claim"),
        (_policy({"claim": "a", "greater": 1}), "anyOf[0].allOf[0]", "'greater' is not known"),
        (_policy({"claim": "a", "equals": [1]}), "anyOf[0].allOf[0].equals", "a text, a number"),
        (_policy({"claim": "a", "equals": None}), "anyOf[0].allOf[0].equals", "a text, a number"),
        (_policy({**_CLAIM, "anyOf": [_CLAIM]}), "anyOf[0].allOf[0]", "put it into the list"),
        (_policy({"anyOf": []}), "anyOf[0].allOf[0].anyOf", "at least one"),
        (_policy(_nested(17)), "anyOf[0].allOf[0]" + ".anyOf[0]" * 15, "nests more than 16"),
    ],
)
def test_what_is_no_policy_is_refused_with_its_place(document, path, words):
    with pytest.raises(InvalidReleasePolicy) as caught:
        release_policy.parse(json.dumps(document).encode())
    assert (caught.value.path, words in caught.value.message) == (path, True), caught.value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 60_000, "is not JSON"),
        (b'{"version": "1.0.0", "version": "1.0.0"}', "stands twice"),
        (b'{"version": NaN}', "NaN is no number"),
        (json.dumps(_policy()).encode().replace(b"1}", b"1e999}"), "a text, a number"),
        (b" " * 65537, "at most 65536"),
    ],
)
def test_a_text_that_two_readers_may_read_differently_is_refused(text, words):
    with pytest.raises(InvalidReleasePolicy) as caught:
        release_policy.parse(text)
    assert words in str(caught.value)


def test_nesting_within_the_limit_is_read():
    assert release_policy.parse(json.dumps(_policy(_nested(15))).encode()).authorities
