"""The actions of the simulated workload script on a workload that was started."""

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any

from ccgpu.fakearm import StoredFile
from ccgpu.fakeguest.commands.call import Ending
from ccgpu.fakeguest.files import FileTree
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.fakeguest.model_server import ServedAnswer, answer_request
from ccgpu.fakeguest.simulated_model import FULL_SPEED, SLOW, SimulatedModel
from ccgpu.fakeguest.workloads.call import ROOT, WorkloadCall, WorkloadRefused
from ccgpu.fakeguest.workloads.request import RequestProblem, StartRequest
from ccgpu.fakeguest.workloads.runs import WorkloadRun, WorkloadRuns

_LONGEST_WAIT = 600.0
_HEALTH_SECONDS, _IMAGE_SECONDS = 0.01, 4.0  # own
_STOP_SECONDS = 3.0  # own
_MODE = 0o644


def settle(guest: SimulatedGuest) -> None:
    """Write the outputs of the jobs that have ended; called whenever somebody connects."""
    runs = WorkloadRuns(guest)
    for run in runs.all().values():
        ended = run.state(guest.now).name == "exited"
        if ended and run.outputs and not run.written:
            _write(FileTree(guest), f"{ROOT}/outputs/{run.name}", run)
            runs.keep(replace(run, written=True))


def _write(files: FileTree, folder: str, run: WorkloadRun) -> None:
    for path, content in run.outputs.items():
        files.write(f"{folder}/{path}", StoredFile(_MODE, base64.b64decode(content)))


def stop(call: WorkloadCall) -> Ending:
    """Stop a workload, and forget it."""
    run = call.found()
    seconds = 0.0
    if not run.state(call.now).is_ended:
        run, seconds = replace(run, stopped=call.now), _STOP_SECONDS
    call.runs.forget(run.name)
    return call.answer(seconds, workload=call.shown(run))


def status(call: WorkloadCall) -> Ending:
    """The state of one workload."""
    return call.answer(workload=call.shown(call.found()))


def list_all(call: WorkloadCall) -> Ending:
    """The states of all workloads."""
    return call.answer(workloads=[call.shown(run) for run in call.runs.all().values()])


def check(call: WorkloadCall) -> Ending:
    """Wait until the server is healthy, then make the requests."""
    run, asked = call.found(), call.asked
    try:
        wait = min(float(asked["wait"]), _LONGEST_WAIT)
        requests = [(dict(one), int(one["limit"])) for one in asked["requests"]]
    except (KeyError, TypeError, ValueError) as err:
        raise RequestProblem(f"a member is missing, or of another type: {err}") from err
    waited = _wait_for_health(run, call.now, wait)
    later = replace_now(call, call.now + waited)
    healthy = run.is_healthy(later.now)
    health = {"status": 200 if healthy else None, "seconds": _HEALTH_SECONDS}
    answers = [_ask(run, one, limit) for one, limit in requests] if healthy else []
    took = waited + sum(one["seconds"] for one in answers)
    return later.answer(took, workload=later.shown(run), health=health, answers=answers)


def replace_now(call: WorkloadCall, now: float) -> WorkloadCall:
    """The same call, at a later time."""
    guest = SimulatedGuest(replace(call.guest.machine, now=now))
    return WorkloadCall(guest, call.asked, call.run)


def _wait_for_health(run: WorkloadRun, now: float, wait: float) -> float:
    """Virtual seconds until the server is healthy, the workload has ended, or `wait` is over."""
    healthy = None if run.healthy_after is None else run.began + run.healthy_after
    moments = [one for one in (healthy, run.end) if one is not None]
    return min(max(0.0, min(moments) - now), wait) if moments else wait


def _ask(run: WorkloadRun, request: dict[str, Any], limit: int) -> dict[str, Any]:
    """The answer to one request of a check."""
    body = json.dumps(request.get("body") or {}).encode()
    model = served_model(run)
    got = answer_request(model, run.began, request["method"], request["path"], body)
    data = json.dumps(got.document).encode() + b"\n"
    return {
        "status": got.status,
        "seconds": round(_seconds(model, got), 3),
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "body": data.decode() if len(data) <= limit else None,
        "error": "",
    }


def served_model(run: WorkloadRun) -> SimulatedModel:
    """The model behind a workload's server."""
    speed = FULL_SPEED * (SLOW if run.fault == "slow" else 1.0)
    name = StartRequest.read(run.request).model_name
    return SimulatedModel(name, broken=run.fault == "garbage", speed=speed)


def _seconds(model: SimulatedModel, answer: ServedAnswer) -> float:
    usage = answer.document.get("usage")
    if usage is not None:
        return _HEALTH_SECONDS + model.seconds(usage["completion_tokens"])
    slowed = FULL_SPEED / model.speed
    return _IMAGE_SECONDS * slowed if "data" in answer.document else _HEALTH_SECONDS


def follow(call: WorkloadCall) -> Ending:
    """The log of a workload; with `until_end` up to its end, if it has one."""
    run = call.found()
    end = run.end
    waits = call.asked.get("until_end") is True and end is not None
    until = max(call.now, end or 0.0) if waits else call.now
    since = float(call.asked.get("since") or 0.0)
    lines = run.log(until) if run.began >= since else _printed_from(run, since, until)
    before, most = len(run.log(call.now)), call.asked.get("lines")
    if type(most) is int:
        lines = lines[max(0, min(before, len(lines)) - most) :]
    later = replace_now(call, until)
    answer = later.answer(workload=later.shown(run))
    text = "".join(f"{line}\n" for line in lines)
    return Ending(0, text.encode(), answer.stdout, seconds=until - call.now)


def _printed_from(run: WorkloadRun, since: float, until: float) -> list[str]:
    before = sum(1 for after, _ in run.lines if run.began + after < since)
    return run.log(until)[before:]


def outputs(call: WorkloadCall) -> Ending:
    """Make the outputs of a workload readable for who logged in."""
    run = call.found()
    settle(call.guest)
    source, export = f"{ROOT}/outputs/{run.name}", f"{ROOT}/export/{run.name}"
    if run.request.get("outputs") is None:
        raise WorkloadRefused("outputs.absent", f"the workload {run.name} has no outputs")
    files = call.files
    for path in files.list_below(export):
        files.remove(path)
    call.runs.add_folder(export)
    found = {path: files.read(path) for path in files.list_below(source)}
    sizes = []
    for path, file in found.items():
        if file is not None:
            files.write(f"{export}/{path.removeprefix(source + '/')}", file)
            sizes.append(len(file.data))
    return call.answer(path=export, files=len(sizes), bytes=sum(sizes), left=[])
