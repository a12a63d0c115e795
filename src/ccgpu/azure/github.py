"""Sign-in from GitHub Actions: a new assertion is fetched for each Entra token.

GitHub's assertions expire after five minutes, and Entra's tokens after an hour. An assertion from
the beginning of a job has expired when the job ends with `ccgpu delete` (Azure/login#180, #372:
AADSTS700024). The request token is sent only to the issuer's host, and never logged or shown.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from azure.core import PipelineClient
from azure.core.exceptions import AzureError, DecodeError
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse

from ccgpu.errors import NotSignedIn, SignInUnavailable
from ccgpu.net.pipeline import ForeignHost, pipeline
from ccgpu.net.request_log import RequestLog
from ccgpu.net.transport import network_transport

# Set by the runner in a job with `permissions: id-token: write` (GitHub Docs, "OpenID Connect").
_URL, _TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
# The audience of Entra's federated credentials (Microsoft Learn, "Workload identity federation").
_AUDIENCE = "api://AzureADTokenExchange"
_SECONDS = 20.0  # without data, after which the answer is given up
_DOING = "signing in from GitHub Actions"
_HINT = "the job needs `permissions: id-token: write`; run it again if GitHub was not reachable"


class Assertions:
    """Fetches an assertion each time it is called."""

    def __init__(
        self,
        url: str,
        token: str,
        transport: Callable[[], RequestsTransport] | None = None,
        log: RequestLog | None = None,
    ) -> None:
        self._url = url
        self._token = token
        self._transport = transport or network_transport
        self._log = log

    def __call__(self) -> str:
        """A new assertion; raises `NotSignedIn` if GitHub's issuer does not return one."""
        try:
            return _parse_assertion(self._send_request())
        except ForeignHost as err:
            raise _refused_error(f"{_URL} is no HTTPS address") from err
        except DecodeError as err:
            _require_success(err.status_code or 0)
            raise _refused_error("GitHub's issuer answered without an assertion") from err
        except AzureError as err:
            raise _unavailable_error("GitHub's issuer cannot be reached") from err

    def _send_request(self) -> HttpResponse:
        host = urlsplit(self._url).hostname or ""
        query = [*parse_qsl(urlsplit(self._url).query), ("audience", _AUDIENCE)]
        url = urlsplit(self._url)._replace(query=urlencode(query)).geturl()
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        client: PipelineClient[Any, Any] = PipelineClient(
            url, policies=pipeline([host], None, log=self._log), transport=self._transport()
        )
        with client:
            request = HttpRequest("GET", url, headers=headers)
            waits: Any = {"read_timeout": _SECONDS}
            answer: HttpResponse = client.send_request(request, **waits)
            answer.read()
            return answer


def assertion_source(
    environ: Mapping[str, str], log: RequestLog | None = None
) -> Assertions | None:
    """A source of assertions, in a job of GitHub Actions with `id-token: write`; else None."""
    url, token = environ.get(_URL), environ.get(_TOKEN)
    return Assertions(url, token, log=log) if url and token else None


def _parse_assertion(answer: HttpResponse) -> str:
    _require_success(answer.status_code)
    document = answer.json()
    assertion = document.get("value") if isinstance(document, dict) else None
    if not isinstance(assertion, str) or assertion.count(".") != 2:  # header.payload.signature
        raise _refused_error("GitHub's issuer answered without an assertion")
    return assertion


def _require_success(status: int) -> None:
    if status != 200:
        transient = status >= 500 or status == 429
        raise (_unavailable_error if transient else _refused_error)(
            f"GitHub's issuer answered {status}"
        )


def _refused_error(what: str) -> NotSignedIn:
    return NotSignedIn(f"{_DOING}: {what}", code="OidcRefused", hint=_HINT)


def _unavailable_error(what: str) -> SignInUnavailable:
    return SignInUnavailable(f"{_DOING}: {what}", code="OidcUnavailable", hint=_HINT)
