"""The documents of workloads: workloads, ps, run, run --dry-run, run --stop."""

from typing import Any, get_args

from ccgpu.domain.workload import template
from ccgpu.domain.workload.values import WorkloadKind
from ccgpu.guest.workload_answers import WorkloadStateName
from ccgpu.views.schemas import deployments, verdicts
from ccgpu.views.schemas.words import (
    BOOLEAN,
    COUNT,
    DIALECT,
    INTEGER,
    NUMBER,
    TEXT,
    TIME,
    Schema,
    choice,
    described,
    document,
    listing,
    nullable,
    record,
)

_STATES = get_args(WorkloadStateName)
_MODEL = record({"repository": TEXT, "commit": TEXT, "manifest": TEXT})
_PLANNED: dict[str, Schema] = {
    "name": TEXT,
    "template": TEXT,
    "kind": choice(WorkloadKind),
    "image": TEXT,
    "model": nullable(_MODEL),
    "ports": listing(COUNT),
}
_CONTAINER: dict[str, Schema] = {
    "name": TEXT,
    "state": choice(_STATES),
    "exit_code": nullable(INTEGER),
    "since": described(TIME, "Of the state."),
    "restarts": COUNT,
    "image": TEXT,
    "image_digest": TEXT,
}
_RUNNING = record(
    {
        **_PLANNED,
        "image_digest": nullable(TEXT),
        "started_at": nullable(TIME),
        "event": described(nullable(TEXT), "The line of the log of workloads."),
        "pcr13": described(nullable(TEXT), "PCR 13 after it."),
        "state": nullable(choice([*_STATES, "healthy"])),
    }
)
_RUN_VERDICT = record(
    {
        "verdict": verdicts.VERDICT,
        "policy": TEXT,
        "at": TIME,
        "bundle": nullable(TEXT),
        "simulated": BOOLEAN,
    }
)
_ANSWERS = record(
    {
        "ok": BOOLEAN,
        "right": COUNT,
        "asked": COUNT,
        "tokens_per_second": nullable(NUMBER),
        "problems": listing(TEXT),
        "causes": listing(TEXT),
    }
)
_OUTPUT_FILES = listing(record({"path": TEXT, "size": COUNT}))


def workload_templates() -> dict[str, Any]:
    """The workloads that ship with ccgpu."""
    one = workload_template()
    definitions = one.pop("$defs")
    row = {name: one[name] for name in ("type", "properties", "required", "additionalProperties")}
    whole = document(
        "ccgpu.workload-templates/1",
        "What can run in a VM, each as its file says.",
        {"workloads": listing(row)},
    )
    return {**whole, "$defs": definitions}


def workload_template() -> dict[str, Any]:
    """A workload, as its file says. The file may leave out what has a default, an answer has it."""
    body = template.WorkloadTemplate.model_json_schema(by_alias=True, mode="serialization")
    body.pop("title")
    about = {"$schema": DIALECT, "title": template.SCHEMA}
    return {**about, **body}


def workloads() -> dict[str, Any]:
    """The workloads of a VM."""
    row: dict[str, Schema] = {
        **{name: nullable(schema) for name, schema in _CONTAINER.items()},
        "name": TEXT,
        "state": choice([*_STATES, "stopped-by-reboot"]),
        "kind": nullable(choice(WorkloadKind)),
        "ports": listing(COUNT),
        "command": described(nullable(TEXT), "What starts it again."),
    }
    return document(
        "ccgpu.workloads/1",
        "The workloads in a VM.",
        {"name": TEXT, "workloads": listing(record(row))},
    )


def workload_stopped() -> dict[str, Any]:
    """A workload that was stopped."""
    return document(
        "ccgpu.workload-stopped/1",
        "A workload that `run --stop` has stopped.",
        {"name": TEXT, "workload": record(_CONTAINER)},
    )


def run() -> dict[str, Any]:
    """A run; what it has not come to is null."""
    created = {name: deployments.create()[name] for name in ("type", "properties", "required")}
    return document(
        "ccgpu.run/1",
        "A run of a workload; members that it has not come to are null.",
        {
            "name": TEXT,
            "workload": nullable(_RUNNING),
            "verdict": nullable(_RUN_VERDICT),
            "secrets": record({"released": listing(TEXT), "kept": listing(TEXT)}),
            "check": nullable(_ANSWERS),
            "outputs": nullable(record({"folder": TEXT, "files": _OUTPUT_FILES})),
            "create": described(
                nullable({**created, "additionalProperties": False}),
                "The ccgpu.create/1 of `create --run`.",
            ),
            "deleted": BOOLEAN,
            "job_exit_code": nullable(INTEGER),
            "cause": nullable(record({"code": TEXT, "message": TEXT, "exit_code": COUNT})),
            "exit_code": COUNT,
        },
    )


def run_plan() -> dict[str, Any]:
    """What a run would start."""
    return document(
        "ccgpu.run-plan/1",
        "What `run --dry-run` would start.",
        {
            "name": TEXT,
            "workload": record(_PLANNED),
            "run": described(listing(TEXT), "The words of the run line after `docker`."),
            "secrets": listing(TEXT),
            "inputs": listing(record({"from": TEXT, "to": TEXT})),
            "outputs": nullable(TEXT),
            "gpu_memory_gb": nullable(NUMBER),
        },
    )
