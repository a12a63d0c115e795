"""Which source of one item to ask next, and when.

The last source is the vendor's own and is retried. An unreachable mirror is not asked again in the
same run: each request would wait for it anew.
"""

from ccgpu.net.fetch import HttpRequestSpec, NoAnswer
from ccgpu.net.retry import retry_delay


class Attempts:
    """When each source is due, in order of preference, and why the last request to it failed."""

    def __init__(
        self, requests: tuple[HttpRequestSpec, ...], unreachable: set[str], now: float
    ) -> None:
        self._vendor = requests[-1]
        self._unreachable = unreachable
        self._reasons: dict[str, str] = {}
        self._failures = dict.fromkeys(requests, 0)
        self.due = {
            each: now for each in requests if each is self._vendor or each.host not in unreachable
        }

    def next(self) -> HttpRequestSpec | None:
        """The request that is due first; None if no source is left."""
        return min(self.due, key=lambda request: self.due[request], default=None)

    def record_failure(self, request: HttpRequestSpec, err: NoAnswer, now: float) -> bool:
        """Schedule a retry, or drop the source. Returns whether it is retried."""
        self._failures[request] += 1
        mirror_unreachable = err.unreachable and request is not self._vendor
        if mirror_unreachable:
            self._unreachable.add(request.host)
        if mirror_unreachable or not err.transient:
            self.drop(request, str(err))
            return False
        self._reasons[request.host] = str(err)
        self.due[request] = now + retry_delay(self._failures[request], err.retry_after)
        return True

    def drop(self, request: HttpRequestSpec, reason: str) -> None:
        """Do not ask this source again."""
        self._reasons[request.host] = reason
        del self.due[request]

    def reasons(self) -> tuple[str, ...]:
        """The last failure of each source."""
        return tuple(f"{host} {reason}" for host, reason in self._reasons.items())
