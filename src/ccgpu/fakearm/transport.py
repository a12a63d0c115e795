"""The SDK's own `requests` transport, with the fake in place of the network and of waiting."""

import io
import json
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol

import requests
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from ccgpu.fakearm.wire import Request, Response


class FakeService(Protocol):
    """Answers requests: the simulated ARM, or another simulated service. Counts real waits."""

    slept: int

    def send(self, request: Request, /) -> Response:
        """The response."""
        ...


class FakeTransport(RequestsTransport):  # type: ignore[misc]  # exported lazily, so typed Any
    def __init__(self, service: FakeService) -> None:
        session = _Session()
        session.mount("https://", _Adapter(service))
        super().__init__(session=session, session_owner=False)
        self._service = service

    def sleep(self, duration: float) -> None:  # noqa: ARG002  # nothing of ours may end here
        self._service.slept += 1


class _Session(requests.Session):
    """A session that adds nothing to a request: no cookies, no headers, no proxy of the machine."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        prepared = requests.PreparedRequest()
        prepared.prepare_method(request.method)
        prepared.url = _normalized(request.url)
        prepared.prepare_headers(request.headers)
        prepared.prepare_cookies({})
        prepared.prepare_body(request.data, request.files, request.json)
        return prepared

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        del url, proxies, verify, cert
        return {"proxies": {}, "stream": stream}


@lru_cache(maxsize=4096)
def _normalized(url: str) -> str | None:
    """The URL as `requests` sends it. Many requests have one that was sent before."""
    return requests.Request("GET", url).prepare().url


class _Adapter(BaseAdapter):
    def __init__(self, service: FakeService) -> None:
        super().__init__()
        self._service = service

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = _read(request.body)
        answer = self._service.send(
            Request(str(request.method), str(request.url), request.headers, body)
        )
        response = requests.Response()
        response.status_code = answer.status
        response.reason = HTTPStatus(answer.status).phrase
        response.url, response.request = str(request.url), request
        response.headers.update(answer.headers)
        content = encode_body(answer)
        if content:
            response.headers.setdefault("Content-Type", "application/json; charset=utf-8")
        if request.method != "HEAD":  # which tells of a body that it does not have
            response.headers["Content-Length"] = str(len(content))
        response.raw = HTTPResponse(
            io.BytesIO(content), preload_content=False, status=answer.status
        )
        return response

    def close(self) -> None:
        """Nothing is open."""


def _read(body: Any) -> bytes:
    """The body of a request: text, bytes, or a stream."""
    if hasattr(body, "read"):
        body = body.read()
    given: bytes = body.encode() if isinstance(body, str) else body or b""
    return given


def encode_body(answer: Response) -> bytes:
    """The body as bytes: JSON, unless it is text or bytes already."""
    if answer.body is None:
        return b""
    if isinstance(answer.body, bytes):
        return answer.body
    if isinstance(answer.body, str):
        return answer.body.encode()
    return json.dumps(answer.body).encode()
