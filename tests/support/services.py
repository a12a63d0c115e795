"""Web services in memory, below the real pipeline, with virtual time."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import requests
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from ccgpu.cli.backends import Backend
from ccgpu.collateral.cache import Cache
from ccgpu.collateral.fetcher import CollateralFetcher
from ccgpu.collateral.sources import PUBLIC, Sources
from ccgpu.net.fetch import Web
from ccgpu.scheduling.scheduler import InlineExecutor, Scheduler


@dataclass(frozen=True)
class WebResponse:
    """A response."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WebRequest:
    """A request: its content, its time of arrival, its timeouts."""

    method: str
    url: str
    headers: Any
    body: bytes
    at: float
    timeout: tuple[float, float]


Reply = WebResponse | Exception | Callable[[WebRequest], WebResponse]
# Nobody is there.
UNREACHABLE = requests.exceptions.ConnectTimeout("nobody")


class VirtualTime:
    """Virtual time."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self.now()

    def sleep(self, seconds: float) -> None:
        self._now += seconds


class Services:
    """What each URL responds: one reply after the other; the last one repeats."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.clock = VirtualTime(now)
        self.requests: list[WebRequest] = []
        self._replies: dict[str, list[Reply]] = {}

    def publish(self, url: str, *replies: Reply) -> None:
        """Set the replies of `url`, in order."""
        self._replies[url] = list(replies)

    @property
    def urls(self) -> list[str]:
        """The requested URLs in order."""
        return [each.url for each in self.requests]

    def reply(self, asked: WebRequest) -> WebResponse:
        self.requests.append(asked)
        replies = self._replies.get(asked.url)
        if replies is None:
            raise AssertionError(f"{asked.url} is not published")
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, WebResponse) else reply(asked)

    def transport(self) -> RequestsTransport:
        """A network with only these services."""
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", _Adapter(self))
        session.mount("http://", _Adapter(self))
        return RequestsTransport(session=session, session_owner=False)

    def backend(self, backend: Backend) -> Backend:
        """That back end, whose vendors are these services."""
        return replace(
            backend,
            scheduler=Scheduler(self.clock, InlineExecutor()),
            web=lambda: Web(PUBLIC.hosts(), self.transport()),
            sources=PUBLIC,
            simulated=False,
        )

    @contextmanager
    def fetching(
        self, cache: Path | None = None, sources: Sources = PUBLIC, **changes: Any
    ) -> Iterator[CollateralFetcher]:
        """What a command fetches with, on these services."""
        with Web(sources.hosts(), self.transport()) as web:
            kept = None if cache is None else Cache(cache)
            changes = {"jitter": lambda: 1.0, **changes}
            yield CollateralFetcher(
                web, Scheduler(self.clock, InlineExecutor()), kept, sources, **changes
            )


class _Adapter(BaseAdapter):
    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services

    def send(
        self, request: requests.PreparedRequest, *_: Any, timeout: Any = None, **__: Any
    ) -> requests.Response:
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        now = self._services.clock.now()
        asked = WebRequest(
            str(request.method), str(request.url), request.headers, body, now, timeout
        )
        said = self._services.reply(asked)
        response = requests.Response()
        response.status_code = said.status
        response.url, response.request = str(request.url), request
        response.headers.update({"Content-Length": str(len(said.body)), **said.headers})
        response.raw = HTTPResponse(
            io.BytesIO(said.body),
            preload_content=False,
            status=said.status,
            headers=response.headers,
        )
        return response

    def close(self) -> None:
        """Nothing is open."""


def json_response(document: Any) -> WebResponse:
    """A response with a JSON body."""
    headers = {"Content-Type": "application/json"}
    return WebResponse(json.dumps(document).encode(), headers=headers)
