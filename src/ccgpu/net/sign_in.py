"""Sign requests: one token for all threads, and a new one when ARM refuses it.

ARM decides whether a token has expired, because this machine's clock may be wrong. A refused
request was not carried out, so it is sent again: once, and only with another token.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import BearerTokenCredentialPolicy

from ccgpu.net import answers

# Seconds that a request waits for another's sign-in, then it signs in itself. `az` may take thirty
# (azure/credentials.py). One that takes longer may have been given up, with a server that drips.
LONGEST = 45.0


class SignIn(BearerTokenCredentialPolicy[Any, Any]):
    """The SDK's bearer-token policy, made thread-safe.

    Unlike the SDK's, it also gets a new token after a challenge without claims.
    """

    def __init__(self, credential: Any, scope: str, longest: float = LONGEST) -> None:
        super().__init__(credential, scope)
        self._named_credential = credential
        self._longest = longest
        self._lock = threading.Lock()

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Sign and send the request; after a challenge sign and send it once more.

        Without another token it is not sent again.
        """
        self.on_request(request)
        response = self.next.send(request)
        refused = response.http_response.status_code == 401
        # A 401 without a challenge is not ARM's, but a proxy's (RFC 9110, section 15.5.2).
        challenged = refused and "WWW-Authenticate" in response.http_response.headers
        if challenged and self.on_challenge(request, response):
            return self.next.send(request)
        return response

    def _request_token(self, *scopes: str, **more: Any) -> None:
        answers.note_response()  # the credential receives a response itself
        super()._request_token(*scopes, **more)

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Sign the request; only one thread at a time requests a token."""
        with self._one_at_a_time():
            super().on_request(request)
        answers.note_credential(credential_name(self._named_credential))

    def on_challenge(
        self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]
    ) -> bool:
        """Sign the request again, with a token for the challenge's claims, else with a new token.

        Returns whether the token has changed, so that the request can be sent again.
        """
        refused = _token_signature(request)
        with self._one_at_a_time():
            with suppress(ValueError):  # claims that cannot be decoded
                if super().on_challenge(request, response):
                    return True
            if self._token is not None and refused == f"Bearer {self._token.token}":
                self._token = None  # unless another thread has already replaced it
            super().on_request(request)
        return _token_signature(request) != refused

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Keep others from signing in; a lock that is held for too long is replaced."""
        while not (lock := self._lock).acquire(timeout=self._longest):
            if self._lock is lock:
                self._lock = threading.Lock()
        try:
            yield
        finally:
            lock.release()


def _token_signature(request: PipelineRequest[Any]) -> str:
    return str(request.http_request.headers["Authorization"])


def credential_name(credential: Any) -> str | None:
    """The name of the credential that returned the token: a chain's member, else its class."""
    if hasattr(credential, "signed_in_with"):
        member: str | None = credential.signed_in_with
        return member
    return type(credential).__name__
