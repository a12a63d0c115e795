"""A run, as text and as the JSON document `ccgpu.run/1`; and the plan of one."""

import shlex
from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.plain_text import one_line
from ccgpu.domain.run_outcome import FetchedOutputs, RunOutcome
from ccgpu.domain.workload.container import ContainerPlan
from ccgpu.domain.workload.known_answers import CheckResult
from ccgpu.views.tables import Grid

_SCHEMA = "ccgpu.run/1"


def as_text(outcome: RunOutcome) -> RenderableType:
    """What ran, the verdict it rests on, and how it went."""
    rows = Grid()
    for name, value in _facts(outcome).items():
        rows.add_row(name, Text(one_line(value), overflow="fold"))
    return rows


def _facts(outcome: RunOutcome) -> dict[str, str]:
    plan, started, verdict = outcome.plan, outcome.started, outcome.verdict
    facts = {} if plan is None else _planned(plan)
    if verdict is not None:
        simulated = ", SIMULATED" if verdict.simulated else ""
        facts["verdict"] = f"{verdict.verdict} by policy {verdict.policy}{simulated}"
    if outcome.released or outcome.kept:
        there = [f"{name} (there already)" for name in outcome.kept]
        facts["secrets"] = ", ".join([*outcome.released, *there])
    if started is not None:
        facts["image digest"] = started.image_digest
    return facts | _ended(outcome)


def _planned(plan: ContainerPlan) -> dict[str, str]:
    model = plan.model
    of = {} if model is None else {"model": f"{model.repository}@{model.commit}"}
    return {"workload": plan.name, "image": plan.image, **of}


def _ended(outcome: RunOutcome) -> dict[str, str]:
    facts = {} if outcome.state is None else {"state": _state_text(outcome)}
    if outcome.check is not None:
        facts["answers"] = _check_text(outcome.check, outcome.plan)
    if outcome.outputs is not None:
        facts["outputs"] = _outputs_text(outcome.outputs)
    if outcome.deleted:
        facts["deployment"] = f"{outcome.name} is deleted"
    return facts


def _state_text(outcome: RunOutcome) -> str:
    code = outcome.job_exit_code
    return f"{outcome.state}, exit code {code}" if code is not None else str(outcome.state)


def _check_text(check: CheckResult, plan: ContainerPlan | None) -> str:
    asked = "" if plan is None or plan.known_answers is None else f" of {_asked(plan)}"
    speed = check.tokens_per_second
    fast = "" if speed is None else f", {speed:.0f} tokens/s"
    return f"{check.right}{asked} known answers are right{fast}"


def _asked(plan: ContainerPlan) -> int:
    known = plan.known_answers
    return 0 if known is None else len(getattr(known, "answers", known.requests()))


def _outputs_text(outputs: FetchedOutputs) -> str:
    count = len(outputs.files)
    size = sum(outputs.files.values())
    return f"{outputs.folder}: {count} file{'s' if count != 1 else ''}, {size:,} bytes"


def as_json(outcome: RunOutcome, created: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The JSON document; members that the run has not come to are null.

    created: the document of the create before it.
    """
    verdict, outputs = outcome.verdict, outcome.outputs
    return {
        "schema": _SCHEMA,
        "name": outcome.name,
        "workload": _workload(outcome),
        "verdict": None
        if verdict is None
        else {
            "verdict": verdict.verdict,
            "policy": verdict.policy,
            "at": verdict.at,
            "bundle": verdict.bundle,
            "simulated": verdict.simulated,
        },
        "secrets": {"released": [*outcome.released], "kept": [*outcome.kept]},
        "check": _check(outcome),
        "outputs": None
        if outputs is None
        else {
            "folder": outputs.folder,
            "files": [{"path": path, "size": size} for path, size in outputs.files.items()],
        },
        "create": created,
        "deleted": outcome.deleted,
        "job_exit_code": outcome.job_exit_code,
        "cause": outcome.cause,
        "exit_code": outcome.exit_code,
    }


def _workload(outcome: RunOutcome) -> dict[str, Any] | None:
    plan, started = outcome.plan, outcome.started
    if plan is None:
        return None
    return {
        **plan_fields(plan),
        "image_digest": None if started is None else started.image_digest,
        "started_at": None if started is None else started.started_at,
        "event": None if started is None else started.event,
        "pcr13": None if started is None else started.pcr13,
        "state": outcome.state,
    }


def _check(outcome: RunOutcome) -> dict[str, Any] | None:
    check, plan = outcome.check, outcome.plan
    if check is None or plan is None:
        return None
    return {
        "ok": check.is_good,
        "right": check.right,
        "asked": _asked(plan),
        "tokens_per_second": check.tokens_per_second,
        "problems": [*check.problems],
        "causes": [*check.causes],
    }


def plan_fields(plan: ContainerPlan) -> dict[str, Any]:
    """A workload as it was planned."""
    model = plan.model
    return {
        "name": plan.name,
        "template": plan.template,
        "kind": plan.kind.value,
        "image": plan.image,
        "model": None
        if model is None
        else {
            "repository": model.repository,
            "commit": model.commit,
            "manifest": model.manifest,
        },
        "ports": [*plan.ports],
    }


def plan_as_text(name: str, plan: ContainerPlan) -> RenderableType:
    """What a run would start, and the line that starts it."""
    rows = Grid()
    facts = {"deployment": name} | _planned(plan)
    if plan.gpu_memory_gb is not None:
        facts["GPU memory"] = f"{plan.gpu_memory_gb:.0f} GB at least"
    if plan.secrets:
        facts["secrets"] = ", ".join(one.name for one in plan.secrets)
    for one in plan.inputs:
        facts["inputs"] = f"{facts['inputs']}, " if "inputs" in facts else ""
        facts["inputs"] += f"{one.local} as {one.mount.target}"
    for label, value in facts.items():
        rows.add_row(label, Text(one_line(value)))
    line = Text(f"docker {shlex.join(plan.run_words())}", no_wrap=True, overflow="ignore")
    return Group(rows, Text(), line, Text(), Text("dry run: the VM was not asked"))


def plan_as_json(name: str, plan: ContainerPlan) -> dict[str, Any]:
    """The plan of a run as a JSON document."""
    return {
        "schema": "ccgpu.run-plan/1",
        "name": name,
        "workload": plan_fields(plan),
        "run": [*plan.run_words()],
        "secrets": [one.name for one in plan.secrets],
        "inputs": [{"from": one.local, "to": one.mount.target} for one in plan.inputs],
        "outputs": plan.outputs,
        "gpu_memory_gb": plan.gpu_memory_gb,
    }
