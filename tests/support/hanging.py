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

from ccgpu.azure.session import ENVIRONMENTS, Session
from ccgpu.cli.backends import simulated_backend
from ccgpu.cli.main import main, process_runtime
from ccgpu.cli.runtime import Runtime
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeCredential, FakeTransport
from ccgpu.fakeguest.vendors import make_vendors
from ccgpu.scheduling.scheduler import Scheduler


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
    """The process's own runtime, with the hanging wire in Azure's place."""
    runtime = process_runtime()
    arm = FakeArm(world)
    transport = HangingTransport(arm, Path(mark), method, part)
    backend = replace(
        simulated_backend(arm, runtime.state / "journals", make_vendors),
        session=lambda: Session(
            FAKE_SUBSCRIPTION, ENVIRONMENTS["public"], FakeCredential(), transport
        ),
        scheduler=Scheduler(arm.clock, ThreadPoolExecutor(max_workers=8)),
        simulated=False,
    )
    return replace(runtime, backend=lambda _: backend)


if __name__ == "__main__":
    own, sys.argv[1:] = sys.argv[1:5], sys.argv[5:]
    main(lambda: hanging_runtime(*own))
