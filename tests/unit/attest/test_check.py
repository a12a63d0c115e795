"""What may be concluded from checks: only if some were made, all hold, and so do all needs."""

import pytest

from ccgpu.attest.check import Checks, Malformed, Rule, Unverified, Verified

RULE = Rule("a.rule", "what holds", "RFC 0, 1")
OTHER = Rule("b.rule", "what else holds", "RFC 0, 2")


def test_a_value_is_verified_by_the_checks_since_its_checkpoint():
    checks = Checks()
    checks.record(OTHER, False, 1, 2)  # of another value
    since = checks.checkpoint()
    checks.record(RULE, True, 1, 1)

    assert checks.conclude("value", since) == Verified("value")
    assert checks.conclude("value", 0) == Unverified("value")


def test_a_value_without_checks_is_unverified():
    checks = Checks()
    assert checks.conclude("value", checks.checkpoint()) == Unverified("value")
    checks.record(RULE, True, 1, 1)
    assert checks.conclude("value", checks.checkpoint()) == Unverified("value")


@pytest.mark.parametrize(
    ("needs", "verified"),
    [
        ((), True),
        ((Verified(1),), True),
        ((Unverified(1),), False),
        ((Verified(1), Unverified(2)), False),
        ((Unverified(1), Verified(2)), False),
    ],
)
def test_values_derived_from_unverified_ones_are_unverified(needs, verified):
    checks = Checks()
    checks.record(RULE, True, 1, 1)
    assert isinstance(checks.conclude("value", 0, *needs), Verified) == verified


@pytest.mark.parametrize("ok", [False, None, 0, 1, "yes", [True]])
def test_only_true_passes_a_check(ok):
    checks = Checks()
    assert checks.record(RULE, ok, 1, 2) is False
    assert not checks.made[0].ok


def test_a_check_has_expected_and_actual_value_and_source():
    checks = Checks()
    checks.record_equal(RULE, b"\x01", b"")

    (made,) = checks.made
    assert (made.id, made.what, made.ok) == ("a.rule", "what holds", False)
    assert (made.expected, made.actual, made.source) == ("01", "(empty)", "RFC 0, 1")


def test_a_parse_error_fails_the_check_of_its_parser():
    def parse(data: bytes) -> int:
        if data != b"good":
            raise Malformed(OTHER, "good", data)
        return 7

    checks = Checks()
    assert checks.parse(RULE, parse, b"good", "a number") == 7
    assert checks.parse(RULE, parse, b"bad", "a number") is None
    assert [(made.id, made.ok) for made in checks.made] == [("a.rule", True), ("b.rule", False)]
    assert (checks.made[1].expected, checks.made[1].actual) == ("good", b"bad".hex())


@pytest.mark.parametrize("bad", range(6))
@pytest.mark.parametrize("since", range(6))
def test_only_failures_since_the_checkpoint_count(bad, since):
    checks, marks = Checks(), []
    for number in range(6):
        marks.append(checks.checkpoint())
        checks.record(RULE, number != bad, "this", number)

    assert isinstance(checks.conclude("value", marks[since]), Unverified) == (bad >= since)


def test_record_equal_shows_both_values():
    checks = Checks()
    checks.record_equal(RULE, 1, True)
    checks.record_equal(RULE, [1, 2], (1, 2))
    checks.record_equal(RULE, b"", b"")

    assert [(check.expected, check.actual) for check in checks.made] == [
        ("1", "true"),
        ("1, 2", "1, 2"),
        ("(empty)", "(empty)"),
    ]


@pytest.mark.parametrize("ok", [True, False])
def test_adopted_checks_count_like_recorded_ones(ok):
    other, checks = Checks(), Checks()
    other.record(RULE, ok, 1, 2)
    since = checks.checkpoint()
    checks.adopt(other)
    checks.record(OTHER, True, 1, 1)
    assert [made.id for made in checks.made] == ["a.rule", "b.rule"]
    assert isinstance(checks.conclude("value", since), Verified) is ok
