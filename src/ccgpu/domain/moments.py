"""Times that come from outside: from options, and from files of others."""

from datetime import UTC, datetime

# The years of such a time: before there is no evidence, and to a later one nothing can be added.
_FIRST, _LAST = 1970, 9000


def in_utc(moment: datetime) -> datetime:
    """A time with a zone in UTC; raises `ValueError` if it is far from any time of use."""
    if not _FIRST <= moment.year < _LAST:
        raise ValueError(f"must be a time between {_FIRST} and {_LAST}")
    return moment.astimezone(UTC)
