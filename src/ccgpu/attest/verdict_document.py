"""The verdict as a document: `ccgpu.verdict/1` without what only a screen needs. Pure."""

from dataclasses import asdict
from typing import Any

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.check import format_value
from ccgpu.attest.vtpm.event_names import NamedEvent
from ccgpu.attest.workload_log import WorkloadEvent


def make_document(appraisal: Appraisal) -> dict[str, Any]:
    """The verdict, its policy and time, what qualifies it, and every check with both sides."""
    return {
        "schema": "ccgpu.verdict/1",
        "verdict": appraisal.verdict,
        "simulated": appraisal.simulated,
        "policy": appraisal.policy,
        "policy_file": _policy_file(appraisal),
        "loosened": list(appraisal.loosened),
        "at": format_value(appraisal.at),
        "unsafe": list(appraisal.unsafe),
        "reasons": list(appraisal.reasons),
        "rests_on": [{"what": what, "whose": whose} for what, whose in appraisal.rests_on],
        "not_proven": list(appraisal.not_proven),
        "facts": dict(appraisal.facts),
        "events": [_event(each) for each in appraisal.events],
        "workloads": [_workload(each) for each in appraisal.workloads],
        "checks": [check._asdict() for check in appraisal.checks],
    }


def _event(event: NamedEvent) -> dict[str, Any]:
    """An event of the boot; `replayed`: the log leads to the quoted PCR."""
    return {
        "pcr": event.pcr,
        "what": event.what,
        "detail": event.detail,
        "sha256": event.digest.hex(),
        "replayed": event.replayed,
    }


def _workload(event: WorkloadEvent) -> dict[str, Any]:
    """A workload of the log; `sha256` is what PCR 13 was extended with."""
    return {
        "name": event.name,
        "image": event.image,
        "image_digest": event.image_digest,
        "command": list(event.command),
        "mounts": list(event.mounts),
        "model": None if event.model is None else asdict(event.model),
        "environment": list(event.environment),
        "sha256": event.digest.hex(),
        "replayed": event.replayed,
    }


def _policy_file(appraisal: Appraisal) -> dict[str, Any] | None:
    """The user's policy file; `reserved_name`: it has the name of a policy that ships."""
    if appraisal.origin is None:
        return None
    return {
        "path": appraisal.origin.path,
        "sha256": appraisal.origin.sha256,
        "reserved_name": appraisal.origin.reserved_name,
        "loosened": dict(appraisal.loosened),
    }
