"""`attest`: fresh evidence from a deployment's VM, judged on this machine.

Everything that the evidence has to answer is this machine's own: the nonce, the host key of the
connection, and the vmId that ARM told. Only an accepted verdict changes anything in the VM.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from ccgpu.attest import required_collateral
from ccgpu.attest.appraise import AppraisalInputs, appraise
from ccgpu.attest.attestation import Attestation, StepTimes
from ccgpu.attest.simulated import simulated_roots
from ccgpu.attest.trust_basis import collateral_sources
from ccgpu.azure.context import AzureContext
from ccgpu.azure.run import Run
from ccgpu.collateral.fetcher import CollateralFetcher
from ccgpu.domain import hostkey, time_limits
from ccgpu.domain.collateral import FetchedCollateral
from ccgpu.domain.desired import Names
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.given_image import GivenImage
from ccgpu.domain.policy import Policy
from ccgpu.domain.policy_comparison import PolicyOrigin
from ccgpu.domain.reference_values import ReferenceFile
from ccgpu.domain.resource import Body, location
from ccgpu.domain.vm_view import image_text
from ccgpu.errors import (
    CcgpuError,
    EvidenceRejected,
    EvidenceUnavailable,
    StateUnusable,
    UsageProblem,
)
from ccgpu.guest.channel import Channel, GuestTarget, OpenChannel
from ccgpu.store.challenges import Challenges
from ccgpu.workflows.access_memory import record_access
from ccgpu.workflows.attestation_records import forget_verdict, record_host_key, record_verdict
from ccgpu.workflows.discovery.search import find_names, require_vm
from ccgpu.workflows.fetch_collateral import fetch_collateral
from ccgpu.workflows.fresh_evidence import (
    FreshEvidence,
    collect_evidence,
    greeting_time,
    read_boot_id,
)
from ccgpu.workflows.guest_access import (
    GuestOptions,
    WantedGuest,
    find_guest_to_probe,
    vm_id_of,
)
from ccgpu.workflows.guest_task import GuestTask
from ccgpu.workflows.measured_deployment import held_to_its_image
from ccgpu.workflows.ready_gpu import with_ready_gpu
from ccgpu.workflows.recorded_pcrs import record_pcrs

TIMEOUT = time_limits.ATTEST

# Opens a fetcher that makes no request after so many seconds.
OpenFetcher = Callable[[float], AbstractContextManager[CollateralFetcher]]


@dataclass(frozen=True, slots=True)
class AttestMeans:
    """What an attestation needs besides the way to the VM.

    challenges: the record of this machine's challenges. policy, origin: as `store.policies` loads
    them. roots: of the simulated vendors, which evidence of a simulation is judged by; None for the
    real ones. pins: golden PCR values to compare with. record: a new file to write an accepted VM's
    to. image: the measured image that the VM must run. release: the VM makes a key that secrets can
    be sealed to. chosen: the user has named the policy; else a deployment may ask for more.
    """

    fetcher: OpenFetcher
    challenges: Challenges
    policy: Policy
    origin: PolicyOrigin | None
    roots: Callable[[], Mapping[str, bytes]] | None
    pins: ReferenceFile | None = None
    record: Path | None = None
    image: GivenImage | None = None
    release: bool = False
    chosen: bool = False

    @property
    def simulated(self) -> bool:
        """Whether evidence is judged by the roots of a simulation."""
        return self.roots is not None

    def simulated_roots(self) -> Mapping[str, bytes] | None:
        """The roots of the simulation; None if there is none."""
        return None if self.roots is None else self.roots()

    @property
    def policy_name(self) -> str:
        """The shipped policy's name, or the absolute path of the file."""
        return self.policy.name if self.origin is None else str(Path(self.origin.path).absolute())

    def used_for(self, judged: Attestation) -> "AttestMeans":
        """The means that this verdict was made with: a deployment may have asked for more."""
        appraisal = judged.appraisal
        if appraisal.criteria is None:
            return self
        policy, origin = appraisal.criteria, appraisal.origin
        return replace(self, policy=policy, origin=origin, image=judged.image)

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

    def require_golden_values(self, name: str, *, has_image: bool = False) -> None:
        """Refuse a policy that needs golden PCR values or an image, if it is not given.

        has_image: the deployment itself says which image it has.

        Raises:
            UsageProblem: It would reject every VM.
        """
        cpu = self.policy.cpu
        if cpu is not None and cpu.require_image and self.image is None and not has_image:
            raise UsageProblem(
                f"policy {self.policy.name} needs a measured image, and rejects every VM without",
                hint="`ccgpu attest` and `ccgpu verify` take its manifest: `--image FILE`",
            )
        if cpu is not None and cpu.require_pins and self.pins is None:
            raise UsageProblem(
                f"policy {self.policy.name} needs golden PCR values, and rejects every VM without",
                hint="give those of a VM of the same image: `--pins FILE`; or create with "
                f"`--no-attest`, and record them: `ccgpu attest {name} --policy {self.policy_name} "
                "--record FILE`",
            )


