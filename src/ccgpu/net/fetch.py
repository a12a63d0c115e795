"""Fetch a published file with one request, up to a size limit.

Redirects are followed only where a request says so, and only to the client's own hosts. Content is
not decompressed. Anything but a complete response with
status 200 is a `NoAnswer`, which says whether a retry may succeed. The caller does the retries.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

from azure.core import PipelineClient
from azure.core.exceptions import AzureError, ServiceResponseError
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse
from requests.exceptions import SSLError
from urllib3.exceptions import HTTPError

from ccgpu.net.pipeline import ForeignHost, pipeline
from ccgpu.net.request_log import RequestLog
from ccgpu.net.retry import retry_after
from ccgpu.net.transport import CONNECT, network_transport
from ccgpu.scheduling.durations import in_seconds

# The SDK logs warnings for errors that ccgpu reports itself (docs.python.org, Logging HOWTO).
logging.getLogger("azure").addHandler(logging.NullHandler())

# Seconds without data after which a response is given up. The files are small and static, so ARM's
# 75 s would be too long.
_READ = 20.0


@dataclass(frozen=True, slots=True)
class HttpRequestSpec:
    """One request: a GET or, with a `body`, a POST.

    limit: the maximum size of the response, in bytes. connect: seconds to wait for a connection.
    bearer: a token for the header `Authorization`. redirects: how many are followed at most.
    """

    url: str
    limit: int
    accept: str
    body: bytes | None = None
    content_type: str | None = None
    connect: float = CONNECT
    bearer: str | None = field(default=None, repr=False)
    redirects: int = 0

    @property
    def host(self) -> str:
        """The host of the URL."""
        return urlsplit(self.url).hostname or ""


class NoAnswer(Exception):
    """There is no response, or it cannot be used.

    transient: the same request may succeed later. retry_after: the delay in seconds that the
    service asks for. unreachable: the host could not be reached.
    """

    def __init__(
        self,
        reason: str,
        *,
        transient: bool = False,
        retry_after: float | None = None,
        unreachable: bool = False,
    ) -> None:
        super().__init__(reason)
        self.transient = transient
        self.retry_after = retry_after
        self.unreachable = unreachable


class Web:
    """Sends requests to the given hosts only; thread-safe.

    `transport`: None for the network; the fake and tests pass their own. `log`: is told of each
    request.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        transport: RequestsTransport | None = None,
        log: RequestLog | None = None,
    ) -> None:
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            "", policies=pipeline(hosts, None, log=log), transport=transport or network_transport()
        )

    def __enter__(self) -> Self:
        """Open the client, before several threads use it."""
        self._client.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.__exit__(kind, error, traceback)

    def get(self, request: HttpRequestSpec) -> bytes:
        """The body of the response; raises `NoAnswer` if there is none."""
        with _translating_errors():
            waits: Any = {"connection_timeout": request.connect, "read_timeout": _READ}
            answer = self._client.send_request(_make_request(request), stream=True, **waits)
            with answer:
                target = _redirect_target(request, answer)
                if target is None:
                    _require_usable(answer)
                    return _read_body(answer, request.limit)
        return self.get(target)


def _make_request(spec: HttpRequestSpec) -> HttpRequest:
    headers = {
        "Accept": spec.accept,
        "Accept-Encoding": "identity",
    }  # the limit holds for the content
    if spec.bearer is not None:
        headers["Authorization"] = f"Bearer {spec.bearer}"
    if spec.body is None:
        return HttpRequest("GET", spec.url, headers=headers)
    headers["Content-Type"] = spec.content_type or "application/octet-stream"
    return HttpRequest("POST", spec.url, headers=headers, content=spec.body)


def _redirect_target(request: HttpRequestSpec, answer: HttpResponse) -> HttpRequestSpec | None:
    """The request that a redirect leads to, if it is followed. The pipeline checks its host."""
    place = answer.headers.get("Location")
    if request.redirects == 0 or not 300 <= answer.status_code < 400 or place is None:
        return None
    return replace(request, url=urljoin(request.url, place), redirects=request.redirects - 1)


@contextmanager
def _translating_errors() -> Iterator[None]:
    """Translate every transport error into a `NoAnswer`."""
    try:
        yield
    except ForeignHost as err:
        raise NoAnswer(str(err)) from err
    except ServiceResponseError as err:
        raise NoAnswer("the answer broke off, or did not come in time", transient=True) from err
    except AzureError as err:
        reason = "no TLS connection" if _is_tls(err) else "cannot be reached"
        raise NoAnswer(reason, transient=True, unreachable=True) from err
    except (HTTPError, ValueError, OSError) as err:  # of the stream; malformed headers
        raise NoAnswer("the answer cannot be read to its end", transient=True) from err


def _is_tls(err: AzureError) -> bool:
    return isinstance(err.inner_exception, SSLError)


def _require_usable(answer: HttpResponse) -> None:
    """Raise `NoAnswer` unless the status is 200 and the content is not compressed."""
    status = answer.status_code
    if status == 404:
        raise NoAnswer("does not have it (404)")
    if 300 <= status < 400:
        raise NoAnswer(f"redirects elsewhere ({status}), which is not followed")
    if status in (408, 429) or status >= 500:
        after = retry_after(answer.headers)
        delay = "" if after is None else f", and wants to be asked again in {in_seconds(after)}"
        raise NoAnswer(f"answered {status}{delay}", transient=True, retry_after=after)
    if status != 200:
        raise NoAnswer(f"answered {status}")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise NoAnswer("answered with something packed, which was not asked for")


def _read_body(answer: HttpResponse, limit: int) -> bytes:
    body = bytearray()
    for chunk in answer.iter_raw():
        body += chunk
        if len(body) > limit:
            raise NoAnswer(f"answered with more than {limit} bytes")
    return bytes(body)
