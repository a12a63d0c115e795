"""One request for what somebody publishes, and its answer: whole, and never larger than asked for.

No redirect is followed, nothing is unpacked, and only a 200 is an answer. Whatever else happens is
a `NoAnswer` that says whether the same request may have one later; whoever asks does the waiting.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from azure.core import PipelineClient
from azure.core.exceptions import AzureError, ServiceResponseError
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse
from requests.exceptions import SSLError
from urllib3.exceptions import HTTPError

from ccgpu.net.pipeline import ForeignHost, pipeline
from ccgpu.net.retry import retry_after
from ccgpu.net.transport import CONNECT, network_transport

# The SDK warns of what is told once anyway (Logging HOWTO, "Configuring logging for a library").
logging.getLogger("azure").addHandler(logging.NullHandler())

# How long an answer may pause. What is asked for is small and static: ARM's 75 s would be patience
# with a service that hangs.
_READ = 20.0


@dataclass(frozen=True, slots=True)
class HttpRequestSpec:
    """One request: a GET, or with a `body` a POST. The answer may have `limit` bytes.

    `connect`: seconds to wait for a connection.
    """

    url: str
    limit: int
    accept: str
    body: bytes | None = None
    content_type: str | None = None
    connect: float = CONNECT

    @property
    def host(self) -> str:
        """The host of the URL."""
        return urlsplit(self.url).hostname or ""


class NoAnswer(Exception):
    """There is no answer, or none that can be used.

    `transient`: the same request may succeed later, `retry_after` seconds from now at the earliest
    where the service says so. `unreachable`: the host could not be reached.
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
    """Sends requests to the hosts of a list, and to no other; from any thread.

    `transport` is the seam: `None` is the network.
    """

    def __init__(self, hosts: Sequence[str], transport: RequestsTransport | None = None) -> None:
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            "", policies=pipeline(hosts, None), transport=transport or network_transport()
        )

    def __enter__(self) -> Self:
        """Open it, before a second thread could."""
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
        """The body of the answer, or `NoAnswer`."""
        with _translating_errors():
            waits: Any = {"connection_timeout": request.connect, "read_timeout": _READ}
            answer = self._client.send_request(_send(request), stream=True, **waits)
            with answer:
                _require_usable(answer)
                return _read_body(answer, request.limit)


def _send(spec: HttpRequestSpec) -> HttpRequest:
    headers = {"Accept": spec.accept, "Accept-Encoding": "identity"}  # a small answer unpacks small
    if spec.body is None:
        return HttpRequest("GET", spec.url, headers=headers)
    headers["Content-Type"] = spec.content_type or "application/octet-stream"
    return HttpRequest("POST", spec.url, headers=headers, content=spec.body)


@contextmanager
def _translating_errors() -> Iterator[None]:
    """Whatever can go wrong on the way, as a `NoAnswer`."""
    try:
        yield
    except ForeignHost as err:
        raise NoAnswer(str(err)) from err
    except ServiceResponseError as err:
        raise NoAnswer("the answer broke off, or did not come in time", transient=True) from err
    except AzureError as err:
        reason = "no TLS connection" if _is_tls(err) else "cannot be reached"
        raise NoAnswer(reason, transient=True, unreachable=True) from err
    except (HTTPError, ValueError, OSError) as err:  # raw from the stream; headers that are none
        raise NoAnswer("the answer cannot be read to its end", transient=True) from err


def _is_tls(err: AzureError) -> bool:
    return isinstance(err.inner_exception, SSLError)


def _require_usable(answer: HttpResponse) -> None:
    status = answer.status_code
    if status == 404:
        raise NoAnswer("does not have it (404)")
    if 300 <= status < 400:
        raise NoAnswer(f"redirects elsewhere ({status}), which is not followed")
    if status in (408, 429) or status >= 500:
        after = retry_after(answer.headers)
        wish = "" if after is None else f", and wants to be asked again in {after:.0f} s"
        raise NoAnswer(f"answered {status}{wish}", transient=True, retry_after=after)
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
