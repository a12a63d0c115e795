"""What time it is at the server: the `Date` of its answers (RFC 9110, section 6.6.1).

This machine's clock may be wrong by hours, and whether a lease is over must not depend on it.
"""

from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy

# Azure Resource Manager gives one to each of its answers (Microsoft Learn, "Azure REST API
# reference"); a proxy that answers in its place, by a clock of its own, does not.
_ARMS_OWN = "x-ms-correlation-request-id"


class ServerDate(SansIOHTTPPolicy[Any, Any]):
    """Keeps the time of the latest answer that was the server's own, until it is taken."""

    def __init__(self) -> None:
        self._latest: float | None = None

    def on_response(self, _: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        """Keep the answer's time, where it has one that can be read."""
        headers = response.http_response.headers
        if _ARMS_OWN in headers and (moment := http_date(headers.get("Date", ""))) is not None:
            self._latest = moment

    def take(self) -> float | None:
        """The time of the latest answer, once: a while later it is no longer the time."""
        latest, self._latest = self._latest, None
        return latest


def http_date(text: str) -> float | None:
    """Unix time of an HTTP date; None where there is none, or none that names its zone."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment.timestamp() if moment.tzinfo else None
