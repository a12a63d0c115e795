"""How long a verdict counts: valid texts, their lengths, and times at the bounds."""

from datetime import UTC, datetime, timedelta

import pytest

from ccgpu.domain.verdict_age import age_limit, check_max_age, counts_until, is_in_time

MADE = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("90m", timedelta(minutes=90)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("none", None),
    ],
)
def test_a_valid_text_is_a_length_or_no_limit(text, limit):
    assert check_max_age(text) == text
    assert age_limit(text) == limit
    assert counts_until(MADE, text) == (None if limit is None else MADE + limit)


@pytest.mark.parametrize(
    "text", ["", "0h", "24", "h", "1d12h", "24 h", "-1h", "24H", "24h\n", "\u0661h"]
)
def test_any_other_text_is_refused_with_what_to_write(text):
    with pytest.raises(ValueError, match="as in 90m, 24h or 7d, or none"):
        check_max_age(text)


@pytest.mark.parametrize(
    ("now", "counts"),
    [
        (MADE - SECOND, False),  # its age is unknown
        (MADE, True),
        (MADE + timedelta(hours=1) - SECOND, True),
        (MADE + timedelta(hours=1), False),
    ],
)
def test_a_verdict_counts_from_its_time_until_its_end(now, counts):
    assert is_in_time(MADE, "1h", now) is counts
    assert is_in_time(MADE, "none", now) is (now >= MADE)
