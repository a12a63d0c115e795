"""One request and its response: no redirects, no decompression, limited size."""

import gzip
import logging

import pytest
import requests
import urllib3
from urllib3.exceptions import ProtocolError

from ccgpu.net.fetch import HttpRequestSpec, NoAnswer, Web
from support.services import UNREACHABLE, Services, WebResponse

_URL = "https://published.example/thing"


@pytest.fixture
def services():
    return Services()


@pytest.fixture
def web(services):
    with Web(["published.example"], services.transport()) as web:
        yield web


def _ask(url: str = _URL, limit: int = 10, **changes) -> HttpRequestSpec:
    return HttpRequestSpec(url, limit, "text/plain", **changes)


def _refusal(web: Web, ask: HttpRequestSpec) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        web.get(ask)
    return caught.value


def test_fetch_returns_the_bytes_of_the_body(services, web):
    services.publish(_URL, WebResponse(b"0123456789"))
    assert web.get(_ask()) == b"0123456789"
    (asked,) = services.requests
    assert (asked.method, asked.headers["Accept"]) == ("GET", "text/plain")
    assert asked.headers["User-Agent"].startswith("ccgpu/")
    assert "Authorization" not in asked.headers


def test_a_request_with_a_body_is_a_post(services, web):
    services.publish(_URL, WebResponse(b"ok"))
    web.get(_ask(body=b"\x30\x00", content_type="application/ocsp-request"))
    (asked,) = services.requests
    assert (asked.method, asked.body) == ("POST", b"\x30\x00")
    assert asked.headers["Content-Type"] == "application/ocsp-request"


def test_a_response_over_the_size_limit_is_refused(services, web):
    services.publish(_URL, WebResponse(b"0123456789a"))
    refused = _refusal(web, _ask())
    assert str(refused) == "answered with more than 10 bytes"
    assert not refused.transient


def test_an_endless_response_is_not_read_to_its_end(services, web):
    services.publish(_URL, WebResponse(b"x" * 10_000_000, headers={"Content-Length": "5"}))
    assert "more than 10 bytes" in str(_refusal(web, _ask()))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(services, web, status):
    services.publish(
        _URL, WebResponse(b"", status, {"Location": "https://published.example/other"})
    )
    refused = _refusal(web, _ask())
    assert "redirects elsewhere" in str(refused)
    assert not refused.transient
    assert services.urls == [_URL]


@pytest.mark.parametrize(
    "url", ["http://published.example/thing", "https://elsewhere.example/thing"]
)
def test_plain_http_and_other_hosts_get_no_request(services, web, url):
    refused = _refusal(web, _ask(url))
    assert "refused to send a request" in str(refused)
    assert not refused.transient
    assert services.requests == []


@pytest.mark.parametrize(
    ("status", "headers", "transient", "after"),
    [
        (404, {"Retry-After": "5"}, False, None),
        (400, {"Retry-After": "5"}, False, None),
        (403, {}, False, None),
        (204, {}, False, None),
        (408, {}, True, None),
        (429, {"Retry-After": "17"}, True, 17.0),
        (429, {"Retry-After": "soon"}, True, None),
        (500, {}, True, None),
        (503, {"Retry-After": "3"}, True, 3.0),
    ],
)
def test_only_some_error_statuses_are_transient(services, web, status, headers, transient, after):
    services.publish(_URL, WebResponse(b"<html>", status, headers))
    refused = _refusal(web, _ask())
    assert (refused.transient, refused.retry_after, refused.unreachable) == (
        transient,
        after,
        False,
    )
    assert str(status) in str(refused)


@pytest.mark.parametrize(
    ("error", "reason", "unreachable"),
    [
        (UNREACHABLE, "cannot be reached", True),
        (requests.exceptions.ConnectionError("refused"), "cannot be reached", True),
        (requests.exceptions.SSLError("eof"), "no TLS connection", True),
        (requests.exceptions.ReadTimeout("slow"), "did not come in time", False),
        (requests.exceptions.ConnectionError(ProtocolError("reset")), "broke off", False),
        (urllib3.exceptions.SSLError("bad record"), "cannot be read to its end", False),
        (ConnectionResetError("reset"), "cannot be read to its end", False),
    ],
)
def test_transport_errors_are_transient(services, web, error, reason, unreachable):
    services.publish(_URL, error)
    refused = _refusal(web, _ask())
    assert reason in str(refused)
    assert (refused.transient, refused.unreachable) == (True, unreachable)


@pytest.mark.parametrize("length", ["100", "many", "5, 5"])
def test_truncated_responses_are_transient(services, web, length):
    services.publish(_URL, WebResponse(b"01234", headers={"Content-Length": length}))
    assert _refusal(web, _ask()).transient


def test_a_compressed_response_is_refused(services, web):
    services.publish(_URL, WebResponse(gzip.compress(b"ok"), headers={"Content-Encoding": "gzip"}))
    assert "packed" in str(_refusal(web, _ask()))
    assert services.requests[0].headers["Accept-Encoding"] == "identity"


def test_a_fetch_uses_the_timeouts_of_its_request(services, web):
    services.publish(_URL, WebResponse(b"ok"))
    web.get(_ask(connect=2.0))
    web.get(_ask())
    assert [asked.timeout for asked in services.requests] == [(2.0, 20.0), (10.0, 20.0)]


def test_warnings_of_the_sdk_do_not_reach_stderr():
    handlers = logging.getLogger("azure").handlers
    assert any(isinstance(each, logging.NullHandler) for each in handlers)


_ELSEWHERE = "https://published.example/elsewhere?a=b"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", [_ELSEWHERE, "/elsewhere?a=b"])
def test_a_redirect_is_followed_where_a_request_says_so(services, web, status, place):
    services.publish(_URL, WebResponse(b"", status, {"Location": place}))
    services.publish(_ELSEWHERE, WebResponse(b"here"))
    assert web.get(_ask(redirects=1, bearer="t")) == b"here"
    assert services.urls == [_URL, _ELSEWHERE]
    assert [one.headers["Authorization"] for one in services.requests] == ["Bearer t", "Bearer t"]
    assert "followed" in str(_refusal(web, _ask()))


@pytest.mark.parametrize(
    "place", ["https://other.example/x", "http://published.example/x", "//other.example/x"]
)
def test_a_redirect_to_another_host_is_not_followed_and_gets_no_token(services, web, place):
    services.publish(_URL, WebResponse(b"", 302, {"Location": place}))
    refused = _refusal(web, _ask(redirects=1, bearer="t"))
    assert "refused to send a request" in str(refused)
    assert services.urls == [_URL]


def test_redirects_end(services, web):
    services.publish(_URL, WebResponse(b"", 302, {"Location": _URL}))
    assert "which is not followed" in str(_refusal(web, _ask(redirects=3)))
    assert services.urls == [_URL] * 4


def test_a_redirect_without_a_place_is_refused(services, web):
    services.publish(_URL, WebResponse(b"", 302))
    assert "redirects elsewhere (302)" in str(_refusal(web, _ask(redirects=1)))


def test_a_token_is_in_no_text_of_a_request():
    assert "hf_secret" not in repr(_ask(bearer="hf_secret"))
