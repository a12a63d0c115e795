"""How long an accepted verdict counts: `max_age` of its policy, from the time of the verdict."""

import re
from datetime import datetime, timedelta

UNLIMITED = "none"
PATTERN = r"^(none|[1-9][0-9]{0,3}[mhd])$"
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def check_max_age(text: str) -> str:
    """Return a valid `max_age`; ValueError for any other text."""
    if not re.fullmatch(PATTERN, text, re.ASCII):
        raise ValueError(f"must be minutes, hours or days, as in 90m, 24h or 7d, or {UNLIMITED}")
    return text


def age_limit(max_age: str) -> timedelta | None:
    """The time that a valid `max_age` stands for; None for no limit."""
    return None if max_age == UNLIMITED else int(max_age[:-1]) * _UNITS[max_age[-1]]


def counts_until(made_at: datetime, max_age: str) -> datetime | None:
    """Until when a verdict of that time counts at most; None for no limit."""
    limit = age_limit(max_age)
    return None if limit is None else made_at + limit


def is_in_time(made_at: datetime, max_age: str, now: datetime) -> bool:
    """Whether a verdict counts by its age; one of the future never does, its age is unknown."""
    end = counts_until(made_at, max_age)
    return made_at <= now and (end is None or now < end)
