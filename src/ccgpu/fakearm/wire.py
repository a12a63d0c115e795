"""Requests to the simulated ARM, and its responses.

What the fake does not know is a `FakeGap`, never a response.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from requests.structures import CaseInsensitiveDict

Body = dict[str, Any]


class FakeGap(AssertionError):
    """The fake does not know Azure's response."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __post_init__(self) -> None:
        if not isinstance(self.headers, CaseInsensitiveDict):
            object.__setattr__(self, "headers", CaseInsensitiveDict(self.headers))

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc.lower()

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.url).path)

    @property
    def query(self) -> dict[str, str]:
        return dict(_parse_query(self.url))

    @property
    def json(self) -> Any:
        """The body as JSON; None without one. Raises ValueError if it is not JSON."""
        return json.loads(self.body) if self.body else None


@lru_cache(maxsize=4096)
def _parse_query(url: str) -> tuple[tuple[str, str], ...]:
    return tuple(parse_qsl(urlsplit(url).query, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Response:
    """A status, a JSON value (or text or bytes, when the headers say so) and headers."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Fault = Callable[[Request], Response | None]
