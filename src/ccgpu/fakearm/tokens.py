"""Access tokens of the simulated tenant: right form, no signature, own expiry.

Only a token with an expiry by the virtual clock can expire. Any other bearer token is accepted.
"""

import base64
import binascii
import itertools
import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ccgpu.fakearm import errors

_NO_SIGNATURE = "c2ltdWxhdGVk"  # base64: "simulated"
_numbers = itertools.count()


def make_token(claims: dict[str, Any]) -> str:
    """A token that differs from all others, like Entra's (`uti`). Clients decode all its parts."""
    parts = ({"alg": "none", "typ": "JWT"}, {**claims, "uti": str(next(_numbers))})
    return ".".join((*map(_encode_part, parts), _NO_SIGNATURE))


def check_authorization(authorization: str, now: float) -> None:
    """Refuse a missing or an expired bearer token."""
    kind, _, token = authorization.partition(" ")
    if kind != "Bearer" or not token:
        raise errors.unauthenticated()
    end = _expiry(token)
    if end is not None and now >= end:
        raise errors.token_expired(_us_time(end), _us_time(now))


@lru_cache(maxsize=64)
def _expiry(token: str) -> float | None:
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return None
    end = claims.get("exp") if isinstance(claims, dict) else None
    return float(end) if isinstance(end, int | float) else None


def _encode_part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _us_time(moment: float) -> str:
    """ARM's time format in this one text: 5/14/2023 1:02:03 PM."""
    at = datetime.fromtimestamp(moment, UTC)
    return f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at:%M:%S %p}"
