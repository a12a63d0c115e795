"""Keeps a command's requests below the token buckets of Azure Resource Manager.

ARM refuses a request with 429 if its bucket is empty. Each request is counted here as it is sent,
and the scheduler starts no further one while a bucket is almost empty. What ARM's headers say is
left counts, too: other clients take tokens from the same buckets.
"""

import threading
from collections.abc import Callable
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy

# Microsoft Learn, "Understand how Azure Resource Manager throttles requests": size of the bucket,
# and tokens a second, for each subscription, region and principal.
_BUCKETS = {"reads": (250.0, 25.0), "writes": (200.0, 10.0), "deletes": (200.0, 10.0)}
_BUCKET_OF = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}
# Tokens that stay: for the requests that the pool's threads have not sent yet, and for the pages of
# a list, of which the scheduler does not know.
_RESERVE = 16.0


class Pace(SansIOHTTPPolicy[Any, Any]):
    """A policy that counts requests, and says how long to wait before another; thread-safe.

    now: the time in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._tokens = {name: size for name, (size, _) in _BUCKETS.items()}
        self._at: float | None = None

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Take a token."""
        with self._lock:
            self._refill()
            self._tokens[_bucket_of(request.http_request.method)] -= 1.0

    def on_response(
        self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]
    ) -> None:
        """Learn from ARM how many tokens are left."""
        name = _bucket_of(request.http_request.method)
        left = response.http_response.headers.get(f"x-ms-ratelimit-remaining-subscription-{name}")
        if left is not None and left.isascii() and left.isdecimal():
            with self._lock:
                self._refill()
                self._tokens[name] = min(self._tokens[name], float(left))

    def delay(self) -> float:
        """The seconds until each bucket has enough tokens for another request."""
        with self._lock:
            self._refill()
            missing = {name: _RESERVE - tokens for name, tokens in self._tokens.items()}
        return max(0.0, *(tokens / _BUCKETS[name][1] for name, tokens in missing.items()))

    def _refill(self) -> None:
        now = self._now()
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        for name, (size, rate) in _BUCKETS.items():
            self._tokens[name] = min(size, self._tokens[name] + passed * rate)


def _bucket_of(method: str) -> str:
    return _BUCKET_OF.get(method, "writes")
