"""The pipeline of every request: only allowed hosts, and no policies of the SDK."""

from typing import Any

import pytest
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.pipeline.policies import HTTPPolicy
from azure.core.rest import HttpRequest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu import __version__
from ccgpu.net.pipeline import ForeignHost, OnlyTo, pipeline

_HOST = "management.azure.com"


def _sent_to(url: str, *hosts: str) -> bool:
    request = PipelineRequest(HttpRequest("GET", url), PipelineContext(None))
    try:
        OnlyTo(hosts or [_HOST]).on_request(request)
    except ForeignHost:
        return False
    return True


@pytest.mark.parametrize(
    "url",
    [
        f"https://{_HOST}/subscriptions?x=1",
        f"https://{_HOST.upper()}/",
        f"HTTPS://{_HOST}/",
        f"https://{_HOST}:443/",
        f"https://somebody@{_HOST}/",
    ],
)
def test_allowed_hosts_are_case_insensitive(url):
    assert _sent_to(url)
    assert not _sent_to(url, "login.microsoftonline.com")


@pytest.mark.parametrize(
    "url",
    [
        f"http://{_HOST}/",
        f"ftp://{_HOST}/",
        f"//{_HOST}/",
        _HOST,
        "",
        "https://",
        "https:///path",
        "https://evil.example/",
        f"https://{_HOST}.evil.example/",
        f"https://evil.example/{_HOST}",
        f"https://{_HOST}@evil.example/",
        f"https://evil.example#{_HOST}",
        f"https://evil.example?{_HOST}",
        f"https://x{_HOST}/",
        f"https://x.{_HOST}/",
        f"https://{_HOST}./",
        "https://[::1]/",
        "https://169.254.169.254/metadata",
    ],
)
def test_other_hosts_and_plain_http_are_refused(url):
    assert not _sent_to(url)


@given(st.from_regex(r"[a-z0-9.-]{1,40}", fullmatch=True).filter(lambda host: host != _HOST))
def test_an_unlisted_host_is_refused(host):
    assert not _sent_to(f"https://{host}/")


def test_an_empty_list_refuses_every_host():
    refuse = OnlyTo([])
    request = PipelineRequest(HttpRequest("GET", f"https://{_HOST}/"), PipelineContext(None))
    with pytest.raises(ForeignHost):
        refuse.on_request(request)


def test_the_refusal_shows_only_the_host_of_the_url():
    request = PipelineRequest(
        HttpRequest("GET", "https://evil.example/a?sig=secret"), PipelineContext(None)
    )
    with pytest.raises(ForeignHost) as caught:
        OnlyTo([_HOST]).on_request(request)
    assert str(caught.value) == "refused to send a request to evil.example"


class _SignIn(HTTPPolicy[Any, Any]):
    """Takes the place of the sign-in policy."""

    def send(self, request: PipelineRequest[Any]) -> Any:
        return self.next.send(request)


@pytest.mark.parametrize("url", ["", "https:///path", "nonsense"])
def test_the_refusal_of_a_url_without_a_host_is_explicit(url):
    with pytest.raises(ForeignHost, match=r"^refused to send a request to no host$"):
        OnlyTo([_HOST]).on_request(PipelineRequest(HttpRequest("GET", url), PipelineContext(None)))


def _names(policies: list[Any]) -> list[str]:
    return [type(policy).__name__ for policy in policies]


def test_the_host_check_precedes_the_sign_in():
    sign_in: HTTPPolicy[Any, Any] = _SignIn()
    guard, signer = pipeline([_HOST], sign_in)[-3:-1]
    assert isinstance(guard, OnlyTo)
    assert signer is sign_in


def test_the_pipeline_has_no_retry_redirect_registration_or_logging():
    assert _names(pipeline([_HOST], None)) == [
        "RequestId",
        "HeadersPolicy",
        "UserAgentPolicy",
        "ContentDecodePolicy",
        "ResponseTracker",
        "OnlyTo",
        "TimeLimit",
    ]


def test_requests_have_a_user_agent():
    (agent,) = [p for p in pipeline([_HOST], None) if type(p).__name__ == "UserAgentPolicy"]
    assert agent.user_agent.startswith(f"ccgpu/{__version__}")


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("a.blob.example", True),
        ("a.b.BLOB.example", True),
        ("blob.example", False),
        ("ablob.example", False),
        ("a.blob.example.evil.example", False),
        ("a.blob.example.", False),
    ],
)
def test_a_host_with_a_leading_dot_stands_for_the_names_below_it(host, allowed):
    assert _sent_to(f"https://{host}/", ".blob.example") == allowed
    assert not _sent_to(f"http://{host}/", ".blob.example")