def attest(
    cloud: AzureContext,
    channels: OpenChannel,
    means: AttestMeans,
    wanted: WantedGuest,
    listen: Listener = ignore_event,
) -> Attestation:
    """Attest the VM of a deployment; raises as `attest_vm`."""
    means.require_binding()
    run = Run.begin(cloud, wanted.timeout, listen)
    names = find_names(run, wanted.name, wanted.group)
    guest = GuestOptions(channels, wanted.access, wanted.keys)
    return attest_vm(run, names, require_vm(run, names), guest, means)


def attest_vm(
    run: Run, names: Names, vm: Body, guest: GuestOptions, means: AttestMeans
) -> Attestation:
    """Challenge a VM, judge its evidence, record the verdict, and set the GPU of a good one ready.

    A host key that this machine does not know yet is only used for this connection. It is recorded
    if the evidence that is bound to it is accepted. The way that has led to the VM is recorded.

    Raises:
        EvidenceUnavailable: The guest gave no evidence.
        GuestUnreachable, ConnectionLost, TimedOut: The VM cannot be reached, or does not answer.
        HostKeyMismatch: Another machine answered.
        StateUnusable: The challenge, or an accepted verdict, cannot be recorded.
    """
    task = GuestTask.of_deployment(run, names)
    means = held_to_its_image(run.cloud, names, vm, means, task.note)
    task.tell("begin", "attest", "attest")
    target = find_guest_to_probe(run, names, vm, guest.access, guest.keys)
    vm_id = vm_id_of(vm)

    def accept(judged: Attestation) -> None:
        record_host_key(run.cloud, names, judged, vm_id)

    judged = attest_guest(task, target, guest.channels, means, accept, location(vm["location"]))
    try:
        judged = _remember(run, names, vm, guest, judged, means)
    except StateUnusable as err:
        if judged.appraisal.verdict == "accepted":
            raise
        task.note(str(err))  # a rejection is told all the same
    task.tell("done" if judged.is_good else "failed", "attest", "attest")
    return judged


def _remember(
    run: Run, names: Names, vm: Body, guest: GuestOptions, judged: Attestation, means: AttestMeans
) -> Attestation:
    """Record the way to the VM, and the verdict; returns what `record_verdict` does."""
    vm_id = vm_id_of(vm)
    if judged.problem is not None or judged.appraisal.verdict == "rejected":
        forget_verdict(run.cloud, names, vm_id)  # first: an earlier one must not outlive this
    record_access(run.cloud, names.deployment, guest.access, names.group)
    if judged.problem is not None:
        return judged
    # Last, so that a VM counts as attested only once it can be used.
    judged = replace(judged, pins=reference_file(judged, means, image_text(vm)))
    return record_verdict(run.cloud, names, judged, means, vm_id)


