"""What a policy answers: letter by letter, and absent is not met."""

import pytest
from hypothesis import given

from ccgpu.domain.release_answer import TokenClaims, explain, is_equal
from ccgpu.domain.release_policy import (
    AuthorityConditions,
    ClaimCondition,
    ConditionGroup,
    ReleasePolicy,
)
from unit.domain.test_release_policy import POLICIES

_ISSUER = "https://sharedweu.weu.attest.azure.net"
_YES, _NO, _ABSENT = (ClaimCondition(*pair) for pair in (("yes", True), ("yes", False), ("x", 1)))


def _policy(*conditions, word="allOf", authority=_ISSUER):
    group = ConditionGroup(word, conditions)
    return ReleasePolicy((AuthorityConditions(authority, group),))


def _answer(policy, *, complete=True, **claims):
    return explain(policy, TokenClaims({"iss": _ISSUER, "yes": True, **claims}, complete))


@pytest.mark.parametrize(
    ("word", "conditions", "met"),
    [
        ("allOf", (_YES,), True),
        ("allOf", (_YES, _NO), False),
        ("allOf", (_YES, _ABSENT), False),
        ("anyOf", (_NO, _YES), True),
        ("anyOf", (_NO, _ABSENT), False),
        ("allOf", (_YES, ConditionGroup("anyOf", (_NO, _YES))), True),
        ("anyOf", (_NO, ConditionGroup("allOf", (_NO, _YES))), False),
    ],
)
def test_any_and_all(word, conditions, met):
    assert _answer(_policy(*conditions, word=word)).met is met


@pytest.mark.parametrize(
    ("word", "conditions", "met"),
    [
        ("allOf", (_YES, _ABSENT), None),
        ("allOf", (_NO, _ABSENT), False),
        ("anyOf", (_YES, _ABSENT), True),
        ("anyOf", (_NO, _ABSENT), None),
    ],
)
def test_a_claim_that_is_not_known_is_neither_yes_nor_no(word, conditions, met):
    assert _answer(_policy(*conditions, word=word), complete=False).met is met


@pytest.mark.slow
@given(POLICIES)
def test_knowing_all_claims_never_turns_a_no_into_a_yes(policy):
    claims = {"iss": policy.authorities[0].authority}
    guess = explain(policy, TokenClaims(claims, complete=False)).met
    sure = explain(policy, TokenClaims(claims)).met
    assert sure is not None
    assert guess in (None, sure)


def test_another_issuer_is_refused_but_for_a_slash_at_the_end():
    assert _answer(_policy(_YES, authority=f"{_ISSUER}/")).met is True
    assert _answer(_policy(_YES, authority=_ISSUER.replace("weu", "neu"))).met is False
    assert explain(_policy(_YES), TokenClaims({"yes": True})).met is False


def test_one_authority_of_several_suffices():
    one, other = _policy(_YES, authority="https://b"), _policy(_YES)
    both = ReleasePolicy((*one.authorities, *other.authorities))
    answer = _answer(both)
    assert answer.met is True
    assert [(each.is_issuer, each.met) for each in answer.authorities] == [
        (False, False),
        (True, True),
    ]


@pytest.mark.parametrize(
    ("expected", "actual", "equal"),
    [
        (True, True, True),
        (True, 1, False),
        (1, True, False),
        (0, False, False),
        (1, 1.0, True),
        (1, 2, False),
        ("1", 1, False),
        (1, "1", False),
        ("a", "a", True),
        ("a", "A", False),
        ("true", True, False),
        (1, [1], False),
        (1, None, False),
        ("a", {"a": 1}, False),
    ],
)
def test_values_are_equal_if_they_are_so_in_json(expected, actual, equal):
    assert is_equal(expected, actual) is equal


def test_names_joined_by_dots_lead_into_objects_alone():
    condition = ClaimCondition("a.b.c", "x")
    assert _answer(_policy(condition), a={"b": {"c": "x"}}).met is True
    assert _answer(_policy(condition), a=[{"b": {"c": "x"}}]).met is False
    assert _answer(_policy(condition), **{"a.b.c": "x"}).met is False


@pytest.mark.parametrize(
    ("claim", "expected", "claims", "hint"),
    [
        ("c", "x", {"x-ms-isolation-tee": {"c": "x"}}, "which names it x-ms-isolation-tee.c"),
        ("x-ms-isolation-tee.c", "x", {"c": "x"}, "a platform's token, which names it c"),
        ("c", "x", {}, None),
        ("x-ms-isolation-tee.c", "x", {}, None),
        ("c", "AB", {"c": "ab"}, "only upper and lower case differ"),
        ("c", "AB", {"c": "x"}, None),
        ("c", "true", {"c": True}, "without quotes"),
        ("c", "x", {"c": [1]}, "cannot be compared"),
        ("c", 1, {"c": 2}, None),
    ],
)
def test_likely_mistakes_are_named(claim, expected, claims, hint):
    answer = _answer(_policy(ClaimCondition(claim, expected)), **claims)
    ((clause,),) = [each.clauses for each in answer.authorities]
    assert clause.met is False
    assert (clause.hint is None) if hint is None else (hint in (clause.hint or ""))
    assert (clause.path, clause.claim) == ("anyOf[0].allOf[0]", claim)


def test_a_wrong_prefix_is_a_no_even_if_not_all_claims_are_known():
    policy = _policy(ClaimCondition("c", "x"))
    found = explain(policy, TokenClaims({"iss": _ISSUER, "x-ms-isolation-tee": {"c": "x"}}, False))
    assert found.met is False
