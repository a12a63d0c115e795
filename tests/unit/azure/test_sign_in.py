"""A token refused by ARM is replaced once, and only when a new one may help."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from ccgpu.azure.arm import Arm
from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Resource, resource_id
from ccgpu.errors import NotSignedIn
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Response
from support import faults

_VM = resource_id(FAKE_SUBSCRIPTION, "g", Kind.VM, "x")
_FOUND = Response(200, {"id": _VM})
_CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'


def _unauthorized(challenge: str | None) -> Response:
    more = {} if challenge is None else {"WWW_Authenticate": challenge}
    return faults.error(401, "ExpiredAuthenticationToken", **more)


def _claims_challenge(claims: str) -> Response:
    return _unauthorized(f'Bearer realm="", error="insufficient_claims", claims="{claims}"')


EXPIRED = _unauthorized('Bearer authorization_uri="https://x/", error="invalid_token"')
CAE = _claims_challenge(base64.urlsafe_b64encode(_CLAIMS.encode()).decode().rstrip("="))


def _sent(wire):
    return [request.headers["Authorization"] for request in wire.seen]


def test_an_expired_token_is_replaced_and_the_request_repeated(wire):
    wire.tokens.more = ["old", "new"]
    wire.replies += [EXPIRED, _FOUND, _FOUND]
    adapter = wire.adapter
    for _ in range(2):
        assert adapter.get(Kind.VM, _VM) == {"id": _VM}
    assert _sent(wire) == ["Bearer old", "Bearer new", "Bearer new"]


def test_a_write_is_repeated_unchanged(wire):
    wire.tokens.more = ["old", "new"]
    wire.replies += [EXPIRED, faults.success(200, {"id": _VM})]
    wire.adapter.put(Resource(Kind.VM, _VM, {"location": "eastus2"}), new=True)
    first, second = wire.seen
    assert json.loads(first.body) == json.loads(second.body) == {"location": "eastus2"}
    assert (first.url, first.headers["If-None-Match"]) == (second.url, "*")


@pytest.mark.parametrize("refusal", [EXPIRED, CAE], ids=["expired", "claims"])
def test_a_second_refusal_is_final(refusal, wire):
    wire.tokens.more = ["old", "new", "newer"]
    wire.replies += [refusal, refusal]
    with pytest.raises(NotSignedIn, match=r"\[ExpiredAuthenticationToken\]"):
        wire.adapter.get(Kind.VM, _VM)
    assert _sent(wire) == ["Bearer old", "Bearer new"]


def test_a_refused_token_is_not_sent_again(wire):
    wire.replies.append(EXPIRED)
    with pytest.raises(NotSignedIn):
        wire.adapter.get(Kind.VM, _VM)
    assert (len(wire.seen), len(wire.tokens.asked)) == (1, 2)


def test_a_401_without_a_challenge_is_not_arms(wire):
    wire.tokens.more = ["old", "new"]
    wire.replies.append(_unauthorized(None))
    with pytest.raises(NotSignedIn):
        wire.adapter.get(Kind.VM, _VM)
    assert (len(wire.seen), len(wire.tokens.asked)) == (1, 1)


def test_requested_claims_are_passed_on_once(wire):
    wire.tokens.more = ["plain", "with claims"]
    wire.replies += [CAE, _FOUND, _FOUND]
    adapter = wire.adapter
    for _ in range(2):
        adapter.get(Kind.VM, _VM)
    assert wire.tokens.claims == [None, _CLAIMS]
    assert _sent(wire) == ["Bearer plain", "Bearer with claims", "Bearer with claims"]


@pytest.mark.parametrize("claims", ["A", "_w", ""])
def test_unreadable_claims_are_ignored(claims, wire):
    wire.tokens.more = ["old", "new"]
    wire.replies += [_claims_challenge(claims), _FOUND]
    wire.adapter.get(Kind.VM, _VM)
    assert wire.tokens.claims == [None, None]


@pytest.mark.parametrize("refusal", [EXPIRED, CAE], ids=["expired", "claims"])
def test_a_failed_second_sign_in_shows_its_cause(refusal, wire):
    adapter = wire.adapter
    wire.replies += [_FOUND, refusal]
    adapter.get(Kind.VM, _VM)
    wire.tokens.refusal = ClientAuthenticationError("run az login again")
    with pytest.raises(NotSignedIn, match="run az login again"):
        adapter.get(Kind.VM, _VM)
    assert len(wire.seen) == 2


class _Slow:
    """Delays each token so that other threads request one too."""

    def __init__(self, tokens: Any) -> None:
        self._tokens = tokens

    def get_token_info(self, *scopes: str, options: Any = None) -> Any:
        info = self._tokens.get_token_info(*scopes, options=options)
        Event().wait(0.05)
        return info


def test_threads_refused_together_request_one_token(wire):
    count = 6
    wire.tokens.more, wire.tokens.token = ["old"], "new"
    adapter, together = Arm(wire.session(credential=_Slow(wire.tokens))), Barrier(count)

    def refuse(request):
        if request.headers["Authorization"] == "Bearer old":
            together.wait(timeout=10)
            return EXPIRED
        return _FOUND

    wire.arm.faults[:] = [refuse]
    with ThreadPoolExecutor(count) as pool:
        found = list(pool.map(lambda _: adapter.get(Kind.VM, _VM), range(count)))
    assert found == [{"id": _VM}] * count
    assert len(wire.tokens.asked) == 2
