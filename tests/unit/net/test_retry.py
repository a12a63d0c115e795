"""Retry delays: at least Retry-After, and bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.net.retry import MAX_POLL_DELAY, MIN_POLL_DELAY, poll_delay, retry_after, retry_delay

_WISHES = st.none() | st.floats(0, 3600)
_COUNTS = st.integers(0, 10_000)


@given(st.integers(1, 10_000), _WISHES)
def test_a_retry_waits_at_least_retry_after(attempt, wish):
    seconds = retry_delay(attempt, wish)
    assert seconds >= 2.0
    assert seconds >= (wish or 0.0)
    assert seconds <= max(60.0, wish or 0.0)


@given(st.integers(1, 10_000), _WISHES)
def test_each_retry_waits_at_least_as_long_as_the_one_before(attempt, wish):
    assert retry_delay(attempt, wish) <= retry_delay(attempt + 1, wish)


@pytest.mark.parametrize(
    ("attempt", "wish", "seconds"),
    [
        *((1, None, 2), (2, None, 4), (5, None, 32), (6, None, 60), (99, None, 60)),
        *((1, 180.0, 180), (6, 1.0, 60), (1, 0.0, 2), (1, 3600.0, 3600)),
    ],
)
def test_retry_delays_double_up_to_a_minute(attempt, wish, seconds):
    assert retry_delay(attempt, wish) == seconds


@given(st.integers(1, 10_000), _WISHES, st.floats(0, 1))
def test_jitter_shortens_a_delay_by_half_at_most_and_never_below_retry_after(attempt, wish, jitter):
    whole, seconds = retry_delay(attempt, wish), retry_delay(attempt, wish, jitter)
    assert retry_delay(attempt, None) / 2 <= seconds <= whole
    assert seconds >= (wish or 0.0)


@given(_COUNTS)
def test_poll_delays_without_retry_after_grow_within_bounds(polls):
    assert (
        MIN_POLL_DELAY <= poll_delay(polls, None) <= poll_delay(polls + 1, None) <= MAX_POLL_DELAY
    )


@given(_COUNTS, st.floats(0, 3600))
def test_a_poll_waits_retry_after_and_at_least_the_minimum(polls, wish):
    assert poll_delay(polls, wish) == max(wish, 1.0)


@pytest.mark.parametrize(("polls", "seconds"), [(0, 5.0), (1, 7.5), (2, 7.5), (5, 7.5)])
def test_poll_delays_grow_by_half(polls, seconds):
    assert poll_delay(polls, None) == seconds


_DATE = "Fri, 02 Jan 2026 03:04:05 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"Retry-After": ""}, None, id="empty"),
        pytest.param({"Retry-After": "  "}, None, id="blank"),
        pytest.param({"Retry-After": "17"}, 17.0, id="seconds"),
        pytest.param({"Retry-After": " 17 "}, 17.0, id="seconds with blanks"),
        pytest.param({"Retry-After": "0"}, 0.0, id="at once"),
        pytest.param({"Retry-After": "0.5"}, 0.5, id="a fraction"),
        pytest.param({"Retry-After": "-1"}, None, id="before now"),
        pytest.param({"Retry-After": "soon"}, None, id="a word"),
        pytest.param({"Retry-After": "nan"}, None, id="no number"),
        pytest.param({"Retry-After": "inf"}, None, id="for ever"),
        pytest.param({"Retry-After": "1e999"}, None, id="too much"),
        pytest.param({"Retry-After": _DATE}, None, id="a date, and no now"),
        pytest.param({"Retry-After": _DATE, "Date": "today"}, None, id="a date, and a bad now"),
        pytest.param(
            {"Retry-After": _DATE.replace("2026", "9" * 20), "Date": _DATE}, None, id="a mad date"
        ),
        pytest.param(
            {"Retry-After": _DATE, "Date": "Fri, 02 Jan 2026 03:03:35 GMT"}, 30.0, id="a date"
        ),
        pytest.param(
            {"Retry-After": _DATE, "Date": "Fri, 02 Jan 2026 03:03:35 -0000"},
            30.0,
            id="a now without a zone",
        ),
        pytest.param(
            {"Retry-After": "Fri, 02 Jan 2026 04:04:05 +0100", "Date": _DATE}, 0.0, id="a zone"
        ),
        pytest.param(
            {"Retry-After": _DATE, "Date": "Fri, 02 Jan 2026 04:00:00 GMT"}, None, id="a past date"
        ),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_ignored(headers, seconds):
    assert retry_after(headers) == seconds


@given(st.text(), st.text())
def test_any_retry_after_header_is_parsed(wish, now):
    found = retry_after({"Retry-After": wish, "Date": now})
    assert found is None or 0 <= found < float("inf")
