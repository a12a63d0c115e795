"""What may be concluded from checks: only if some were made, all hold, and so do all needs."""

from datetime import UTC, datetime

import pytest

from ccgpu.attest.check import Checks, Malformed, Rule, Unverified, Verified

RULE = Rule("a.rule", "what holds", "RFC 0, 1")
OTHER = Rule("b.rule", "what else holds", "RFC 0, 2")


class _Digest(bytes):
    """A kind of bytes."""


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


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("text", "text"),
        ("", ""),
        (7, "7"),
        (-1, "-1"),
        (True, "true"),
        (False, "false"),
        (None, "absent"),
        (_Digest(b"\x01"), "01"),
        (b"\x0a\xff", "0aff"),
        (b"", "(empty)"),
        (datetime(2026, 11, 22, 12, 0, 7, 999, tzinfo=UTC), "2026-11-22T12:00:07Z"),
        ((), "none"),
        ([], "none"),
        ((b"\x01", None, True, (2, "x")), "01, absent, true, 2, x"),
        (["a"], "a"),
        (1.5, "1.5"),
        ({"a": 1}, "{'a': 1}"),
    ],
)
def test_both_sides_of_a_check_are_texts_that_tell_what_they_are(value, shown):
    checks = Checks()
    checks.record(RULE, True, value, "right")
    checks.record(RULE, True, "left", value)
    checks.record_equal(RULE, value, value)

    assert [(made.expected, made.actual) for made in checks.made] == [
        (shown, "right"),
        ("left", shown),
        (shown, shown),
    ]
    assert all(type(side) is str for made in checks.made for side in (made.expected, made.actual))


def test_a_parse_that_succeeds_shows_what_was_to_be_parsed():
    checks = Checks()
    checks.parse(RULE, bytes.hex, b"\x01", "a number")

    (made,) = checks.made
    assert (made.ok, made.expected, made.actual) == (True, "a number", "a number")


def test_a_malformed_value_is_told_in_one_line_of_text():
    said = Malformed(RULE, (1, None), b"\x01")
    hostile = Malformed(RULE, "a\nb", "\x1b[2J\u202e")

    assert str(said) == "what holds: expected 1, absent, found 01"
    assert (said.rule, said.expected, said.actual) == (RULE, (1, None), b"\x01")
    assert str(hostile) == "what holds: expected a\\x0ab, found \\x1b[2J\\u202e"
