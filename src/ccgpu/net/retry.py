"""Delays before retries and polls.

Pure functions: the scheduler waits, and the command's deadline limits each delay. A `Retry-After`
of any length is honoured, because ARM refuses a request that comes before it has elapsed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# ARM allows 15 status polls a minute (compute-throttling-limits); one in 5 s stays below that.
MIN_POLL_DELAY = 5.0
# For a poll without `Retry-After`, and for a read of a VM that is awaited: 8 a minute, of 12 that
# are refilled for each VM (compute-throttling-limits, "low-cost Get").
MAX_POLL_DELAY = 7.5
_MAX_REREAD_DELAY = 30.0
_FIRST_RETRY_DELAY = 2.0
_MAX_RETRY_DELAY = 60.0


def retry_delay(attempt: int, after: float | None, jitter: float = 1.0) -> float:
    """Seconds before the retry after the `attempt`-th failure (from 1).

    The delay doubles with each attempt, and is at least `after`, the service's `Retry-After`.
    `jitter`: from 0, for half of the delay, to 1: requests that failed together are spread.
    """
    backoff: float = min(_FIRST_RETRY_DELAY * 2.0 ** min(attempt - 1, 10), _MAX_RETRY_DELAY)
    backoff *= (1.0 + jitter) / 2.0
    return max(backoff, after) if after is not None else backoff


def poll_delay(polls: int, after: float | None) -> float:
    """Seconds before the next poll: the service's `Retry-After`, else growing with `polls`."""
    if after is not None:
        return max(after, 1.0)
    return min(reread_delay(polls), MAX_POLL_DELAY)


def reread_delay(reads: int) -> float:
    """Seconds before another read of what a replica of ARM may not show yet, growing to 30 s."""
    growing: float = min(MIN_POLL_DELAY * 1.5 ** min(reads, 10), _MAX_REREAD_DELAY)
    return growing


def retry_after(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds: a number, or a date relative to the response's own `Date`.

    None if there is none, or if it cannot be parsed: negative, not a number, or a date in a
    response without a `Date`.
    """
    text = (headers.get("Retry-After") or "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, headers.get("Date"))
    return seconds if 0 <= seconds < float("inf") else None


def _seconds_until(text: str, now: str | None) -> float:
    try:
        then, base = parsedate_to_datetime(text), parsedate_to_datetime(now or "")
    except (ValueError, OverflowError):
        return -1.0
    return (_as_utc(then) - _as_utc(base)).total_seconds()


def _as_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
