"""`attest`: fresh evidence from a deployment's VM, judged on this machine.

Everything that the evidence has to answer is this machine's own: the nonce, the host key of the
connection, and the vmId that ARM told. Only an accepted verdict changes anything in the VM.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from math import inf
from pathlib import Path

from ccgpu.attest import required_collateral
from ccgpu.attest.appraise import AppraisalInputs, appraise
from ccgpu.attest.attestation import Attestation, StepTimes
from ccgpu.attest.simulated import simulated_roots
from ccgpu.attest.trust_basis import collateral_sources
from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.collateral.fetcher import CollateralFetcher
from ccgpu.domain import hostkey
from ccgpu.domain.catalog import Kind
from ccgpu.domain.collateral import FetchedCollateral
from ccgpu.domain.desired import Names
from ccgpu.domain.events import EventKind, Listener, ignore_event
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.policy import Policy
from ccgpu.domain.policy_comparison import PolicyOrigin
from ccgpu.domain.resource import Body, location
from ccgpu.errors import (
    CcgpuError,
    EvidenceRejected,
    EvidenceUnavailable,
    GuestNotReady,
    HostKeyMismatch,
    TimedOut,
    UsageProblem,
)
from ccgpu.guest.channel import Channel, OpenChannel
from ccgpu.guest.gpu_ready import set_gpu_ready
from ccgpu.scheduling.scheduler import Call, Task
from ccgpu.store.challenges import Challenges
from ccgpu.workflows.attestation_records import forget_verdict, record_host_key, record_verdict
from ccgpu.workflows.discovery.search import find_names, require_vm
from ccgpu.workflows.fetch_collateral import fetch_collateral
from ccgpu.workflows.fresh_evidence import (
    FreshEvidence,
    collect_evidence,
    read_boot_id_in_time,
)
from ccgpu.workflows.guest_access import (
    GuestOptions,
    WantedGuest,
    find_guest_to_probe,
    wait_until_reachable,
)

TIMEOUT = 900.0

# Opens a fetcher that makes no request after so many seconds.
OpenFetcher = Callable[[float], AbstractContextManager[CollateralFetcher]]


@dataclass(frozen=True, slots=True)
class AttestMeans:
    """What an attestation needs besides the way to the VM.

    challenges: the record of this machine's challenges. simulated: whether the subscription is; its
    evidence is then judged by the roots that it carries. policy, origin: as `store.policies` loads
    them.
    """

    fetcher: OpenFetcher
    challenges: Challenges
    policy: Policy
    origin: PolicyOrigin | None
    simulated: bool

    @property
    def policy_name(self) -> str:
        """The shipped policy's name, or the absolute path of the file."""
        return self.policy.name if self.origin is None else str(Path(self.origin.path).absolute())

    def require_binding(self) -> None:
        """Refuse a policy that cannot tie evidence to this VM and this connection.

        Raises:
            UsageProblem: It does not look at the CPU, whose evidence alone is bound to them.
        """
        if "cpu" not in self.policy.requires:
            raise UsageProblem(
                f"policy {self.policy.name} does not look at the CPU, and only its evidence is "
                "bound to the VM and its host key",
                hint="take another policy, such as default; `ccgpu verify` judges a GPU alone",
            )


def attest(
    cloud: AzureContext,
    channels: OpenChannel,
    means: AttestMeans,
    wanted: WantedGuest,
    listen: Listener = ignore_event,
) -> Attestation:
    """Attest the VM of a deployment; raises as `attest_vm`. The way to it is then recorded."""
    means.require_binding()
    run = Run.begin(cloud, wanted.timeout, listen)
    names = find_names(run, wanted.name, wanted.group)
    guest = GuestOptions(channels, wanted.access, wanted.keys)
    judged = attest_vm(run, names, require_vm(run, names), guest, means)
    wanted.remember(cloud)
    return judged


