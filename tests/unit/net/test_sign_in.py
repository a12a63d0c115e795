"""A sign-in that nobody waits for any more keeps no other request from being signed."""

from threading import Event, Thread
from typing import Any

from azure.core.credentials import AccessTokenInfo
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest

from ccgpu.net.sign_in import SignIn


class _HangsOnce:
    """The service of tokens does not answer the first request."""

    def __init__(self) -> None:
        self.asked, self.end = Event(), Event()

    def get_token_info(self, *_: Any, **__: Any) -> AccessTokenInfo:
        if not self.asked.is_set():
            self.asked.set()
            self.end.wait(60.0)
        return AccessTokenInfo("a token", 2**40)


def test_a_sign_in_that_hangs_is_waited_for_only_so_long():
    credential = _HangsOnce()
    sign_in = SignIn(credential, "a scope", longest=0.05)
    hanging = Thread(target=sign_in.on_request, args=(_request(),), daemon=True)
    hanging.start()
    assert credential.asked.wait(60.0)
    for _ in range(2):  # the second one finds the token, and a lock that is free
        request = _request()
        sign_in.on_request(request)
        assert request.http_request.headers["Authorization"] == "Bearer a token"
    assert hanging.is_alive()
    credential.end.set()


def _request() -> PipelineRequest[Any]:
    url = "https://management.azure.com/subscriptions"
    return PipelineRequest(HttpRequest("GET", url), PipelineContext(None))
