"""Choose the next source of one item of collateral, and the time of the next request.

The last source is the vendor's own. An unreachable mirror is not used again in the same run,
because each request would wait for its connection timeout.
"""

from collections.abc import Callable

from ccgpu.net.fetch import HttpRequestSpec, NoAnswer
from ccgpu.net.retry import retry_delay


class Attempts:
    """When each source is due, in order of preference, and why the last request to it failed."""

    def __init__(
        self,
        requests: tuple[HttpRequestSpec, ...],
        unreachable: set[str],
        now: float,
        jitter: Callable[[], float],
    ) -> None:
        self._jitter = jitter
        self._vendor = requests[-1]
        self._unreachable = unreachable
        self._reasons: dict[str, str] = {}
        self._failures = dict.fromkeys(requests, 0)
        self.due = {
            each: now for each in requests if each is self._vendor or each.host not in unreachable
        }

    def next(self) -> HttpRequestSpec | None:
        """The request with the earliest due time; None if no source is left."""
        return min(self.due, key=lambda request: self.due[request], default=None)

    def record_failure(self, request: HttpRequestSpec, err: NoAnswer, now: float) -> bool:
        """Schedule a retry, or drop the source. Returns whether a retry is scheduled."""
        self._failures[request] += 1
        mirror_unreachable = err.unreachable and request is not self._vendor
        if mirror_unreachable:
            self._unreachable.add(request.host)
        if mirror_unreachable or not err.transient:
            self.drop(request, str(err))
            return False
        self._reasons[request.host] = str(err)
        self.due[request] = now + retry_delay(
            self._failures[request], err.retry_after, self._jitter()
        )
        return True

    def drop(self, request: HttpRequestSpec, reason: str) -> None:
        """Remove a source, with the reason."""
        self._reasons[request.host] = reason
        del self.due[request]

    def reasons(self) -> tuple[str, ...]:
        """The last failure of each source, with its host."""
        return tuple(f"{host} {reason}" for host, reason in self._reasons.items())