def attest_vm(
    run: Run, names: Names, vm: Body, guest: GuestOptions, means: AttestMeans
) -> Attestation:
    """Challenge a VM, judge its evidence, record the verdict, and set the GPU of a good one ready.

    A host key that this machine does not know yet is only used for this connection. It is recorded
    if the evidence that is bound to it is accepted.

    Raises:
        EvidenceUnavailable: The guest gave no evidence.
        GuestUnreachable, ConnectionLost, TimedOut: The VM cannot be reached, or does not answer.
        HostKeyMismatch: Another machine answered.
        StateUnusable: Challenge or verdict cannot be recorded.
    """
    run.tell("begin", "attest", names.vm, Kind.VM, "attest")
    target = find_guest_to_probe(run, names, vm, guest.access, guest.keys)
    with guest.channels(target) as channel:
        boot_id = wait_until_reachable(run, names, partial(read_boot_id_in_time, run, channel))
        run.tell("wait", "collecting evidence", names.vm, Kind.VM)
        began = run.cloud.now()
        fresh = collect_evidence(run, channel, boot_id, target.vm_id, means.challenges)
    judged = _judge(run, names, fresh, means, location(vm["location"]), began)
    if judged.appraisal.verdict == "accepted":
        record_host_key(run.cloud, judged)
    if judged.appraisal.verdict == "accepted" and "gpu" in means.policy.requires:
        with guest.channels(replace(target, host_key=judged.challenge.host_key)) as pinned:
            judged = _with_ready_gpu(run, names, judged, pinned)
    # Last, so that a VM counts as attested only once it can be used.
    if judged.problem is not None:
        forget_verdict(run.cloud, names.deployment)
    else:
        judged = record_verdict(run.cloud, judged, means)
    what: EventKind = (
        "done" if judged.appraisal.verdict == "accepted" and not judged.problem else "failed"
    )
    run.tell(what, "attest", names.vm, Kind.VM, "attest")
    return judged


def _judge(
    run: Run, names: Names, fresh: FreshEvidence, means: AttestMeans, region: str, began: float
) -> Attestation:
    """Fetch the collateral, and appraise."""
    collected = run.cloud.now()
    run.tell("wait", "fetching collateral", names.vm, Kind.VM)
    # Only what the guest alone can tell is taken from it.
    brought = Evidence(
        "bundle",
        claimed=fresh.evidence.claimed,
        cpu=fresh.evidence.cpu,
        gpus=fresh.evidence.gpus,
        simulated_roots=fresh.evidence.simulated_roots if means.simulated else None,
    )
    found, cause = _fetch_collateral(run, brought, means, region)
    evidence = required_collateral.add_collateral(brought, found)
    fetched = run.cloud.now()
    at = datetime.fromtimestamp(fetched, UTC)
    evidence = replace(evidence, claimed=replace(evidence.claimed, made_at=at))
    inputs = AppraisalInputs(
        at=at,
        nonce=fresh.challenge.nonce,
        vm_id=fresh.challenge.vm_id,
        host_key=hostkey.sha256(fresh.challenge.host_key),
        challenge_sent=fresh.challenge.sent_at,
        policy_origin=means.origin,
        suppliers=collateral_sources(brought, evidence),
    )
    roots = simulated_roots(evidence) if means.simulated else None
    appraisal = appraise(evidence, means.policy, inputs, roots)
    if cause is not None and appraisal.verdict != "rejected":
        raise cause  # what was refused before the verdict never becomes milder
    ended = run.cloud.now()
    times = StepTimes(collected - began, fetched - collected, ended - fetched)
    asked = (names.deployment, fresh.challenge, fresh.boot_id)
    return Attestation(*asked, evidence, appraisal, times, found.missing)


def _fetch_collateral(
    run: Run, evidence: Evidence, means: AttestMeans, region: str
) -> tuple[FetchedCollateral, CcgpuError | None]:
    """The collateral of evidence; if that does not say what it needs, that error.

    The appraisal then lists the checks that fail.
    """
    with means.fetcher(run.deadline.at_most(inf, "fetching collateral")) as fetcher:
        try:
            found = fetch_collateral(
                evidence, fetcher, run.listen, region=region, simulated=means.simulated
            )
        except (EvidenceRejected, EvidenceUnavailable) as err:
            return FetchedCollateral(), err
    for lack in found.missing:
        run.tell("note", str(lack))
    return found, None


def _with_ready_gpu(run: Run, names: Names, judged: Attestation, channel: Channel) -> Attestation:
    """Set the GPU ready in the boot that was judged; a failure is kept beside the verdict."""
    run.tell("wait", "setting the GPU ready", names.vm, Kind.VM)
    try:
        _require_boot(read_boot_id_in_time(run, channel), judged)
        run_task(run, _set_ready(run, channel))
    except (GuestNotReady, HostKeyMismatch, TimedOut) as err:
        err.hint = err.hint or f"`ccgpu doctor {names.deployment}` looks into the guest"
        return replace(judged, problem=err)
    return replace(judged, gpu_ready=True)


def _require_boot(boot_id: str, judged: Attestation) -> None:
    """Refuse a boot that gave no evidence: nothing is known of what it started."""
    if not boot_id:
        raise GuestNotReady(
            "the VM does not tell the id of its boot any more: its GPU is not set ready"
        )
    if boot_id != judged.boot_id:
        raise GuestNotReady(
            "the VM has been started anew since it was asked: its GPU is not set ready",
            hint=f"`ccgpu attest {judged.name}` asks it again",
        )


def _set_ready(run: Run, channel: Channel) -> Task[None]:
    time_left = partial(run.deadline.at_most, doing="setting the GPU ready")
    yield Call(partial(set_gpu_ready, channel, time_left))
