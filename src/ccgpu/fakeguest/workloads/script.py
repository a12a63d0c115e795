"""The workload script in a simulated guest: the same requests, answers and errors as the real one.

It takes one JSON document as its last argument, and prints one. `start` pulls, measures and starts;
PCR 13 and the log of workloads follow as in a real guest.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ccgpu.fakeguest.commands.call import Ending
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.fakeguest.workloads import answers, fetching, starting
from ccgpu.fakeguest.workloads.call import WorkloadCall, WorkloadRefused
from ccgpu.fakeguest.workloads.program import RunCommand
from ccgpu.fakeguest.workloads.request import RequestProblem

Action = Callable[[WorkloadCall], Ending]


def run_workload_script(guest: SimulatedGuest, request: str, run: RunCommand) -> Ending:
    """Answer a request. run: runs a command of the guest as root, for the containers."""
    try:
        call = WorkloadCall(guest, _read(request), run)
        return _ACTIONS[str(call.asked["action"])](call)
    except RequestProblem as err:
        return _refusal("request", str(err))
    except WorkloadRefused as err:
        return _refusal(err.code, str(err), err.seconds)


def _read(text: str) -> Mapping[str, Any]:
    try:
        asked = json.loads(text)
    except ValueError as err:
        raise RequestProblem(f"no JSON: {err}") from err
    if not isinstance(asked, dict) or asked.get("action") not in _ACTIONS:
        raise RequestProblem(f"action must be one of {', '.join(_ACTIONS)}")
    return asked


def _refusal(code: str, message: str, seconds: float = 0.0) -> Ending:
    document = {"schema": "ccgpu.workload-error/1", "code": code, "message": message}
    return Ending(1, json.dumps(document).encode() + b"\n", seconds=seconds)


_ACTIONS: Mapping[str, Action] = {
    "prepare": starting.prepare,
    "start": starting.start,
    "stop": answers.stop,
    "status": answers.status,
    "list": answers.list_all,
    "check": answers.check,
    "fetch": fetching.fetch,
    "follow": answers.follow,
    "outputs": answers.outputs,
}
