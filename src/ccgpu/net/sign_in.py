"""Signing requests: one token for all threads, and another one when ARM does not take it any more.

Whether a token has expired is ARM's to say: this machine's clock may be wrong, or have stood still
while the machine slept. A refused request was not carried out, so it is sent again; but once, and
only with a token that ARM has not refused.
"""

import threading
from contextlib import suppress
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import BearerTokenCredentialPolicy

from ccgpu.net import answers


class SignIn(BearerTokenCredentialPolicy[Any, Any]):
    """The SDK's policy, made safe for threads; it alone would give up where no claims are asked."""

    def __init__(self, credential: Any, scope: str) -> None:
        super().__init__(credential, scope)
        self._asked = credential
        self._lock = threading.Lock()

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Sign and send; sign anew and send once more if it is refused and there is reason to."""
        self.on_request(request)
        response = self.next.send(request)
        refused = response.http_response.status_code == 401
        # Without a challenge it is somebody else's word (RFC 9110, section 15.5.2).
        challenged = refused and "WWW-Authenticate" in response.http_response.headers
        if challenged and self.on_challenge(request, response):
            return self.next.send(request)
        return response

    def _request_token(self, *scopes: str, **more: Any) -> None:
        answers.note_response()  # the credential asks somebody too
        super()._request_token(*scopes, **more)

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Sign it; one thread at a time asks for a token."""
        with self._lock:
            super().on_request(request)
        answers.note_credential(credential_name(self._asked))

    def on_challenge(
        self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]
    ) -> bool:
        """Sign it anew: with the claims that are asked for, else with another token.

        Whether it is worth sending: not if there is no other token.
        """
        refused = _token_signature(request)
        with self._lock:
            with suppress(ValueError):  # claims that cannot be decoded
                if super().on_challenge(request, response):
                    return True
            if self._token is not None and refused == f"Bearer {self._token.token}":
                self._token = None  # else another thread has got a new one meanwhile
            super().on_request(request)
        return _token_signature(request) != refused


def _token_signature(request: PipelineRequest[Any]) -> str:
    return str(request.http_request.headers["Authorization"])


def credential_name(credential: Any) -> str | None:
    """The credential that gave the token: a chain's member, else the credential's own class."""
    if hasattr(credential, "signed_in_with"):
        found: str | None = credential.signed_in_with
        return found
    return type(credential).__name__
