"""The appraisal policy for workloads (RFC 9334, §8.5). It takes a `Verified` log only."""

from collections.abc import Iterable, Iterator, Mapping

from ccgpu.attest.check import Checks, Rule, Verified
from ccgpu.attest.workload_log import PCR, WorkloadEvent, WorkloadLog
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.policy import Policy
from ccgpu.domain.workload_policy import AllowedWorkload, WorkloadPolicy

REQUIRED = Rule(
    "policy.workloads.required",
    "a workload that the policy allows was started",
    "the policy, workloads.required",
)
OTHERS = Rule(
    "policy.workloads.others",
    "no workload was started but those that the policy allows",
    "the policy, workloads.only",
)
_SHOWN = 4  # workloads that a check names


def check_workloads(log: Verified[WorkloadLog], policy: WorkloadPolicy, checks: Checks) -> None:
    """Check which workloads were started."""
    events = log.value.events
    others = [event for event in events if not _is_allowed(event, policy)]
    if policy.required:
        some = len(others) < len(events)
        allowed = dict.fromkeys(each.image_digest for each in policy.allowed)
        checks.record(REQUIRED, some, f"one of {_listed(allowed)}", _named(events))
    if policy.only:
        checks.record(OTHERS, not others, "no other", _named(others) if others else "no other")


def not_proven(evidence: Evidence, policy: Policy, pcrs: Mapping[int, bytes]) -> Iterator[str]:
    """What the quoted PCRs (index to 32 bytes) and the log of workloads leave open."""
    log = evidence.cpu.workload_log if evidence.cpu is not None else None
    if log is not None or policy.workloads is not None:
        yield (
            "the workloads: software in the VM measures them, whose root file system is not "
            "measured; what it does not measure, no log shows"
        )
    if log is None and any(pcrs.get(PCR, b"")):
        yield "what PCR 13 was extended with: the evidence has no log of workloads"
    elif pcrs and PCR not in pcrs:
        yield "which workloads ran: PCR 13 is not quoted"


def _is_allowed(event: WorkloadEvent, policy: WorkloadPolicy) -> bool:
    return any(_matches(event, each) for each in policy.allowed)


def _matches(event: WorkloadEvent, allowed: AllowedWorkload) -> bool:
    """Whether each matcher that is given has the event's value."""
    model = event.model
    pairs = (
        (allowed.image_digest, event.image_digest),
        (allowed.command, event.command),
        (allowed.model_manifest, model and model.manifest),
        (allowed.model_commit, model and model.commit),
    )
    return all(wanted is None or wanted == found for wanted, found in pairs)


def _named(events: Iterable[WorkloadEvent]) -> str:
    return _listed(f"{event.name} {event.image_digest}{_model(event)}" for event in events)


def _model(event: WorkloadEvent) -> str:
    return f" with {event.model.repository}@{event.model.commit}" if event.model else ""


def _listed(names: Iterable[str]) -> str:
    every = [*names]
    rest = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return (", ".join(every[:_SHOWN]) or "none") + rest
