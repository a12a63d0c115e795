"""What a user may see of each HTTP request: never its query, headers or body.

A query may hold a signature (SAS), a header or a body a token. Of the response only the status and
Azure's two ids are kept, if they are plain words.
"""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# Microsoft Learn, "Azure REST API reference": the ids that Azure's support asks for.
_CORRELATION, _REQUEST = "x-ms-correlation-request-id", "x-ms-request-id"
_PLAIN_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
# After these the same request is sent again; without a response (None), too.
_PASSING = frozenset({None, 401, 408, 409, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class SentRequest:
    """One request that was sent.

    Args:
        at: When it was sent, in Unix time.
        method: The HTTP method.
        host: The host.
        path: The path of the URL, without the query.
        status: The HTTP status; None if there was no response.
        milliseconds: The time until the response began.
        retry: How many times in a row the same request had failed in passing before.
        correlation_id: Azure's id of the operation that the request belongs to.
        request_id: The id of the request at the service.
        error: The class of the exception, if there was no response.
    """

    at: float
    method: str
    host: str
    path: str
    status: int | None
    milliseconds: int
    retry: int
    correlation_id: str | None = None
    request_id: str | None = None
    error: str | None = None


Listener = Callable[[SentRequest], None]


@dataclass(slots=True)
class RequestLog:
    """Tells a listener of each request of one back end's clients; thread-safe.

    now: the time. listener: None as long as nobody wants to know.
    """

    now: Callable[[], float]
    listener: Listener | None = None
    _failures: dict[tuple[str, str], int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(
        self,
        method: str,
        url: str,
        began: float,
        status: int | None,
        headers: Mapping[str, str],
        error: str | None = None,
    ) -> None:
        """Tell the listener of a request to `url` that began then."""
        if self.listener is None:
            return
        parts = urlsplit(url)
        sent = SentRequest(
            at=began,
            method=method,
            host=parts.hostname or "",
            path=parts.path,
            status=status,
            milliseconds=round((self.now() - began) * 1000),
            retry=self._count_failures(method, url, status),
            correlation_id=_plain_id(headers, _CORRELATION),
            request_id=_plain_id(headers, _REQUEST),
            error=error,
        )
        self.listener(sent)

    def _count_failures(self, method: str, url: str, status: int | None) -> int:
        """How often the same request failed in a row before; counts this one."""
        with self._lock:
            before = self._failures.pop((method, url), 0)
            if status in _PASSING:
                self._failures[method, url] = before + 1
            return before


def correlation_id(headers: Mapping[str, str]) -> str | None:
    """The id by which Azure's support finds what the response belongs to; None without one."""
    return _plain_id(headers, _CORRELATION) or _plain_id(headers, _REQUEST)


def _plain_id(headers: Mapping[str, str], name: str) -> str | None:
    text = headers.get(name) or ""
    return text if _PLAIN_ID.fullmatch(text) else None