def attest_guest(
    task: GuestTask,
    target: GuestTarget,
    channels: OpenChannel,
    means: AttestMeans,
    accept: Callable[[Attestation], None] = lambda _: None,
    region: str | None = None,
    greet: Callable[[Channel, float], str] = read_boot_id,
) -> Attestation:
    """Challenge a guest, judge its evidence, and set the GPU of a good one ready.

    Args:
        task: The command's work on this guest.
        target: Where it is reached.
        channels: Opens a channel to it.
        means: What it is judged with.
        accept: Called with an accepted verdict, before anything in the guest is changed.
        region: The Azure region of the VM, if it is known.
        greet: Connects within so many seconds, and returns the id of the boot.
    """
    with channels(target) as channel:
        boot_id = task.reach(lambda: greet(channel, greeting_time(task)))
        task.tell("wait", "collecting evidence")
        began = task.now()
        fresh = collect_evidence(
            task, channel, boot_id, target.vm_id, means.challenges, release=means.release
        )
    judged = _judge(task, fresh, means, region, began)
    if judged.appraisal.verdict != "accepted":
        return judged
    accept(judged)
    if "gpu" not in means.policy.requires:
        return judged
    with channels(replace(target, host_key=judged.challenge.host_key)) as pinned:
        return with_ready_gpu(task, judged, pinned)


def _judge(
    task: GuestTask, fresh: FreshEvidence, means: AttestMeans, region: str | None, began: float
) -> Attestation:
    """Fetch the collateral, and appraise."""
    collected = task.now()
    task.tell("wait", "fetching collateral")
    # Only what the guest alone can tell is taken from it.
    brought = Evidence(
        "bundle",
        claimed=fresh.evidence.claimed,
        cpu=fresh.evidence.cpu,
        gpus=fresh.evidence.gpus,
        simulated_roots=means.simulated_roots(),
    )
    found, cause = fetch_all_collateral(task, brought, means, region)
    evidence = required_collateral.add_collateral(brought, found)
    fetched = task.now()
    at = datetime.fromtimestamp(task.wall(), UTC)
    claimed = replace(evidence.claimed, made_at=at, sent_at=fresh.challenge.sent_at)
    evidence = replace(evidence, claimed=claimed)
    inputs = AppraisalInputs(
        at=at,
        nonce=fresh.challenge.nonce,
        vm_id=fresh.challenge.vm_id,
        host_key=hostkey.sha256(fresh.challenge.host_key),
        challenge_sent=fresh.challenge.sent_at,
        answers_earlier=means.challenges.is_earlier(claimed.nonce, fresh.challenge.nonce),
        reference_values=None if means.pins is None else means.pins.values,
        image=means.image,
        recording=means.record is not None,
        policy_origin=means.origin,
        suppliers=collateral_sources(brought, evidence),
    )
    roots = simulated_roots(evidence) if means.simulated else None
    appraisal = appraise(evidence, means.policy, inputs, roots)
    if cause is not None and appraisal.verdict != "rejected":
        raise cause  # what was refused before the verdict never becomes milder
    ended = task.now()
    times = StepTimes(collected - began, fetched - collected, ended - fetched)
    asked = (task.name, fresh.challenge, fresh.boot_id)
    return Attestation(*asked, evidence, appraisal, times, found.missing, image=means.image)


def reference_file(
    judged: Attestation, means: AttestMeans, image: str | None = None
) -> ReferenceFile | None:
    """The golden PCR values given, or an accepted VM's, which are written to the file asked for."""
    if means.record is None or judged.appraisal.verdict != "accepted":
        return means.pins
    return record_pcrs(means.record, judged.appraisal, judged.name, image)


def fetch_all_collateral(
    task: GuestTask, evidence: Evidence, means: AttestMeans, region: str | None = None
) -> tuple[FetchedCollateral, CcgpuError | None]:
    """The collateral of evidence; if that does not say what it needs, that error.

    The appraisal then lists the checks that fail.
    """
    with means.fetcher(task.time_left(inf, "fetching collateral")) as fetcher:
        try:
            found = fetch_collateral(
                evidence, fetcher, task.listen, region=region, simulated=means.simulated
            )
        except (EvidenceRejected, EvidenceUnavailable) as err:
            return FetchedCollateral(), err
    for lack in found.missing:
        task.note(str(lack))
    return found, None
