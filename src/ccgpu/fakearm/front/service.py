"""The simulated Azure as clients on this machine see it: Resource Manager, sign-in, serial logs.

What the fake does not know is answered with 501, which names it: no client takes that for an answer
of Azure.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

from ccgpu.fakearm.front import links, versions
from ccgpu.fakearm.front.sign_in import SignInService
from ccgpu.fakearm.service import FakeArm, find_route
from ccgpu.fakearm.wire import FakeGap, Request, Response

_UNSAID_PAUSE = 30.0  # seconds between two polls when ARM names none: azure-core, LROBasePolling


@dataclass
class RealTime:
    """Lets virtual time pass with real time, `speed` times as fast.

    `now`: Unix time that never goes back.
    """

    arm: FakeArm
    now: Callable[[], float]
    speed: float
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._last = self.now()

    def catch_up(self) -> None:
        """Let the time pass that has passed since the last call."""
        with self._lock:
            now = self.now()
            self.arm.advance((now - self._last) * self.speed)
            self._last = now


def _not_simulated(request: Request, gap: FakeGap) -> Response:
    """501, which names what is missing."""
    message = f"the simulated Azure does not know {gap} (asked: {request.method} {request.path})"
    if "/microsoft.resources/deployments" in request.path.lower():
        message += ": it evaluates no templates, so `az vm create` and `az deployment` cannot work"
    return Response(501, {"error": {"code": "NotSimulated", "message": message}})


class LoopbackAzure:
    """Answers requests of clients on this machine, from several threads.

    `secret` is what clients of the managed identity must send.
    """

    def __init__(self, time: RealTime) -> None:
        self.secret = secrets.token_hex(16)
        self._time, self._arm = time, time.arm
        self._sign_in = SignInService(self.secret, time.now)

    def send(self, request: Request) -> Response:
        """The answer. `request.url` has the address that the client knows."""
        self._time.catch_up()
        try:
            answer = self._sign_in.send(request)
            if answer is None:
                answer = self._ask_arm(request)
        except FakeGap as gap:
            return _not_simulated(request, gap)
        return answer

    def _ask_arm(self, request: Request) -> Response:
        asked = links.to_azure(request)
        route = find_route(asked)
        if route is not None:
            asked = versions.in_known_version(asked, route.api)
        answer = links.to_loopback(self._arm.send(asked), request.host)
        return self._with_real_pause(answer)

    def _with_real_pause(self, answer: Response) -> Response:
        """Pauses as real seconds. Where ARM names none, a client waits its own, in real time."""
        lower = {name.lower(): name for name in answer.headers}
        polled = isinstance(answer.body, dict) and answer.body.get("status") == "InProgress"
        given = answer.headers.get(lower.get("retry-after", ""))
        if given is None and not (polled or "azure-asyncoperation" in lower):
            return answer
        pause = max(1, ceil(float(given or _UNSAID_PAUSE) / self._time.speed))
        headers = {k: v for k, v in answer.headers.items() if k.lower() != "retry-after"}
        return Response(answer.status, answer.body, headers | {"Retry-After": str(pause)})
