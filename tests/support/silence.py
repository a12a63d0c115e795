"""A server that goes silent: transports over the simulated subscription, in virtual time.

Each part of an answer takes as long as the request's own time-outs let it take, as with a socket.
A silent request is carried out first: its answer is what is lost.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from azure.core.exceptions import ServiceRequestTimeoutError, ServiceResponseTimeoutError
from urllib3 import HTTPResponse
from urllib3.exceptions import ReadTimeoutError

from ccgpu.azure.session import ENVIRONMENTS, Session
from ccgpu.cli.backends import Backend
from ccgpu.cli.runtime import ConnectionOptions
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeCredential, FakeTransport
from ccgpu.fakeguest.vendor_services import VendorServices
from ccgpu.net.fetch import Web
from ccgpu.net.pace import Pace
from support.cli import Shell
from support.cloud import make_backend, vendors

_DRIP = 3.0  # seconds between two bytes
_NEVER = 10**9


@dataclass
class Silence:
    """When a server goes silent, and how.

    way: `unreachable` (nobody accepts), `silent` (no answer), `headers` (and then nothing) or
    `drip` (a byte every few seconds). start: the number of the first such request. end: the time at
    which the server is well again. at: when each request was sent.
    """

    way: str
    start: int = _NEVER
    end: float = float("inf")
    at: list[float] = field(default_factory=list)
    struck: int = 0

    def strikes(self, now: float) -> bool:
        """Count a request; whether it is a silent one."""
        self.at.append(now)
        strikes = len(self.at) > self.start and now < self.end
        self.struck += strikes
        return strikes


WAYS = ("unreachable", "silent", "headers", "drip")


class SilentTransport(FakeTransport):
    """Answers until it is silent."""

    def __init__(self, arm: FakeArm, silence: Silence, service: Any = None) -> None:
        super().__init__(service or arm)
        self._clock = arm.clock
        self._silence = silence

    def send(self, request: Any, **more: Any) -> Any:
        """Send the request; of a silent one let its time-outs go by."""
        if not self._silence.strikes(self._clock.now()):
            return super().send(request, **more)
        if self._silence.way == "unreachable":
            self._clock.sleep(more["connection_timeout"])
            raise ServiceRequestTimeoutError("nobody accepts")
        wait = more["read_timeout"]
        answer = super().send(request, **more)
        if self._silence.way == "silent":
            self._clock.sleep(wait)
            raise ServiceResponseTimeoutError("no answer")
        body = _SlowBody(answer.internal_response.raw.read(), self._silence.way, self._clock, wait)
        answer.internal_response.raw = HTTPResponse(body, preload_content=False)
        return answer


class _SlowBody(io.RawIOBase):
    """A body that comes byte by byte, or not at all."""

    def __init__(self, content: bytes, way: str, clock: Any, wait: float) -> None:
        self._rest = io.BytesIO(content)
        self._way, self._clock, self._wait = way, clock, wait

    def read1(self, _: int = -1) -> bytes:
        if self._way == "headers" or self._wait < _DRIP:
            self._clock.sleep(self._wait)
            raise ReadTimeoutError(None, "", "Read timed out")  # type: ignore[arg-type]
        self._clock.sleep(_DRIP)
        return self._rest.read(1)


def silenced(shell: Shell, silence: Silence) -> Callable[[ConnectionOptions], Backend]:
    """The back end of a shell whose Azure Resource Manager goes silent."""

    def backend(_: ConnectionOptions) -> Backend:
        plain = make_backend(shell.arm, shell.state)
        transport = SilentTransport(shell.arm, silence)
        parts = (FAKE_SUBSCRIPTION, ENVIRONMENTS["public"], FakeCredential(shell.arm), transport)
        session = Session(*parts, plain.requests, Pace(shell.arm.clock.now))
        return replace(plain, session=lambda: session)

    return backend


def silenced_vendors(shell: Shell, silence: Silence) -> Callable[[ConnectionOptions], Backend]:
    """The back end of a shell whose vendors' services go silent."""

    def backend(_: ConnectionOptions) -> Backend:
        plain, arm = make_backend(shell.arm, shell.state), shell.arm
        services = VendorServices(vendors(), arm.clock.now, partial(arm.settings.get, "vendors"))
        transport = SilentTransport(arm, silence, services)
        return replace(plain, web=lambda: Web(plain.sources.hosts(), transport))

    return backend
