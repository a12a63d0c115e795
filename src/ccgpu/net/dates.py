"""The server's time: the `Date` of its responses (RFC 9110, section 6.6.1).

This machine's clock may be wrong by hours, so the end of a lease must not depend on it.
"""

from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy

# A header of each response of Azure Resource Manager (Microsoft Learn, "Azure REST API reference").
# The response of a proxy, with the `Date` of another clock, does not have it.
_ARM_HEADER = "x-ms-correlation-request-id"


class ServerDate(SansIOHTTPPolicy[Any, Any]):
    """A policy that keeps the `Date` of ARM's latest response until it is taken."""

    def __init__(self) -> None:
        self._latest: float | None = None

    def on_response(self, _: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        """Keep the response's `Date`, if it is ARM's and can be parsed."""
        headers = response.http_response.headers
        if _ARM_HEADER in headers and (moment := http_date(headers.get("Date", ""))) is not None:
            self._latest = moment

    def take(self) -> float | None:
        """The time of the latest response. A second call returns None, because time has passed."""
        latest, self._latest = self._latest, None
        return latest


def http_date(text: str) -> float | None:
    """Unix time of an HTTP date; None if it cannot be parsed or has no time zone."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment.timestamp() if moment.tzinfo else None
