"""What is noted of each request: no query, no header, no body; time, retries and Azure's ids."""

from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest

from ccgpu.net.pipeline import RequestLogger, pipeline
from ccgpu.net.request_log import RequestLog, SentRequest, correlation_id

_URL = "https://management.azure.com/subscriptions/s?api-version=1&sig=hidden"


class _Wire:
    """Answers with the given statuses, half a second each; an exception is raised."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.time = 100.0
        self.sent: list[SentRequest] = []
        self.log = RequestLog(lambda: self.time, self.sent.append)

    def send(self, _: Any) -> Any:
        self.time += 0.5
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        headers = {"x-ms-correlation-request-id": "c-1", "x-ms-request-id": "r-1"}
        return SimpleNamespace(http_response=SimpleNamespace(status_code=answer, headers=headers))

    def ask(self, method: str = "GET", url: str = _URL) -> None:
        policy = RequestLogger(self.log)
        policy.next = self  # type: ignore[assignment]
        request = HttpRequest(
            method, url, headers={"Authorization": "Bearer hidden"}, json="hidden"
        )
        policy.send(PipelineRequest(request, PipelineContext(None)))


def test_a_request_is_noted_without_its_query_headers_and_body():
    wire = _Wire(200)
    wire.ask()
    assert wire.sent == [
        SentRequest(
            at=100.0,
            method="GET",
            host="management.azure.com",
            path="/subscriptions/s",
            status=200,
            milliseconds=500,
            retry=0,
            correlation_id="c-1",
            request_id="r-1",
        )
    ]
    assert "hidden" not in repr(wire.sent)


def test_a_request_without_a_response_is_noted_with_the_kind_of_its_error():
    wire = _Wire(ConnectionError("hidden"))
    with pytest.raises(ConnectionError):
        wire.ask()
    (sent,) = wire.sent
    assert (sent.status, sent.error, sent.correlation_id) == (None, "ConnectionError", None)
    assert "hidden" not in repr(sent)


def test_retries_count_what_failed_in_passing_just_before():
    wire = _Wire(429, ConnectionError(), 503, 200, 200, 404, 404)
    for number in range(7):
        if number == 1:
            with pytest.raises(ConnectionError):
                wire.ask()
        else:
            wire.ask()
    assert [one.retry for one in wire.sent] == [0, 1, 2, 3, 0, 0, 0]


def test_another_method_or_url_is_no_retry():
    wire = _Wire(429, 429, 429, 200)
    for method, url in (("GET", _URL), ("PUT", _URL), ("GET", f"{_URL}2"), ("GET", _URL)):
        wire.ask(method, url)
    assert [one.retry for one in wire.sent] == [0, 0, 0, 1]


def test_without_a_listener_nothing_is_noted():
    wire = _Wire(200)
    wire.log.listener = None
    wire.ask()
    assert wire.sent == []


@pytest.mark.parametrize("text", ["", "a b", "\x1b[2J", "x" * 129, "a\nb", "ä"])
def test_an_id_that_is_no_plain_word_is_none(text):
    assert correlation_id({"x-ms-correlation-request-id": text}) is None


def test_the_request_id_stands_in_for_the_correlation_id():
    assert correlation_id({"x-ms-request-id": "r"}) == "r"
    assert correlation_id({"x-ms-request-id": "r", "x-ms-correlation-request-id": "c"}) == "c"


def test_the_logger_sees_what_is_sent():
    log = RequestLog(lambda: 0.0)
    sign_in: Any = object()
    assert isinstance(pipeline(["h"], sign_in, log=log)[-2], RequestLogger)
    assert pipeline(["h"], sign_in)[-2] is sign_in
