"""Faults of the simulated subscription: responses to the n-th request of a kind."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

from ccgpu.fakearm import Request, Response

RequestFilter = Callable[[Request], bool]


def error(status: int, code: str, message: str = "so it is", **headers: str) -> Response:
    """ARM's error envelope."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, {"error": {"code": code, "message": message}}, named)


def success(status: int = 200, body: Any = None, **headers: str) -> Response:
    """An answer with the id that each of ARM's has."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, body, {"x-ms-request-id": "1", **named})


def storage_error(status: int, code: str, message: str = "so it is") -> Response:
    """Azure Storage's error."""
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    headers = {"Content-Type": "application/xml", "x-ms-error-code": code}
    return Response(status, f'<?xml version="1.0" encoding="utf-8"?>{text}', headers)


def failed_operation(code: str, message: str = "so it is") -> Response:
    """The status of an operation that failed."""
    return Response(200, {"status": "Failed", "error": {"code": code, "message": message}})


_OPERATION = re.compile(r"/(?:disk|caps)?operation(?:s|results)/", re.IGNORECASE)
RESET = requests.ConnectionError("Connection reset by peer")
TIMEOUT = requests.ReadTimeout("Read timed out")
THROTTLED = error(429, "TooManyRequests", Retry_After="7")
NOT_FOUND = error(404, "NotFound")
UNAVAILABLE = error(503, "ServiceUnavailable")
HTML_PAGE = Response(200, "<html>a proxy's page</html>", {"Content-Type": "text/html"})
FORBIDDEN = error(403, "AuthorizationFailed", "does not have authorization to perform action X")


@dataclass
class NthRequest:
    """Answers the `n`th request of a kind (from 0); `times` requests, or all after it if None."""

    n: int
    kind: RequestFilter
    answer: Response | BaseException
    times: int | None = 1
    seen: int = field(default=0, init=False)
    fired: int = field(default=0, init=False)

    def __call__(self, request: Request) -> Response | None:
        if not self.kind(request):
            return None
        at, self.seen = self.seen, self.seen + 1
        if at < self.n or (self.times is not None and at >= self.n + self.times):
            return None
        self.fired += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@dataclass
class AfterCommit:
    """Raises after the `n`th request of a kind was carried out."""

    n: int
    kind: RequestFilter
    raised: BaseException
    seen: int = field(default=0, init=False)
    fired: int = field(default=0, init=False)

    def __call__(self, request: Request, _: Any) -> None:
        if not self.kind(request):
            return
        at, self.seen = self.seen, self.seen + 1
        if at == self.n:
            self.fired += 1
            raise self.raised


def is_put(request: Request) -> bool:
    """Every PUT."""
    return request.method == "PUT"


def is_poll(request: Request) -> bool:
    """Every poll of an operation."""
    return request.method == "GET" and bool(_OPERATION.search(request.path))


def is_page_write(request: Request) -> bool:
    """Every Put Page to a blob."""
    return is_put(request) and request.query.get("comp") == "page"


def request_to(method: str, part: str) -> RequestFilter:
    """Requests of a method whose path contains this."""
    low = part.casefold()
    return lambda request: request.method == method and low in request.path.casefold()


def json_body(request: Request) -> Any:
    """The JSON body of a request."""
    return json.loads(request.body)
