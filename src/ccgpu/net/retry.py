"""How long to pause before a request is sent again.

Pure: the scheduler does the waiting, and the workflow's deadline has the last word. The longest
`Retry-After` is honoured in full, because ARM refuses a request that comes before it has elapsed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# ARM polls LRO status at 15 a minute at most (compute-throttling-limits); one in 5 s is below it.
MIN_POLL_DELAY = 5.0
# A poll without `Retry-After`: recorded VM operations ask for 30 s and more, network ones for 1 to
# 3 s; a pause that grows serves both, and finds the end soon after it has come.
MAX_POLL_DELAY = 30.0
_FIRST_RETRY_DELAY = 2.0
_MAX_RETRY_DELAY = 60.0


def retry_delay(attempt: int, wish: float | None) -> float:
    """Seconds before the retry after the `attempt`-th failure (from 1): doubling, or the wish."""
    backoff: float = min(_FIRST_RETRY_DELAY * 2.0 ** min(attempt - 1, 10), _MAX_RETRY_DELAY)
    return max(backoff, wish) if wish is not None else backoff


def poll_delay(polls: int, wish: float | None) -> float:
    """Seconds before the next poll, after so many: what the service asks for, else growing."""
    if wish is not None:
        return max(wish, 1.0)
    growing: float = min(MIN_POLL_DELAY * 1.5 ** min(polls, 10), MAX_POLL_DELAY)
    return growing


def retry_after(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds: a number, or a date relative to the answer's own `Date`.

    None where there is none, or none that can be read (negative, not a number, a date without
    a `Date` to compare it with).
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
