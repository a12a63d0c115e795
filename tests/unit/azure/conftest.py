"""A subscription in memory, the adapter above it, and a record of all requests."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from azure.core.credentials import AccessToken, AccessTokenInfo, TokenCredential

from ccgpu.azure.arm import Arm
from ccgpu.azure.queries import Queries
from ccgpu.azure.session import ENVIRONMENTS, Session
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeTransport, Request, Response

Reply = Response | BaseException


@dataclass
class Tokens:
    """A credential that counts its calls; it returns the tokens of `more`, then one token."""

    token: str = "a.b.c"
    more: list[str] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    claims: list[str | None] = field(default_factory=list)
    refusal: BaseException | None = None

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        info = self.get_token_info(*scopes)
        return AccessToken(info.token, info.expires_on)

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        self.asked.append(scopes)
        self.claims.append((options or {}).get("claims"))
        if self.refusal is not None:
            raise self.refusal
        token = self.more.pop(0) if self.more else self.token
        return AccessTokenInfo(token, int(time.time()) + 3600)  # noqa: TID251  # the SDK's


@dataclass
class Wire:
    """The requests to Azure and their responses: `replies` in order, then those of the fake."""

    arm: FakeArm
    tokens: Tokens = field(default_factory=Tokens)
    seen: list[Request] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.arm.faults.append(self._answer)

    def _answer(self, request: Request) -> Response | None:
        self.seen.append(request)
        reply = self.replies.pop(0) if self.replies else None
        if isinstance(reply, BaseException):
            raise reply
        return reply

    def session(self, cloud: str = "public", credential: TokenCredential | None = None) -> Session:
        transport = FakeTransport(self.arm)
        return Session(FAKE_SUBSCRIPTION, ENVIRONMENTS[cloud], credential or self.tokens, transport)

    @property
    def adapter(self) -> Arm:
        return Arm(self.session())

    @property
    def queries(self) -> Queries:
        return Queries(self.adapter)


@pytest.fixture
def wire() -> Iterator[Wire]:
    """An empty subscription; every reply must be consumed, and nothing may sleep."""
    arm = FakeArm()
    wire = Wire(arm)
    yield wire
    assert wire.replies == []
    assert arm.slept == 0
    arm.close()
