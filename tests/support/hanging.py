"""`ccgpu` as a process with the real thread pool, on a transport that hangs.

`python -m support.hanging WORLD MARK METHOD PART ARGUMENTS…`: the first request of that method
whose path contains PART is carried out in the simulated subscription WORLD and never answered. The
file MARK is created when it hangs.
"""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from ccgpu.azure.arm import Arm
from ccgpu.azure.context import AzureContext
from ccgpu.azure.queries import Queries
from ccgpu.azure.session import ENVIRONMENTS, Session
from ccgpu.cli.main import main, runtime
from ccgpu.cli.runtime import Runtime
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeCredential, FakeTransport
from ccgpu.scheduling.scheduler import Scheduler
from ccgpu.store.journals import Journals


class HangingTransport(FakeTransport):
    """Answers all requests but one."""

    def __init__(self, arm: FakeArm, mark: Path, method: str, part: str) -> None:
        super().__init__(arm)
        self._mark = mark
        self._method = method
        self._part = part

    def send(self, request: Any, **more: Any) -> Any:
        """Carry out the request, then answer or hang."""
        answer = super().send(request, **more)
        if request.method == self._method and self._part in request.url:
            self._mark.touch()
            threading.Event().wait()
        return answer


def hanging_runtime(world: str, mark: str, method: str, part: str) -> Runtime:
    """The process's own runtime, with the hanging transport."""
    found = runtime()
    arm = FakeArm(world)
    transport = HangingTransport(arm, Path(mark), method, part)

    def connect(_: object) -> AzureContext:
        session = Session(FAKE_SUBSCRIPTION, ENVIRONMENTS["public"], FakeCredential(), transport)
        adapter = Arm(session)
        schedule = Scheduler(arm.clock, ThreadPoolExecutor(max_workers=8))
        journals = Journals(found.state / "journals")
        return AzureContext(session, adapter, Queries(adapter), schedule, journals)

    return replace(found, connect=connect)


if __name__ == "__main__":
    own, sys.argv[1:] = sys.argv[1:5], sys.argv[5:]
    main(lambda: hanging_runtime(*own))
